"""Pure functions on boxes: x, y, width, height in pixels, one row per face."""

from numbers import Integral

import numpy as np

from ..exceptions import FERError

# In two frames of a video, boxes that overlap less are different faces. A face that
# moves by two thirds of its width has an overlap of 1/3 : 5/3 = 0.2.
MIN_OVERLAP = 0.2


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
    # No picture is this large, and sums of such numbers would overflow.
    bad = ~(np.abs(boxes) < 2**31).all(axis=1) | (boxes[:, 2:].round() < 1).any(axis=1)
    if bad.any():
        row = int(bad.argmax())
        raise FERError(
            f"Box {row} is {boxes[row].tolist()}, expected finite x, y, width, height "
            "with a width and a height of at least a pixel."
        )
    return np.rint(boxes).astype(np.int64)


def check_min_face_size(min_face_size):
    """Check a size in pixels."""
    if min_face_size is None:
        return
    if not isinstance(min_face_size, Integral) or min_face_size < 1:
        raise FERError(
            f"min_face_size is {min_face_size!r}, expected a number of pixels or None."
        )


def largest_first(boxes):
    """Order of the boxes: by area, then from left to right."""
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


def overlaps(boxes, others):
    """Give the intersection over union of each box and each of the others."""
    areas = others[:, 2:].prod(axis=1)
    rows = []
    for box in boxes:
        own = box[2:].prod()
        shared = shared_areas(box, others) * own
        rows.append(shared / (own + areas - shared))
    return np.array(rows)


def inside(boxes, width, height):
    """Rows of the boxes whose centre lies in the picture."""
    centre = boxes[:, :2] + boxes[:, 2:] / 2
    return ((centre >= 0) & (centre < [width, height])).all(axis=1)


def frame_of_face(box, margin, image_shape):
    """Box to cut out for a face: left, top, width and height.

    It has the centre of `box` and the proportions of `image_shape`, (height, width) of
    the faces. Its shorter side is the longer side of `box` with the margin on both
    sides, so that all of the face is in it.
    """
    # A box of 100x80 at (40, 50) with a margin of 0.1 has a side of 100 * 1.2 = 120.
    # For faces of 48x48 the frame is 120x120 at (30, 30); for faces of 60 rows and 48
    # columns it has 120 columns and 120 * 60 / 48 = 150 rows, at (30, 15).
    x, y, width, height = box.tolist()
    rows, columns = image_shape
    side, short = max(width, height) * (1 + 2 * margin), min(rows, columns)
    wide = max(1, round(side * (columns / short)))
    high = max(1, round(side * (rows / short)))
    return round(x + (width - wide) / 2), round(y + (height - high) / 2), wide, high


def cut_frame(grey, left, top, width, height):
    """Cut out a box; beyond the border of the picture, its border pixels repeat."""
    rows = np.clip(np.arange(top, top + height), 0, grey.shape[0] - 1)
    columns = np.clip(np.arange(left, left + width), 0, grey.shape[1] - 1)
    return grey[np.ix_(rows, columns)]
