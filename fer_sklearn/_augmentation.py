"""RandomAffineAugmenter: random variations of training images."""

from numbers import Integral, Real

import joblib
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from ._augmented_images import AugmentedImages
from ._callback_support import CallbackSupportMixin, fit_task
from ._image_ops import FILL_MODES, TORCH_FILL_MODES, check_images
from .exceptions import FERError

__all__ = ["RandomAffineAugmenter"]


class RandomAffineAugmenter(
    CallbackSupportMixin, TransformerMixin, BaseEstimator, auto_wrap_output_keys=None
):
    """Rotate, shift, shear, zoom, mirror and erase training images at random.

    `fit_transform`, which a pipeline calls in `fit`, returns a lazy
    :class:`~fer_sklearn.AugmentedImages`: the classifier asks it for new variations in
    each epoch, and `np.asarray` makes one variation for any other estimator.
    `transform`, which a pipeline calls in `predict`, returns the images as they are.

    Names and meanings are those of Keras' ``ImageDataGenerator``. All changes to an
    image are combined into one affine map, so that it is interpolated once, by
    :func:`scipy.ndimage.affine_transform`.

    Parameters
    ----------
    rotation_range : float, default=15
        Largest rotation in degrees, to either side.
    width_shift_range : float, default=0.1
        Largest horizontal shift as a fraction of the width, to either side.
    height_shift_range : float, default=0.1
        Largest vertical shift as a fraction of the height, to either side.
    shear_range : float, default=8
        Largest shear angle in degrees, to either side.
    zoom_range : float or pair of float, default=0.15
        Range of the zoom factor: a fraction z stands for (1 - z, 1 + z). Height and
        width have separate factors. A face appears larger below 1, smaller above.
    horizontal_flip : bool, default=True
        Whether a random half of the images is mirrored left to right.
    fill_mode : {"nearest", "constant", "reflect", "wrap"}, default="nearest"
        What is seen beyond the edges: the pixels of the edge (``aaaa|abcd|dddd``),
        `cval` (``kkkk|abcd|kkkk``), the mirror image (``dcba|abcd|dcba``) or the image
        again (``abcd|abcd|abcd``).
    cval : float, default=0.0
        Grey level beyond the edges with `fill_mode="constant"`.
    interpolation_order : int, default=1
        Order of the spline between pixels, 0 to 5: 0 takes the nearest pixel, 1 is
        linear, 3 is cubic, sharper and several times slower.
    erasing_probability : float, default=0.25
        Share of the images in which a rectangle is painted over with a grey level
        of the image, so that no part of a face decides alone. 0 turns it off.
    erasing_scale : pair of float, default=(0.02, 0.2)
        Smallest and largest area of the rectangle as a fraction of the image.
    erasing_ratio : pair of float, default=(0.3, 3.3)
        Smallest and largest height of the rectangle divided by its width.
    backend : {"scipy", "torch"}, default="scipy"
        What interpolates: :func:`scipy.ndimage.affine_transform`, or
        :func:`torch.nn.functional.grid_sample`, which is several times as fast. The
        random variations are the same and the grey levels equal up to rounding.
        ``"torch"`` needs ``interpolation_order=1`` and cannot do
        ``fill_mode="wrap"``.
    n_jobs : int, default=None
        Number of threads; None means 1, -1 all processors. It does not change the
        images.
    random_state : int, RandomState instance or None, default=None
        Seed of the random variations. An int gives the same images in every fit.

    Attributes
    ----------
    image_shape_ : tuple of two int
        Height and width of the images in pixels.
    n_features_in_ : int
        Pixels in an image.
    feature_names_in_ : ndarray of str of shape (n_pixels,)
        Names of the columns, where X was a data frame.

    See Also
    --------
    PixelStringTransformer : The step before.
    FERClassifier : The step after, which asks for new variations in each epoch.

    Notes
    -----
    A variation depends only on the seed, the epoch and the row of the image. The
    rectangles follow Zhong et al. [1]_.

    On a CPU, interpolation by scipy takes 1 to 2 % of the time of a training epoch of
    ``"compact"``. ``backend="torch"`` is for trainings on a GPU, which would otherwise
    wait for their images.

    The settings of the classic Keras scripts for FER2013 are
    ``RandomAffineAugmenter(rotation_range=15, width_shift_range=0.15,
    height_shift_range=0.15, shear_range=0.15, zoom_range=0.15,
    erasing_probability=0)``. Note that Keras reads the 0.15 of the shear as degrees.

    References
    ----------
    .. [1] Z. Zhong, L. Zheng, G. Kang, S. Li and Y. Yang, "Random Erasing Data
       Augmentation", AAAI 2020.

    Examples
    --------
    >>> from fer_sklearn import PixelStringTransformer, RandomAffineAugmenter
    >>> from fer_sklearn import make_faces
    >>> faces = make_faces(8, image_shape=(16, 16), random_state=0)
    >>> images = PixelStringTransformer(image_shape=(16, 16)).transform(faces.data)
    >>> augmenter = RandomAffineAugmenter(rotation_range=10, random_state=0)
    >>> view = augmenter.fit_transform(images)
    >>> view.sample([0, 1, 2], epoch=5).shape
    (3, 16, 16)

    Predictions see the images as they are:

    >>> bool((augmenter.transform(images) == images).all())
    True
    """

    _parameter_constraints = {
        "rotation_range": [Interval(Real, 0, 180, closed="both")],
        "width_shift_range": [Interval(Real, 0, 1, closed="left")],
        "height_shift_range": [Interval(Real, 0, 1, closed="left")],
        "shear_range": [Interval(Real, 0, 90, closed="left")],
        "zoom_range": [Interval(Real, 0, 1, closed="left"), tuple, list],
        "horizontal_flip": ["boolean"],
        "fill_mode": [StrOptions(set(FILL_MODES))],
        "cval": [Interval(Real, None, None, closed="neither")],
        "interpolation_order": [Interval(Integral, 0, 5, closed="both")],
        "erasing_probability": [Interval(Real, 0, 1, closed="both")],
        "erasing_scale": [tuple, list],
        "erasing_ratio": [tuple, list],
        "backend": [StrOptions({"scipy", "torch"})],
        "n_jobs": [None, Integral],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        rotation_range=15,
        width_shift_range=0.1,
        height_shift_range=0.1,
        shear_range=8,
        zoom_range=0.15,
        horizontal_flip=True,
        fill_mode="nearest",
        cval=0.0,
        interpolation_order=1,
        erasing_probability=0.25,
        erasing_scale=(0.02, 0.2),
        erasing_ratio=(0.3, 3.3),
        backend="scipy",
        n_jobs=None,
        random_state=None,
    ):
        self.rotation_range = rotation_range
        self.width_shift_range = width_shift_range
        self.height_shift_range = height_shift_range
        self.shear_range = shear_range
        self.zoom_range = zoom_range
        self.horizontal_flip = horizontal_flip
        self.fill_mode = fill_mode
        self.cval = cval
        self.interpolation_order = interpolation_order
        self.erasing_probability = erasing_probability
        self.erasing_scale = erasing_scale
        self.erasing_ratio = erasing_ratio
        self.backend = backend
        self.n_jobs = n_jobs
        self.random_state = random_state

    @fit_task
    def fit(self, X, y=None):
        """Check the parameters and learn the size of the images.

        Parameters
        ----------
        X : ndarray of shape (n_samples, height, width) or (n_samples, n_features)
            Images as grey levels of uint8, float32 or float64; other dtypes become
            float32. Rows of features are square images if their number is a square,
            and images of one row otherwise.
        y : None
            Ignored.

        Returns
        -------
        self : RandomAffineAugmenter
            The fitted augmenter.

        Raises
        ------
        FERError
            If a range is not a pair (low, high) with low <= high, or `backend` cannot
            do the `interpolation_order` or `fill_mode`.
        ValueError
            If X is not an array of finite numbers with at least one row, or a parameter
            is out of its range.
        """
        self._fit(X)
        return self

    @fit_task
    def fit_transform(self, X, y=None):
        """Give a view of X with new random variations in each epoch.

        Parameters
        ----------
        X : ndarray of shape (n_samples, height, width) or (n_samples, n_features)
            Training images, as in `fit`.
        y : None
            Ignored.

        Returns
        -------
        view : AugmentedImages of shape (n_samples, height, width) or \
(n_samples, n_features)
            The images, with a method `sample(indices, epoch)`; `np.asarray` samples
            once.
        """
        X = self._fit(X)
        seed = int(check_random_state(self.random_state).randint(2**31))
        return AugmentedImages(
            X,
            image_shape=self.image_shape_,
            settings=self._settings(),
            seed=seed,
            n_threads=_n_threads(self.n_jobs),
        )

    def transform(self, X):
        """Return the images as they are: only training images are augmented.

        Parameters
        ----------
        X : ndarray of shape (n_samples, height, width) or (n_samples, n_features)
            Images of the size seen in `fit`.

        Returns
        -------
        X : ndarray of the same shape
            The same images.

        Raises
        ------
        FERError
            If the images have another size than those seen in `fit`.
        """
        check_is_fitted(self)
        return check_images(self, X, reset=False)

    def set_output(self, *, transform=None):
        """Accept any choice and ignore it.

        A pipeline with this step thus accepts `set_output`, although a lazy view cannot
        be a data frame.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            Ignored.

        Returns
        -------
        self : RandomAffineAugmenter
            The augmenter itself.
        """
        return self

    def get_feature_names_out(self, input_features=None):
        """Name the columns of the output, which are those of the input.

        Parameters
        ----------
        input_features : array-like of str of shape (n_pixels,), default=None
            Names of the columns of X; None takes those seen in `fit`, or x0, x1, ...

        Returns
        -------
        names : ndarray of object of shape (n_pixels,)
            The names.
        """
        check_is_fitted(self)
        return _check_feature_names_in(self, input_features)

    @_fit_context(prefer_skip_nested_validation=True)
    def _fit(self, X):
        self._settings()
        return check_images(self, X, reset=True)

    def _settings(self):
        """Check the parameters and collect those that `AugmentedImages` needs."""
        if self.backend == "torch" and (
            self.interpolation_order != 1 or self.fill_mode not in TORCH_FILL_MODES
        ):
            raise FERError(
                'backend="torch" needs interpolation_order=1 and one of the fill modes '
                f"{', '.join(TORCH_FILL_MODES)}, got interpolation_order="
                f"{self.interpolation_order} and fill_mode={self.fill_mode!r}. Use "
                'backend="scipy".'
            )
        zoom = self.zoom_range
        if isinstance(zoom, Real):
            zoom = (1 - zoom, 1 + zoom)
        names = (
            "rotation_range",
            "width_shift_range",
            "height_shift_range",
            "shear_range",
            "horizontal_flip",
            "fill_mode",
            "cval",
            "interpolation_order",
            "erasing_probability",
            "backend",
        )
        return {name: getattr(self, name) for name in names} | {
            "zoom_range": _check_pair(zoom, "zoom_range"),
            "erasing_scale": _check_pair(self.erasing_scale, "erasing_scale", most=1),
            "erasing_ratio": _check_pair(self.erasing_ratio, "erasing_ratio"),
        }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.non_deterministic = True
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _check_pair(pair, name, most=np.inf):
    """Give a (low, high) pair as floats, after checking 0 < low <= high <= most."""
    if len(pair) != 2 or not all(isinstance(end, Real) for end in pair):
        raise FERError(f"{name} must be a pair of numbers (low, high), got {pair!r}.")
    low, high = (float(end) for end in pair)
    if not 0 < low <= high <= most or not np.isfinite(high):
        limit = "" if most == np.inf else f" <= {most}"
        raise FERError(f"{name} must have 0 < low <= high{limit}, got {pair!r}.")
    return low, high


def _n_threads(n_jobs):
    if n_jobs is None:
        return 1
    if n_jobs == 0:
        raise FERError("n_jobs must be None, a number of threads or negative, got 0.")
    return n_jobs if n_jobs > 0 else max(1, joblib.cpu_count() + 1 + n_jobs)
