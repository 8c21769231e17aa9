"""Labelled faces from whatever people hand to ``train`` and ``evaluate``."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import datasets
from .._pixels import PixelStringTransformer
from ..datasets._image_files import USAGES
from ..exceptions import DataFileError
from ._kinds import IMAGES, VIDEOS, is_model
from ._pixels import parse_pixels


@dataclass
class LabelledFaces:
    """Faces that were read and checked.

    Attributes
    ----------
    images : ndarray of shape (n_faces, height, width), dtype uint8
    target : ndarray of shape (n_faces,)
        Labels: places in `target_names`.
    target_names : list of str
        What the labels are called.
    usage : ndarray of shape (n_faces,), dtype str, or None
        Training, PublicTest or PrivateTest, where the file says it.
    """

    images: np.ndarray
    target: np.ndarray
    target_names: list
    usage: np.ndarray | None

    def __len__(self):
        return len(self.target)

    def __getitem__(self, rows):
        usage = None if self.usage is None else self.usage[rows]
        return LabelledFaces(
            self.images[rows], self.target[rows], self.target_names, usage
        )

    @property
    def names(self):
        """The emotion of each face."""
        return np.asarray(self.target_names)[self.target]

    def uses(self):
        """Collect the words of the Usage column; none without one."""
        return set() if self.usage is None else set(self.usage.tolist())


def read_faces(path, image_shape="auto"):
    """Read a csv or a folder of images with all their checks.

    Parameters
    ----------
    path : path-like
        Whatever `load_fer2013` or `load_image_folder` reads.
    image_shape : "auto" or tuple of int
        Height and width of the faces; "auto" scales the images of a folder to 48x48.
    """
    _check_kind(path)
    if Path(path).is_dir():
        return _read_folder(path, (48, 48) if image_shape == "auto" else image_shape)
    bunch = datasets.load_fer2013(path)
    if bunch.target is None:
        raise DataFileError(
            f"{path} has no emotion column, so there is nothing to learn from or to "
            "compare with. Use: fer-sklearn predict"
        )
    images = parse_pixels(path, bunch.data, image_shape)
    return _label(images, bunch, bunch.usage)


def _check_kind(path):
    """Refuse what is something else by its ending, and say where it belongs."""
    wanted = "a csv of faces, or a folder of images with one folder an emotion"
    if is_model(str(path)):
        raise DataFileError(f"{path} is a model; give {wanted}.")
    if Path(path).is_file() and Path(path).suffix.lower() in IMAGES | VIDEOS:
        raise DataFileError(
            f"{path} is one picture or video, without labels; give {wanted}. To name "
            f"its emotion: fer-sklearn predict {path}"
        )


def _read_folder(path, image_shape):
    height, width = image_shape
    if height != width:
        raise DataFileError(
            f"Images of a folder become square faces, not {height}x{width}; "
            "use a csv of pixels."
        )
    bunch = datasets.load_image_folder(path, image_shape=image_shape)
    if bunch.usage is None:
        return _label(bunch.data, bunch, None)
    usage = [USAGES.get(part.casefold(), part) for part in bunch.usage]
    return _label(bunch.data, bunch, usage)


def draw_faces(n_faces, image_shape, seed):
    """Drawn faces, all emotions alike."""
    bunch = datasets.make_faces(n_faces, image_shape=image_shape, random_state=seed)
    images = PixelStringTransformer(image_shape=image_shape).fit_transform(bunch.data)
    return _label(images, bunch, None)


def _label(images, bunch, usage):
    usage = None if usage is None else np.asarray(usage, dtype=str)
    return LabelledFaces(images, np.asarray(bunch.target), bunch.target_names, usage)
