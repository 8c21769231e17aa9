"""Pure functions on boxes: x, y, width, height in pixels, a row a face."""

from numbers import Integral

import numpy as np

from ..exceptions import FERError


def as_boxes(boxes):
    """Check boxes and round them to pixels.

    Parameters
    ----------
    boxes : array-like of shape (n_faces, 4)
        x, y, width, height; None and an empty list are no faces.

    Returns
    -------
    boxes : ndarray of shape (n_faces, 4), dtype int64

    Raises
    ------
    FERError
        If these are not finite boxes with a width and a height.
    """
    if boxes is None or len(boxes) == 0:
        return np.zeros((0, 4), dtype=np.int64)
    try:
        boxes = np.asarray(boxes, dtype=float)
    except (TypeError, ValueError):
        boxes = np.zeros(0)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise FERError(
            "Boxes are rows of four numbers, x, y, width, height; these have shape "
            f"{boxes.shape}."
        )
    # Beyond this no picture reaches, and sums of such numbers would overflow.
    bad = ~(np.abs(boxes) < 2**31).all(axis=1) | (boxes[:, 2:].round() < 1).any(axis=1)
    if bad.any():
        row = int(bad.argmax())
        raise FERError(
            f"Box {row} is {boxes[row].tolist()}, expected finite x, y, width, height "
            "with a width and a height of at least a pixel."
        )
    return np.rint(boxes).astype(np.int64)


def check_min_face_size(min_face_size):
    """Refuse what is no size in pixels."""
    if min_face_size is None:
        return
    if not isinstance(min_face_size, Integral) or min_face_size < 1:
        raise FERError(
            f"min_face_size is {min_face_size!r}, expected a number of pixels or None."
        )


def largest_first(boxes):
    """Order of the boxes by area, and from left to right where equal."""
    return np.lexsort((boxes[:, 1], boxes[:, 0], -boxes[:, 2] * boxes[:, 3]))


def drop_inner_boxes(boxes):
    """Rows of the boxes of which at most half lies in a larger one, largest first.

    A mouth or an eye that looks like a small face lies inside the box of the face.
    """
    keep = []
    for row in largest_first(boxes):
        if not len(keep) or shared_areas(boxes[row], boxes[keep]).max() <= 0.5:
            keep.append(row)
    return np.array(keep, dtype=np.intp)


def shared_areas(box, others):
    """Tell the share of `box` that each of the others covers, from 0 to 1."""
    start = np.maximum(box[:2], others[:, :2])
    end = np.minimum(box[:2] + box[2:], others[:, :2] + others[:, 2:])
    return np.clip(end - start, 0, None).prod(axis=1) / box[2:].prod()


def inside(boxes, width, height):
    """Rows of the boxes whose centre lies in the picture."""
    centre = boxes[:, :2] + boxes[:, 2:] / 2
    return ((centre >= 0) & (centre < [width, height])).all(axis=1)


def face_square(box, margin):
    """Left, top and side of the square that is cut out for a box."""
    x, y, width, height = box.tolist()
    side = max(1, round(max(width, height) * (1 + 2 * margin)))
    return round(x + (width - side) / 2), round(y + (height - side) / 2), side


def cut_square(grey, left, top, side):
    """Cut a square; beyond the border the border's pixels repeat."""
    height, width = grey.shape
    rows = np.clip(np.arange(top, top + side), 0, height - 1)
    columns = np.clip(np.arange(left, left + side), 0, width - 1)
    return grey[np.ix_(rows, columns)]
