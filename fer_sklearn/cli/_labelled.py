"""Labelled faces from whatever people hand to ``train`` and ``evaluate``."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import datasets
from .._pixels import PixelStringTransformer
from ..exceptions import DataFileError


@dataclass
class LabelledFaces:
    """Faces that were read and checked.

    Attributes
    ----------
    images : ndarray of shape (n_faces, height, width), dtype uint8
    target : ndarray of shape (n_faces,)
        Labels, 0 to 6.
    names : ndarray of shape (n_faces,), dtype str
        The emotions of `target`.
    usage : ndarray of shape (n_faces,), dtype str, or None
        Training, PublicTest or PrivateTest, where the file says it.
    """

    images: np.ndarray
    target: np.ndarray
    names: np.ndarray
    usage: np.ndarray | None

    def __len__(self):
        return len(self.target)

    def __getitem__(self, rows):
        usage = None if self.usage is None else self.usage[rows]
        return LabelledFaces(
            self.images[rows], self.target[rows], self.names[rows], usage
        )

    def uses(self):
        """The distinct words of the Usage column; empty without one."""
        return set() if self.usage is None else set(self.usage.tolist())


def read_faces(path, image_shape=(48, 48)):
    """Read a csv or a folder of images with all their checks.

    Parameters
    ----------
    path : path-like
        Whatever `load_fer2013` reads, or a folder with a folder for each emotion.
    image_shape : tuple of int
        Height and width of the faces.
    """
    path = Path(path)
    if path.is_dir():
        return _read_folder(path, image_shape)
    bunch = datasets.load_fer2013(path)
    if bunch.target is None:
        raise DataFileError(
            f"{path} has no emotion column, so there is nothing to compare with. "
            "Use: fer-sklearn predict"
        )
    images = PixelStringTransformer(image_shape=image_shape).fit_transform(bunch.data)
    return _label(images, bunch, bunch.usage)


def _read_folder(path, image_shape):
    parts = [(use, path / name) for name, use in _PARTS if (path / name).is_dir()]
    if not parts:
        return _read_emotion_folders(path, image_shape, None)
    faces = [_read_emotion_folders(part, image_shape, use) for use, part in parts]
    columns = [[getattr(f, name) for f in faces] for name in faces[0].__annotations__]
    return LabelledFaces(*map(np.concatenate, columns))


# The folder form of the data set as it goes round, and the split that each part is.
_PARTS = (
    ("train", "Training"),
    ("validation", "PublicTest"),
    ("val", "PublicTest"),
    ("test", "PublicTest"),
)


def _read_emotion_folders(path, image_shape, use):
    height, width = image_shape
    if height != width:
        raise DataFileError(
            f"Images of a folder become square faces, not {height}x{width}; "
            "use a csv of pixels."
        )
    bunch = datasets.load_image_folder(path, image_size=height)
    usage = None if use is None else np.full(len(bunch.target), use)
    return _label(bunch.data, bunch, usage)


def draw_faces(n_faces, image_shape, seed):
    """Drawn faces, all emotions alike."""
    bunch = datasets.make_faces(n_faces, image_size=image_shape[0], random_state=seed)
    images = PixelStringTransformer(image_shape=image_shape).fit_transform(bunch.data)
    return _label(images, bunch, None)


def _label(images, bunch, usage):
    target = np.asarray(bunch.target)
    names = np.asarray(bunch.target_names)[target]
    usage = None if usage is None else np.asarray(usage, dtype=str)
    return LabelledFaces(images, target, names, usage)


def unseen_rows(images, others):
    """Which of `images` stand nowhere in `others`, pixel for pixel.

    Parameters
    ----------
    images, others : ndarray of shape (n, height, width), dtype uint8

    Returns
    -------
    unseen : ndarray of shape (n,), dtype bool
    """
    seen = {image.tobytes() for image in others}
    return np.array([image.tobytes() not in seen for image in images], dtype=bool)
