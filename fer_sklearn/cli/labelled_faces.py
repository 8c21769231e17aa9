"""Labelled faces from the DATA that `train` and `evaluate` are given."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import _pixel_strings, datasets
from .._predict_file import Part
from ..datasets._image_files import USAGES
from ..exceptions import DataFileError, PixelStringError
from .run_folder import IMAGES, VIDEOS, is_model


@dataclass
class LabelledFaces:
    """Faces that were read and checked.

    Attributes
    ----------
    images : ndarray of shape (n_faces, height, width), dtype uint8
    target : ndarray of shape (n_faces,)
        Labels: indices into `target_names`.
    target_names : list of str
        Names of the labels.
    usage : ndarray of shape (n_faces,), dtype str, or None
        Training, PublicTest or PrivateTest, if the data says so.
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
        """Return the set of values in the Usage column; empty without the column."""
        return set() if self.usage is None else set(self.usage.tolist())


def read_faces(path, image_shape="auto"):
    """Read and check a csv, or a folder of images.

    Parameters
    ----------
    path : path-like
        Anything that `load_fer2013` or `load_image_folder` reads.
    image_shape : "auto" or tuple of int
        Height and width of the faces. "auto" takes the size of the faces of a csv, and
        scales the images of a folder to 48x48.
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
    images = read_pixels(Part(path, bunch.data, start=0), image_shape)
    return _label(images, bunch, bunch.usage)


def _check_kind(path):
    """Raise an error for files of other kinds that says which command takes them."""
    wanted = "a csv of faces, or a folder of images with one folder per emotion"
    if is_model(path):
        raise DataFileError(f"{path} is a model; give {wanted}.")
    if Path(path).is_file() and Path(path).suffix.lower() in IMAGES | VIDEOS:
        raise DataFileError(
            f"{path} is one picture or video, without labels; give {wanted}. To name "
            f"its emotion: fer-sklearn predict {path}"
        )


def read_pixels(part, image_shape):
    """Read the pixel strings of a `Part`; errors name the row of the file."""
    try:
        return _pixel_strings.read_faces(part.X, image_shape)
    except PixelStringError as error:
        raise part.locate(error) from error


def _read_folder(path, image_shape):
    bunch = datasets.load_image_folder(path, image_shape=image_shape)
    if bunch.usage is None:
        return _label(bunch.data, bunch, None)
    usage = [USAGES.get(part.casefold(), part) for part in bunch.usage]
    return _label(bunch.data, bunch, usage)


def synthetic_faces(n_faces, image_shape, seed):
    """Make synthetic faces, the same number for each emotion."""
    bunch = datasets.make_faces(n_faces, image_shape=image_shape, random_state=seed)
    images = _pixel_strings.read_faces(bunch.data, image_shape)
    return _label(images, bunch, None)


def _label(images, bunch, usage):
    usage = None if usage is None else np.asarray(usage, dtype=str)
    return LabelledFaces(images, np.asarray(bunch.target), bunch.target_names, usage)
