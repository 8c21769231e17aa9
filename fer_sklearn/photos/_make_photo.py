"""make_photo: synthetic photographs for tests, examples and docs."""

from numbers import Integral

import numpy as np
from scipy import ndimage
from sklearn.utils import check_random_state

from .._pixels import PixelStringTransformer
from ..datasets import make_faces
from ..exceptions import FERError

# Red, green and blue of a face, as shares of its grey level.
_SKIN = np.array([1.1, 0.97, 0.88])


def make_photo(
    n_faces=1, *, image_shape=(360, 480), random_state=None, return_boxes=False
):
    """Make a synthetic photograph: faces in a row, in front of a blurred background.

    The faces are those of :func:`fer_sklearn.datasets.make_faces`, as large as they
    fit. The default detector finds nearly all of them.

    Parameters
    ----------
    n_faces : int, default=1
        Number of faces, 0 to 6.
    image_shape : tuple of two int, default=(360, 480)
        Height and width of the photograph in pixels, at least 64 for each face.
    random_state : int, RandomState instance or None, default=None
        Seed of the faces and of the background.
    return_boxes : bool, default=False
        Whether to return the boxes of the faces, too.

    Returns
    -------
    photo : ndarray of shape (height, width, 3), dtype uint8
        RGB.
    boxes : ndarray of shape (n_faces, 4), dtype int64
        x, y, width, height of each face with its surroundings, from left to right.
        Only if `return_boxes`.

    Raises
    ------
    FERError
        If the faces do not fit.

    See Also
    --------
    fer_sklearn.datasets.make_faces : Make synthetic faces in the form of FER2013.

    Examples
    --------
    >>> from fer_sklearn.photos import make_photo
    >>> photo, boxes = make_photo(2, random_state=0, return_boxes=True)
    >>> photo.shape, len(boxes)
    ((360, 480, 3), 2)
    """
    height, width = image_shape
    _check_request(n_faces, height, width)
    rng = check_random_state(random_state)
    photo = _wall(height, width, rng)
    boxes = np.zeros((n_faces, 4), dtype=np.int64)
    side = int(min(0.7 * height, 0.9 * width / max(n_faces, 1)))
    for place, face in enumerate(_faces(n_faces, side, rng)):
        x = int((place + 0.5) * width / n_faces - side / 2)
        y = rng.randint((height - side) // 3, height - side - (height - side) // 3 + 1)
        window = photo[y : y + side, x : x + side]
        head = _head_mask(side)[:, :, None]
        window[:] = head * (_SKIN * face[:, :, None]) + (1 - head) * window
        boxes[place] = x, y, side, side
    photo = np.rint(photo).clip(0, 255).astype(np.uint8)
    return (photo, boxes) if return_boxes else photo


def _check_request(n_faces, height, width):
    if not isinstance(n_faces, Integral) or not 0 <= n_faces <= 6:
        raise FERError(f"n_faces is {n_faces!r}, expected a number from 0 to 6.")
    if height < 64 or width < 64 * max(n_faces, 1):
        raise FERError(
            f"image_shape is ({height}, {width}), too small for {n_faces} faces; "
            f"expected at least (64, {64 * max(n_faces, 1)})."
        )


def _faces(n_faces, side, rng):
    if not n_faces:
        return []
    faces = make_faces(n_faces, image_shape=(side, side), noise=0.01, random_state=rng)
    return PixelStringTransformer(image_shape=(side, side)).transform(faces.data)


def _wall(height, width, rng):
    """Draw a background of soft patches of light."""
    coarse = rng.uniform(120, 180, size=(4, 6, 3))
    zoom = (height / 4, width / 6, 1)
    return ndimage.zoom(coarse, zoom, order=1, mode="nearest", grid_mode=True)


def _head_mask(side):
    """Weight of a face's picture: 1 on the head, fading out around it."""
    axis = np.linspace(-1, 1, side)
    radius = np.hypot.outer(axis / 1.05, axis / 0.95)
    return ((1.02 - radius) / 0.06).clip(0, 1)
