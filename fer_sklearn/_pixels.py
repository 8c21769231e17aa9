"""Pixel strings to arrays of grey levels, and back."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ._callback_support import CallbackSupportMixin, fit_task
from ._pixel_strings import (
    as_column,
    check_levels,
    check_shape,
    image_shape_of,
    read_faces,
    square_shape,
)
from .datasets import write_pixel_strings

__all__ = ["PixelStringTransformer"]


class PixelStringTransformer(CallbackSupportMixin, TransformerMixin, BaseEstimator):
    """Read pixel strings, the form in which FER2013 holds its faces.

    A pixel string is the grey levels of a face, row by row from the top left,
    as decimal numbers with blanks between them: ``"70 80 82 72 ..."``. Every row
    is checked (how many numbers, 0 to 255 each, nothing else in between), and the
    error names the first bad row. Doubled or trailing blanks, tabs and line
    breaks do no harm and are read.

    The transformer learns nothing but the size of the faces: `transform` works without
    `fit`.

    Parameters
    ----------
    image_shape : "auto" or tuple of two int, default="auto"
        Height and width of a face in pixels. ``"auto"`` takes square faces of the size
        that the first one has.
    flatten : bool, default=False
        Whether a face comes out as one row of grey levels, for estimators such as
        :class:`~sklearn.decomposition.PCA` or :class:`~sklearn.svm.SVC`, instead of
        as a picture. Only flat faces have feature names and follow `set_output`.

    Attributes
    ----------
    image_shape_ : tuple of two int
        Height and width of the faces seen in `fit`.

    See Also
    --------
    RandomAffineAugmenter : The next step of the pipeline.
    fer_sklearn.load_fer2013 : Read a file of pixel strings.

    Examples
    --------
    >>> from fer_sklearn import PixelStringTransformer
    >>> reader = PixelStringTransformer(image_shape=(2, 3))
    >>> reader.fit_transform(["0 1 2 3 4 5", "250 251 252 253 254 255"])
    array([[[  0,   1,   2],
            [  3,   4,   5]],
    <BLANKLINE>
           [[250, 251, 252],
            [253, 254, 255]]], dtype=uint8)

    A bad row is named, with what to do about it:

    >>> reader.fit_transform(["0 1 2 3 4 5", "0 1 2 3 4"])
    Traceback (most recent call last):
    ...
    fer_sklearn.exceptions.PixelStringError: Row 1 of X has 5 grey levels, expected 6 \
(2x3). If your faces have another size, set image_shape=(height, width).

    Flat faces have names and go into any estimator:

    >>> flat = PixelStringTransformer(image_shape=(2, 3), flatten=True)
    >>> flat.fit_transform(["0 1 2 3 4 5"])
    array([[0, 1, 2, 3, 4, 5]], dtype=uint8)
    >>> flat.get_feature_names_out()[:4].tolist()
    ['pixel0_0', 'pixel0_1', 'pixel0_2', 'pixel1_0']
    """

    _parameter_constraints = {
        "image_shape": [tuple, list, StrOptions({"auto"})],
        "flatten": ["boolean"],
    }

    def __init__(self, *, image_shape="auto", flatten=False):
        self.image_shape = image_shape
        self.flatten = flatten

    @fit_task
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Check that X is a column of faces, and learn their size.

        Parameters
        ----------
        X : sequence of str of shape (n_samples,)
            Pixel strings; `transform` says which forms are taken. The strings
            themselves are read in `transform`.
        y : None
            Ignored.

        Returns
        -------
        self : PixelStringTransformer
            The transformer itself.

        Raises
        ------
        PixelStringError
            If X is not a column of faces or has no rows, or `image_shape` is not a
            pair of positive whole numbers.
        """
        check_shape(self.image_shape)
        column, shape = as_column(X), self.image_shape
        shape = image_shape_of(column) if shape == "auto" else shape
        self.image_shape_ = tuple(map(int, shape))
        return self

    def transform(self, X):
        """Read pixel strings into grey levels.

        Parameters
        ----------
        X : sequence of str of shape (n_samples,), or ndarray of int of shape \
(n_samples, height, width)
            Pixel strings, as a list, tuple, Series, array or data frame with a
            single column. Whole numbers of shape (n_samples, height, width), 0 to
            255, are taken as faces that are read already.

        Returns
        -------
        faces : ndarray of uint8 of shape (n_samples, height, width), or \
(n_samples, height * width) with `flatten=True`
            Grey levels from 0, black, to 255, white.

        Raises
        ------
        PixelStringError
            If a row is not a string of height times width whole numbers from 0 to
            255, or X is of another form. The message names the first bad row.
        """
        shape = self.image_shape
        if shape == "auto":
            shape = getattr(self, "image_shape_", "auto")
        faces = read_faces(X, shape)
        return faces.reshape(len(faces), -1) if self.flatten else faces

    def inverse_transform(self, X):
        """Write grey levels as pixel strings.

        Parameters
        ----------
        X : ndarray of int of shape (n_samples, height, width) or \
(n_samples, height * width)
            Whole numbers from 0 to 255.

        Returns
        -------
        strings : ndarray of object of shape (n_samples,)
            A string a face, single blanks between its numbers.

        Raises
        ------
        PixelStringError
            If X has another shape or holds anything but whole numbers from 0 to 255.

        Examples
        --------
        >>> import numpy as np
        >>> from fer_sklearn import PixelStringTransformer
        >>> reader = PixelStringTransformer(image_shape=(2, 2))
        >>> reader.inverse_transform(np.array([[[0, 10], [20, 255]]]))
        array(['0 10 20 255'], dtype=object)
        """
        check_shape(self.image_shape)
        X = np.asarray(X)
        if self.image_shape != "auto":
            shape = tuple(self.image_shape)
        elif hasattr(self, "image_shape_"):
            shape = self.image_shape_
        else:
            shape = X.shape[1:] if X.ndim == 3 else square_shape(X.shape[-1])
        if X.ndim == 2 and shape and X.shape[1] == shape[0] * shape[1]:
            X = X.reshape(-1, *shape)
        faces = check_levels(X, shape)
        strings = np.empty(len(faces), dtype=object)
        strings[:] = write_pixel_strings(faces)
        return strings

    @available_if(lambda self: self.flatten)
    def get_feature_names_out(self, input_features=None):
        """Name the columns of flat faces.

        There only with `flatten=True`: pictures have no columns to name.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        names : ndarray of object of shape (height * width,)
            ``"pixel3_7"`` is the eighth pixel of the fourth row.
        """
        if self.image_shape == "auto":
            check_is_fitted(self, "image_shape_")
            height, width = self.image_shape_
        else:
            height, width = self.image_shape
        names = [f"pixel{i}_{j}" for i in range(height) for j in range(width)]
        return np.asarray(names, dtype=object)

    def set_output(self, *, transform=None):
        """Choose the container of flat faces.

        Pictures have no columns, so without `flatten=True` they stay arrays whatever
        is chosen.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            What `transform` and `fit_transform` return: an array or a data frame. None
            leaves the choice as it is.

        Returns
        -------
        self : PixelStringTransformer
            The transformer itself.

        Examples
        --------
        >>> from fer_sklearn import PixelStringTransformer
        >>> reader = PixelStringTransformer(image_shape=(1, 2), flatten=True)
        >>> reader.set_output(transform="pandas").transform(["0 255"])
           pixel0_0  pixel0_1
        0         0       255
        """
        # scikit-learn's own method is missing where there are no feature names, and
        # `Pipeline.set_output` fails on a step without one.
        if transform is not None:
            self._sklearn_output_config = {"transform": transform}
        return self

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags
