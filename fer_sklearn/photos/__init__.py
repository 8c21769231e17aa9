"""Faces out of photographs and videos, and emotions into annotated copies.

The detector and videos need OpenCV (``opencv-python-headless``). Nothing
is written and nothing leaves the machine. A detector of your own needs no OpenCV:

>>> from fer_sklearn.photos import FaceCropper, make_photo
>>> cropper = FaceCropper(detector=lambda image: [[170, 80, 140, 140]])
>>> cropper.crop([make_photo(random_state=0)]).images.shape
(1, 48, 48)
"""

from ._annotation import annotate
from ._cropper import FaceCropper
from ._detection import detect_faces
from ._face_crops import FaceCrops
from ._haar import HaarFaceDetector
from ._make_photo import make_photo
from ._predict import predict_photos
from ._reading import read_photo
from ._video import VideoFrame, read_video

__all__ = [
    "FaceCropper",
    "FaceCrops",
    "HaarFaceDetector",
    "VideoFrame",
    "annotate",
    "detect_faces",
    "make_photo",
    "predict_photos",
    "read_photo",
    "read_video",
]
