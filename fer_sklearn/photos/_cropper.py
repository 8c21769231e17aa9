"""FaceCropper: from photographs to faces."""

from numbers import Integral, Real

import numpy as np
from PIL import Image
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions

from ..datasets._faces import check_image_shape
from ..datasets._image_files import middle_box, to_face
from ._boxes import cut_frame, frame_of_face
from ._detection import find_faces
from ._face_crops import FaceCrops
from ._reading import list_photos, naming_photo, open_photo

# Pictures up to this side are faces: a detector needs more space around a face than
# they have. FER2013's have 48 pixels.
_FACE_SIDE = 64

# A picture in which no face was found counts as a face if it is this small, or up to
# this large and about square: faces are cut out as squares, photographs are not.
_SMALL_SIDE = 128
_SQUARE_SIDE = 512
_SQUARE_RATIO = 1.25


class FaceCropper(BaseEstimator):
    """Cut the faces out of photographs, as grey pictures such as FER2013's.

    A photograph may contain any number of faces, or none. `crop` gives all of them and
    says where each is from. The number of rows changes, so this is not a transformer:
    pass its result to a fitted pipeline, as in ``pipe.predict(cropper.crop(photos))``.

    Parameters
    ----------
    image_shape : tuple of two int, default=(48, 48)
        Height and width of the faces in pixels, as the model needs them.
    margin : float, default=0.03
        Margin on each side of the detector's box, as a fraction of its longer side. The
        default compensates for the detector's box, which is 0.94 to 0.96 of FER2013's
        frame; any margin from 0 to 0.1 gives the same accuracy. Beyond the border of
        the photograph, its border pixels repeat. A negative margin cuts closer.
    detector : callable, default=None
        Finds the faces, as for `detect_faces`. None is a `HaarFaceDetector`.
    min_face_size : int, default=None
        Side in pixels of the smallest face; smaller boxes are left out.
    cropped : bool or "auto", default="auto"
        Whether the pictures are faces already. True takes the middle of each picture
        and never calls the detector. False takes only what the detector finds. With
        "auto", a picture of up to 64 pixels a side is a face; larger ones are searched,
        and if nothing is found, the picture counts as the face if it has up to 128
        pixels a side, or up to 512 and is about square (one side at most 1.25 times
        the other). So a face-sized picture is never lost.

    See Also
    --------
    detect_faces : The boxes alone.
    predict_photos : From photographs to emotions.

    Examples
    --------
    >>> from fer_sklearn.photos import FaceCropper, make_photo
    >>> photos = [make_photo(n_faces=2, random_state=0), make_photo(random_state=1)]
    >>> crops = FaceCropper().crop(photos)
    >>> crops.images.shape
    (3, 48, 48)
    >>> crops.photo_indices.tolist()
    [0, 0, 1]

    A picture that is a face already needs no detector:

    >>> from fer_sklearn import PixelStringTransformer, make_faces
    >>> faces = PixelStringTransformer().transform(make_faces(2, random_state=0).data)
    >>> bool((FaceCropper().crop(list(faces)).images == faces).all())
    True
    """

    _parameter_constraints = {
        "image_shape": [tuple, list],
        "margin": [Interval(Real, -0.5, 4, closed="neither")],
        "detector": [None, callable],
        "min_face_size": [None, Interval(Integral, 1, None, closed="left")],
        "cropped": ["boolean", StrOptions({"auto"})],
    }

    def __init__(
        self,
        *,
        image_shape=(48, 48),
        margin=0.03,
        detector=None,
        min_face_size=None,
        cropped="auto",
    ):
        self.image_shape = image_shape
        self.margin = margin
        self.detector = detector
        self.min_face_size = min_face_size
        self.cropped = cropped

    def crop(self, X):
        """Cut out the faces of all photographs.

        Parameters
        ----------
        X : iterable of n_photos photographs
            Each as for `read_photo`: a path, an open file, a PIL image or an array of
            shape (height, width) or (height, width, 3).

        Returns
        -------
        crops : FaceCrops
            Can be used as an array of the faces. Has the attributes `images`, `boxes`,
            `photo_indices`, `scores` and `is_whole`.

        Raises
        ------
        FERError
            If a photograph cannot be read or a parameter cannot be used.
        MissingExtraError
            If OpenCV is needed and not installed.
        """
        self._validate_params()
        image_shape = check_image_shape(self.image_shape)
        images, boxes, scores, whole, counts = [], [], [], [], []
        for index, photo in enumerate(list_photos(X)):
            with naming_photo(index):
                image = open_photo(photo)
                found, found_scores, is_whole = self._find(image, image_shape)
            if is_whole:
                images.append(to_face(image, image_shape))
            else:
                images += self._cut(image, found, image_shape)
            boxes.append(found)
            scores.append(found_scores)
            whole += [is_whole] * len(found)
            counts.append(len(found))
        return FaceCrops(
            images=np.array(images, dtype=np.uint8).reshape(-1, *image_shape),
            boxes=np.concatenate([np.zeros((0, 4), dtype=np.int64), *boxes]),
            photo_indices=np.repeat(np.arange(len(counts)), counts),
            scores=np.concatenate([np.zeros(0), *scores]),
            is_whole=np.array(whole, dtype=bool),
            n_photos=len(counts),
        )

    def _find(self, image, image_shape):
        """Boxes, scores, and whether the picture itself is the face."""
        auto = self.cropped == "auto"
        if not self.cropped or (auto and max(image.size) > _FACE_SIDE):
            colours = np.asarray(image.convert("RGB"))
            boxes, scores = find_faces(colours, self.detector, self.min_face_size)
            if len(boxes) or not (auto and _about_a_face(*image.size)):
                return boxes, scores, False
        return np.array([middle_box(image.size, image_shape)]), np.full(1, np.nan), True

    def _cut(self, image, boxes, image_shape):
        grey = np.asarray(image.convert("L"))
        frames = [frame_of_face(box, self.margin, image_shape) for box in boxes]
        cuts = [cut_frame(grey, *frame) for frame in frames]
        return [to_face(Image.fromarray(cut), image_shape) for cut in cuts]


def _about_a_face(width, height):
    """Whether a picture in which no face was found counts as a face."""
    short, long = sorted((width, height))
    return long <= _SMALL_SIDE or (
        long <= _SQUARE_SIDE and long <= _SQUARE_RATIO * short
    )
