"""The faces in what people hand to ``predict``, some at a time."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import datasets, photos
from ..exceptions import FERError, MissingExtraError
from ._kinds import IMAGES, TABLES, VIDEOS
from ._pixels import parse_pixels

_ROWS_AT_ONCE = 512


@dataclass
class Source:
    """Some rows of a csv, a picture, or a frame of a video.

    Attributes
    ----------
    file : Path
    places : dict of str to sequence of int of length n_faces
        Where each face is in the file, counted from 0: its ``row`` in a csv, its
        ``frame`` in a video, which ``face`` of the picture or frame it is.
    images : ndarray of shape (n_faces, height, width), dtype uint8
        The faces as the model wants them.
    boxes : ndarray of shape (n_faces, 4), dtype int, or None
        Where they are in the picture: x, y, width, height; None for a csv.
    picture : ndarray of shape (height, width, 3), dtype uint8, or None
        The picture or frame itself, if it was to be kept.
    frame : int or None
        The frame's number in the video.
    done : float, default=1.0
        Share of the file that has been read with this; 0 where nobody knows.
    """

    file: Path
    places: dict
    images: np.ndarray
    boxes: np.ndarray | None = None
    picture: np.ndarray | None = None
    frame: int | None = None
    done: float = 1.0

    @property
    def picture_without_face(self):
        """Whether this is a whole picture in which no face was found."""
        return self.boxes is not None and self.frame is None and not len(self.images)


def find_files(inputs):
    """Find the files that `inputs` mean: each as it is, folders searched for images.

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
        if path.suffix.lower() in IMAGES
        and path.is_file()
        and not path.name.startswith(".")  # what file managers leave behind
    )


def has_pictures(files):
    """Whether any of `files` is a picture or a video, not a csv."""
    return any(path.suffix.lower() not in TABLES for path in files)


def place_columns(files):
    """Name the columns that say where a face is: those that any of `files` needs."""
    kinds = {path.suffix.lower() for path in files}
    needed = {"row": kinds & TABLES, "frame": kinds & VIDEOS, "face": kinds - TABLES}
    return [column for column, needing in needed.items() if needing]


class Reader:
    """Reads files of all kinds as faces of one shape.

    Parameters
    ----------
    image_shape : tuple of int
        Height and width of the faces that the model knows.
    cropped : bool, default=False
        Whether pictures are faces already, and none is searched for.
    every : float, default=None
        Seconds between the frames of a video that are looked at; None takes all.
    keep_pictures : bool, default=False
        Whether a source has its picture.
    """

    def __init__(self, image_shape, *, cropped=False, every=None, keep_pictures=False):
        self.image_shape = image_shape
        self.every = every
        self.keep_pictures = keep_pictures
        self._cropper = photos.FaceCropper(
            image_shape=image_shape, cropped=cropped or "auto"
        )

    def read(self, path):
        """Yield the `Source` objects of one file.

        Raises
        ------
        MissingExtraError
            If faces have to be searched for, and OpenCV is not installed.
        FERError, OSError
            If the file cannot be read.
        """
        suffix = path.suffix.lower()
        if suffix in TABLES:
            yield from self._read_table(path)
            return
        height, width = self.image_shape
        if height != width:
            raise FERError(
                f"This model wants faces of {height}x{width} pixels, and pictures give "
                "square ones; hand in a csv of pixels."
            )
        if suffix not in VIDEOS:
            yield self._find_faces(path, photos.read_photo(path))
            return
        for frame in photos.read_video(path, every=self.every):
            source = self._find_faces(path, frame.image)
            source.places["frame"] = [frame.index] * len(source.images)
            source.frame = frame.index
            source.done = 0.0
            yield source

    def _read_table(self, path):
        strings = datasets.load_fer2013(path).data
        images = parse_pixels(path, strings, self.image_shape)
        for start in range(0, len(images), _ROWS_AT_ONCE):
            chunk = images[start : start + _ROWS_AT_ONCE]
            end = start + len(chunk)
            yield Source(
                path, {"row": range(start, end)}, chunk, done=end / len(images)
            )

    def _find_faces(self, path, picture):
        try:
            crops = self._cropper.crop([picture])
        except MissingExtraError as error:
            raise MissingExtraError(
                f"{path}: {error}. With --cropped, each picture is taken as one face."
            ) from error
        kept = picture if self.keep_pictures else None
        faces = {"face": range(len(crops))}
        return Source(path, faces, crops.images, crops.boxes, kept)
