"""FaceCropper: from photographs to faces."""

from numbers import Integral, Real

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions

from ._crop import crop_faces


class FaceCropper(BaseEstimator):
    """Cut the faces out of photographs, as grey pictures such as FER2013's.

    A photograph may contain any number of faces, or none. `crop` gives all of them and
    says where each is from. The number of rows changes, so this is not a transformer:
    pass its result to a fitted pipeline, as in ``pipe.predict(cropper.crop(photos))``.

    Parameters
    ----------
    image_shape : tuple of two int, default=(48, 48)
        Height and width of the faces in pixels, as the model needs them.
    margin : float, default=0
        Margin on each side of the detector's box, as a fraction of its longer side. The
        boxes of this package's detectors are 0.96 of FER2013's frame and need none;
        for a detector of your own, choose the margin that shows as much of a face as
        FER2013 does. Beyond the border of the photograph, its border pixels repeat. A
        negative margin cuts closer.
    detector : callable, default=None
        Finds the faces, as for `detect_faces`, which names the default.
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
        margin=0,
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
            If a detector is needed and none is installed.
        """
        self._validate_params()
        return crop_faces(X, **self.get_params(deep=False))
