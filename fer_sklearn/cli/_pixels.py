"""Pixel strings of a file, with errors for people who type commands."""

from .._pixels import PixelStringTransformer
from ..exceptions import DataFileError, PixelStringError

_OTHER_SIZE = (
    "The model takes faces of that size; scale yours to it, or train a model on them."
)


def parse_pixels(path, strings, image_shape):
    """Read the pixel strings of a file as grey levels.

    Parameters
    ----------
    path : path-like
        The file, for messages.
    strings : Series of str
        Its faces.
    image_shape : "auto" or tuple of int
        Height and width of the faces.

    Returns
    -------
    ndarray of shape (n_faces, height, width), dtype uint8

    Raises
    ------
    DataFileError
        If a row is not a face; the message counts from 0.
    """
    try:
        return PixelStringTransformer(image_shape=image_shape).fit_transform(strings)
    except PixelStringError as error:
        if error.row is None:
            raise DataFileError(f"{path}: {error}") from error
        cure = _OTHER_SIZE if "image_shape" in error.cure else error.cure
        raise DataFileError(
            f"{path}: Row {error.row} (counted from 0) {error.reason}. {cure}"
        ) from error
