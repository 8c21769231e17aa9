"""FaceCropper: from photographs to faces."""

from numbers import Integral, Real

import numpy as np
from PIL import Image
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from ..datasets._image_files import to_face
from ._boxes import cut_square, face_square
from ._detection import find_faces
from ._face_crops import FaceCrops
from ._reading import list_photos, naming_photo, open_photo

# Pictures up to this side are faces: a detector needs more around a face than they
# hold. FER2013's have 48 pixels.
_FACE_SIDE = 64

# Pictures without a face that was found count as a face if they are this small, or up
# to this large and about square: people cut faces out as squares, and photographs are
# neither.
_SMALL_SIDE = 128
_SQUARE_SIDE = 512
_SQUARE_RATIO = 1.25


class FaceCropper(TransformerMixin, BaseEstimator):
    """Cut the faces out of photographs, as grey pictures such as FER2013's.

    Each photograph gives as many faces as are found in it, none included; `crop` says
    which face is from where, `transform` gives the faces alone, so that the cropper
    can be the first step of a pipeline. It learns nothing: both work without `fit`.

    Parameters
    ----------
    image_size : int, default=48
        Height and width of the faces in pixels, as the model wants them.
    margin : float, default=0.03
        How much of the box's side is added on each side of it. The default makes up
        for the detector's box, which is 0.94 to 0.96 of FER2013's frame; any margin
        from 0 to 0.1 gives the same accuracy. Beyond the border of the photograph the
        border's pixels repeat. Negative cuts closer.
    detector : callable, default=None
        What finds the faces, as for `detect_faces`. None is a `HaarFaceDetector`.
    min_face_size : int, default=None
        Side in pixels of the smallest face; smaller boxes are left out.
    cropped : bool or "auto", default="auto"
        Whether the pictures are faces already. True takes the square in the middle of
        each, no detector is asked. False takes what the detector finds and nothing
        else. With "auto" a picture of up to 64 pixels a side is a face; larger ones
        are searched, and if nothing is found the picture counts as the face where it
        has up to 128 pixels a side, or up to 512 and is about square (one side at
        most 1.25 times the other): a face-sized picture is never lost.

    See Also
    --------
    detect_faces : The boxes alone.
    predict_photos : From photographs to emotions.

    Examples
    --------
    >>> from fer_sklearn.photos import FaceCropper, make_photo
    >>> photos = [make_photo(n_faces=2, random_state=0), make_photo(random_state=1)]
    >>> FaceCropper().transform(photos).shape
    (3, 48, 48)
    >>> FaceCropper().crop(photos).photo_indices.tolist()
    [0, 0, 1]

    A picture that is a face already needs no detector:

    >>> from fer_sklearn import PixelStringTransformer, make_faces
    >>> faces = PixelStringTransformer().transform(make_faces(2, random_state=0).data)
    >>> bool((FaceCropper().transform(list(faces)) == faces).all())
    True
    """

    _parameter_constraints = {
        "image_size": [Interval(Integral, 1, None, closed="left")],
        "margin": [Interval(Real, -0.5, 4, closed="neither")],
        "detector": [None, callable],
        "min_face_size": [None, Interval(Integral, 1, None, closed="left")],
        "cropped": ["boolean", StrOptions({"auto"})],
    }

    def __init__(
        self,
        *,
        image_size=48,
        margin=0.03,
        detector=None,
        min_face_size=None,
        cropped="auto",
    ):
        self.image_size = image_size
        self.margin = margin
        self.detector = detector
        self.min_face_size = min_face_size
        self.cropped = cropped

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X=None, y=None):
        """Check the parameters; nothing is learnt.

        Parameters
        ----------
        X : iterable of photographs, default=None
            Not used.
        y : None
            Not used.

        Returns
        -------
        self : FaceCropper
        """
        return self

    def transform(self, X):
        """Cut out the faces of all photographs.

        Parameters
        ----------
        X : iterable of n_photos photographs
            Each as `read_photo` takes it: a path, an open file, a PIL image or an
            array of shape (height, width) or (height, width, 3).

        Returns
        -------
        images : ndarray of shape (n_faces, image_size, image_size), dtype uint8
            The faces, grey.

        Raises
        ------
        FERError
            If a photograph cannot be read or a parameter cannot be used.
        MissingExtraError
            If OpenCV is needed and not installed.
        """
        return self.crop(X).images

    def crop(self, X):
        """Cut out the faces of all photographs, and keep where each is from.

        Parameters
        ----------
        X : iterable of n_photos photographs
            As for `transform`.

        Returns
        -------
        crops : FaceCrops
            `images`, `boxes`, `photo_indices`, `scores` and `is_whole`.

        Raises
        ------
        FERError
            If a photograph cannot be read or a parameter cannot be used.
        MissingExtraError
            If OpenCV is needed and not installed.
        """
        self._validate_params()
        images, boxes, scores, whole, counts = [], [], [], [], []
        for index, photo in enumerate(list_photos(X)):
            with naming_photo(index):
                image = open_photo(photo)
                found, found_scores, is_whole = self._find(image)
            images += self._cut(image, found, is_whole)
            boxes.append(found)
            scores.append(found_scores)
            whole += [is_whole] * len(found)
            counts.append(len(found))
        size = self.image_size
        return FaceCrops(
            images=np.array(images, dtype=np.uint8).reshape(-1, size, size),
            boxes=np.concatenate([np.zeros((0, 4), dtype=np.int64), *boxes]),
            photo_indices=np.repeat(np.arange(len(counts)), counts),
            scores=np.concatenate([np.zeros(0), *scores]),
            is_whole=np.array(whole, dtype=bool),
            n_photos=len(counts),
        )

    def _find(self, image):
        """Boxes, scores, and whether the picture itself is the face."""
        auto = self.cropped == "auto"
        if not self.cropped or (auto and max(image.size) > _FACE_SIDE):
            colours = np.asarray(image.convert("RGB"))
            boxes, scores = find_faces(colours, self.detector, self.min_face_size)
            if len(boxes) or not (auto and _about_a_face(*image.size)):
                return boxes, scores, False
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        return np.array([[left, top, side, side]]), np.full(1, np.nan), True

    def _cut(self, image, boxes, is_whole):
        if is_whole:
            return [to_face(image, self.image_size)]
        grey = np.asarray(image.convert("L"))
        squares = [cut_square(grey, *face_square(box, self.margin)) for box in boxes]
        return [to_face(Image.fromarray(cut), self.image_size) for cut in squares]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.no_validation = True
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags


def _about_a_face(width, height):
    """Whether a picture without a face that was found counts as one."""
    short, long = sorted((width, height))
    return long <= _SMALL_SIDE or (
        long <= _SQUARE_SIDE and long <= _SQUARE_RATIO * short
    )
