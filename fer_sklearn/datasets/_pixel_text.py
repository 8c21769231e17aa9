"""Grey levels written as text, the way fer2013.csv holds them."""

import sys

import numpy as np

__all__ = ["write_pixel_strings"]

# Every level's text and a blank, in the four bytes of one number: a row is written
# by one look-up a pixel, and the unused bytes are deleted afterwards.
_LEVEL_TEXT = np.array(
    [
        int.from_bytes(f"{level} ".encode().ljust(4, b"\0"), sys.byteorder)
        for level in range(256)
    ],
    dtype=np.uint32,
)


def write_pixel_strings(images):
    """Write images as strings of grey levels, one string an image.

    Parameters
    ----------
    images : array of shape (n_samples, ...), uint8
        The grey levels; all axes but the first are written in C order.

    Returns
    -------
    list of str
        Grey levels 0 to 255 with one blank between two of them.

    Raises
    ------
    TypeError
        If `images` is not uint8.

    Examples
    --------
    >>> import numpy as np
    >>> from fer_sklearn.datasets import write_pixel_strings
    >>> write_pixel_strings(np.array([[[0, 7], [42, 255]]], dtype=np.uint8))
    ['0 7 42 255']
    """
    images = np.asarray(images)
    if images.dtype != np.uint8:
        raise TypeError(f"images must be uint8 grey levels, got {images.dtype}.")
    return [_write_row(image) for image in images]


def _write_row(image):
    text = _LEVEL_TEXT[image.ravel()].tobytes().translate(None, b"\0")
    return text[:-1].decode("ascii")
