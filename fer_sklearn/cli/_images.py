"""The faces in what people hand to ``predict``, one after another."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import datasets
from .._pixels import PixelStringTransformer
from ..exceptions import FERError

_TABLES = {".csv", ".gz", ".xz", ".zip", ".bz2"}
_IMAGES = set(".bmp .gif .jp2 .jpeg .jpg .pgm .png .ppm .tif .tiff .webp".split())


@dataclass
class Face:
    """A face to classify and where it is from."""

    file: str
    row: int | None  # from 0, in a csv
    image: np.ndarray


def find_files(inputs):
    """Files that `inputs` mean: each as it is, folders searched for images.

    Parameters
    ----------
    inputs : list of str
        Files and folders.

    Returns
    -------
    files : list of Path
        Images of a folder in the order of their names.
    empty : list of Path
        Folders without any image.
    """
    files, empty = [], []
    for path in map(Path, inputs):
        found = _search(path) if path.is_dir() else [path]
        files += found
        if not found:
            empty.append(path)
    return files, empty


def _search(folder):
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in _IMAGES
        and path.is_file()
        and not path.name.startswith(".")  # what file managers leave behind
    )


def read_file(path, image_shape):
    """Read the faces of one file.

    Parameters
    ----------
    path : Path
        A csv with a pixels column, or an image of a face.
    image_shape : tuple of int
        Height and width of the faces that the model knows.

    Returns
    -------
    faces : list of Face
    """
    if path.suffix.lower() in _TABLES:
        strings = datasets.load_fer2013(path).data
        parser = PixelStringTransformer(image_shape=image_shape)
        images = parser.fit_transform(strings)
        return [Face(str(path), row, image) for row, image in enumerate(images)]
    height, width = image_shape
    if height != width:
        raise FERError(
            f"{path}: this model wants faces of {height}x{width} pixels, and image "
            "files become square; hand in a csv of pixels."
        )
    return [Face(str(path), None, datasets.read_face_image(path, image_size=height))]
