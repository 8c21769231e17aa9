"""Facial expressions from 48x48 grey-scale faces, as scikit-learn estimators.

>>> from fer_sklearn import make_faces, make_fer_pipeline
>>> faces = make_faces(70, image_shape=(16, 16), random_state=0)
>>> pipe = make_fer_pipeline(image_shape=(16, 16), max_epochs=1, random_state=0)
>>> pipe.fit(faces.data, faces.target).predict_proba(faces.data[:5]).shape
(5, 7)
"""

from importlib import import_module

__version__ = "0.1.0"

# Public name -> module that defines it. Modules are imported at first use, so that
# `import fer_sklearn` costs no torch and no pandas.
_EXPORTS = {
    "AugmentedImages": "_augmented_images",
    "EMOTIONS": "datasets",
    "load_fer2013": "datasets",
    "load_image_folder": "datasets",
    "make_faces": "datasets",
    "PixelStringTransformer": "_pixels",
    "RandomAffineAugmenter": "_augmentation",
    "FERClassifier": "_classifier",
    "FaceEmbedder": "_embedder",
    "make_fer_pipeline": "_pipeline",
    "make_baseline_pipeline": "_pipeline",
    "RejectingClassifier": "_rejecting",
    "predict_file": "_predict_file",
    "load_model": "_models",
    "load_pretrained": "_models",
    "load_onnx": "_onnx",
    "to_onnx": "_onnx",
    "read_model_metadata": "_model_format",
    "save_model": "_models",
}

__all__ = sorted(_EXPORTS)


def __getattr__(name):
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ._utils import torch_needed

    with torch_needed():
        value = getattr(import_module(f".{_EXPORTS[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted([*globals(), *_EXPORTS])
