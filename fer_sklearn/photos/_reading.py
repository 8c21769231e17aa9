"""A photograph in whatever form it is handed in, as an array of colours."""

import os
from contextlib import contextmanager

import numpy as np

from ..datasets._image_files import open_image, ready_image
from ..exceptions import FERError, MissingExtraError


def read_photo(photo):
    """Read one photograph as RGB.

    Files are read as :func:`fer_sklearn.datasets.read_face_image` does: turned as
    their EXIF data says, whatever their mode, and refused before anything is decoded
    if they are larger than 64 million pixels.

    Parameters
    ----------
    photo : path-like, binary file object, PIL image or ndarray
        An array has shape (height, width), (height, width, 1) grey,
        (height, width, 3) RGB or (height, width, 4) RGB with alpha, and integer
        levels from 0 to 255. OpenCV's BGR arrays have to be turned around first.

    Returns
    -------
    image : ndarray of shape (height, width, 3), dtype uint8
        RGB, 0 is black.

    Raises
    ------
    ImageFileError
        If a file is empty, cut off, not an image or too large.
    FERError
        If this is not a photograph, or an array of another shape or range.
    OSError
        If the file is missing or may not be read.

    See Also
    --------
    read_video : The frames of a video.

    Examples
    --------
    >>> import numpy as np
    >>> from fer_sklearn.photos import read_photo
    >>> read_photo(np.full((20, 30), 7)).shape
    (20, 30, 3)
    >>> read_photo(np.full((20, 30), 0.5))
    Traceback (most recent call last):
    ...
    fer_sklearn.exceptions.FERError: The photo is an array of float64, expected \
integers from 0 to 255. If its levels go from 0 to 1: (255 * photo).astype("uint8").
    """
    return np.array(open_photo(photo).convert("RGB"))


def open_photo(photo):
    """Open one photograph, as for `read_photo`.

    Returns
    -------
    PIL.Image.Image
        Mode L or RGB.
    """
    from PIL import Image

    if isinstance(photo, Image.Image):
        return ready_image(photo, getattr(photo, "filename", "") or "the photo")
    if isinstance(photo, (str, os.PathLike)) or hasattr(photo, "read"):
        return open_image(photo)
    if isinstance(photo, np.ndarray):
        return ready_image(Image.fromarray(_as_levels(photo)), "the photo")
    raise FERError(
        f"A photo is a path, an open file, a PIL image or an array; this is "
        f"{type(photo).__name__}."
    )


def list_photos(photos):
    """Check that photos are several, and give them one by one.

    Parameters
    ----------
    photos : iterable
        What `FaceCropper` is handed.

    Returns
    -------
    iterator
    """
    single = isinstance(photos, (str, bytes, os.PathLike)) or hasattr(photos, "read")
    single |= hasattr(photos, "convert") or getattr(photos, "ndim", 3) == 2
    # A single RGB picture, not frames that are three pixels wide.
    single |= getattr(photos, "ndim", 0) == 3 and photos.shape[-1] in (3, 4)
    if single or not hasattr(photos, "__iter__"):
        raise FERError("X is one photo, expected several. Put it into a list: [photo].")
    return iter(photos)


@contextmanager
def naming_photo(index):
    """Say in errors which of several photographs is meant."""
    try:
        yield
    except MissingExtraError:
        raise
    except FERError as error:
        raise type(error)(f"Photo {index} of X: {error}") from error


def _as_levels(array):
    if array.dtype.kind not in "iu":
        raise FERError(
            f"The photo is an array of {array.dtype}, expected integers from 0 to 255. "
            'If its levels go from 0 to 1: (255 * photo).astype("uint8").'
        )
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise FERError(
            f"The photo is an array of shape {array.shape}, expected (height, width), "
            "(height, width, 3) or (height, width, 4)."
        )
    if array.size == 0:
        raise FERError(f"The photo is an array of shape {array.shape}: it is empty.")
    low, high = array.min(), array.max()
    if low < 0 or high > 255:
        raise FERError(
            f"The photo has levels from {low} to {high}, expected 0 to 255. Scale them "
            "first; levels of 16 bits by (photo // 257).astype('uint8')."
        )
    return np.ascontiguousarray(array, dtype=np.uint8)
