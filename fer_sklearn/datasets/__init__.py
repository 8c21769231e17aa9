"""Faces with their emotions: FER2013 in all its forms, and synthetic faces.

Nothing is downloaded: ``load_*`` reads your files, ``make_faces`` draws its faces.
"""

from importlib import import_module

from ._emotions import EMOTIONS, class_names, emotion_label

# Imported at first use, so that EMOTIONS alone imports no pandas and no Pillow.
_EXPORTS = {
    "join_ferplus": "_ferplus",
    "load_fer2013": "_fer2013",
    "load_ferplus": "_ferplus",
    "load_image_folder": "_image_files",
    "load_soft_labels": "_soft_labels",
    "make_faces": "_faces",
    "read_face_image": "_image_files",
    "write_pixel_strings": "_fer2013",
}

__all__ = ["EMOTIONS", "class_names", "emotion_label"]
__all__ += sorted(_EXPORTS)


def __getattr__(name):
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_EXPORTS[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted([*globals(), *_EXPORTS])
