"""Pixel strings of a file, with errors for people who type commands."""

from .._pixels import PixelStringTransformer
from ..exceptions import DataFileError, PixelStringError

_IN_PYTHON = "If your faces have another size, set image_shape=(height, width)."
_IN_A_SHELL = (
    "The model takes faces of that size; scale yours to it, or train on them: "
    'fer-sklearn train --set "pixels__image_shape=(height, width)"'
)


def parse_pixels(path, strings, image_shape):
    """Read the pixel strings of a file as grey levels.

    Parameters
    ----------
    path : path-like
        The file, for messages.
    strings : Series of str
        Its faces.
    image_shape : tuple of int
        Height and width of the faces.

    Returns
    -------
    ndarray of shape (n_faces, height, width), dtype uint8

    Raises
    ------
    DataFileError
        If a row is no face; the message counts from 0.
    """
    try:
        return PixelStringTransformer(image_shape=image_shape).fit_transform(strings)
    except PixelStringError as error:
        text = str(error).replace(" of X ", " (counted from 0) ", 1)
        text = text.replace(_IN_PYTHON, _IN_A_SHELL)
        raise DataFileError(f"{path}: {text}") from error
