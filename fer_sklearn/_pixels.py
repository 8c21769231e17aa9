"""Pixel strings to arrays of grey levels, and back."""

from itertools import pairwise
from math import isqrt
from numbers import Integral

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ._callback_support import CallbackSupportMixin, fit_task
from .datasets import write_pixel_strings
from .exceptions import PixelStringError

__all__ = ["PixelStringTransformer"]

# Rows read at once: some 130 kB of text, which stays in a processor's cache.
_CHUNK_ROWS = 16

# Tabs, line breaks and the other ASCII blanks count as a blank.
_BLANKS_TO_SPACE = bytes.maketrans(b"\t\n\r\v\f", b"     ")


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
        self._check_image_shape()
        vars(self).pop("image_shape_", None)  # of an earlier fit
        self.image_shape_ = self._find_image_shape(_as_column(X))
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
        self._check_image_shape()
        column = _as_column(X)
        shape = self._find_image_shape(column)
        if isinstance(column, np.ndarray) and column.ndim == 3:
            faces = _check_levels(column, shape)
        else:
            faces = _read(column, shape)
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
        self._check_image_shape()
        X = np.asarray(X)
        if self.image_shape != "auto":
            shape = tuple(self.image_shape)
        elif hasattr(self, "image_shape_"):
            shape = self.image_shape_
        else:
            shape = X.shape[1:] if X.ndim == 3 else _square(X.shape[-1])
        if X.ndim == 2 and shape and X.shape[1] == shape[0] * shape[1]:
            X = X.reshape(-1, *shape)
        faces = _check_levels(X, shape)
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

    def _check_image_shape(self):
        shape = self.image_shape
        if shape != "auto" and (
            not isinstance(shape, (tuple, list))
            or len(shape) != 2
            or not all(isinstance(n, Integral) and n > 0 for n in shape)
        ):
            raise PixelStringError(
                "image_shape must be 'auto' or a pair of positive whole numbers, "
                f"(height, width) in pixels such as (48, 48), got {shape!r}."
            )

    def _find_image_shape(self, column):
        """Give the size of the faces: as set, as seen in `fit`, or of the first one."""
        if self.image_shape != "auto":
            return tuple(map(int, self.image_shape))
        if hasattr(self, "image_shape_"):
            return self.image_shape_
        if getattr(column, "ndim", 1) == 3:
            return tuple(map(int, column.shape[1:]))
        first = getattr(column, "iloc", column)[0]
        if not isinstance(first, str):
            return (48, 48)  # `_read_row` refuses it
        n_levels = len(first.split())
        shape = _square(n_levels)
        if shape is None:
            raise PixelStringError(
                f"has {n_levels} grey levels, expected the number of a square face, "
                "such as 2304 (48x48)",
                row=0,
                cure="Correct or drop this row, or set image_shape=(height, width).",
            )
        return shape

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


def _square(n_pixels):
    """Give the shape of a square picture of so many pixels, or None."""
    side = isqrt(n_pixels)
    return (side, side) if side and side * side == n_pixels else None


def _as_column(X):
    """Give X as a list, Series or 1-D array of strings, or as a 3-D array."""
    if isinstance(X, (str, bytes)):
        raise PixelStringError(
            "X is a single string. Put it into a list to read one face: [X]."
        )
    if hasattr(X, "iloc"):
        X = _column_of_frame(X)
    elif not isinstance(X, np.ndarray):
        X = _column_of_sequence(X)
    if isinstance(X, np.ndarray):
        X = _column_of_array(X)
    if len(X) == 0:
        raise PixelStringError(
            "X has 0 rows: there is no face in it, a minimum of 1 is required. "
            "Check how X was selected."
        )
    return X


def _column_of_sequence(X):
    if hasattr(X, "__array__"):
        return np.asarray(X)
    if issparse(X) or not hasattr(X, "__len__") or not hasattr(X, "__getitem__"):
        kind = "sparse matrix" if issparse(X) else type(X).__name__
        raise PixelStringError(
            f"X is a {kind}, expected a sequence of pixel strings such as a list, an "
            "array or a Series."
        )
    X = list(X)
    if not X or isinstance(X[0], str) or np.ndim(X[0]) == 0:
        return X
    try:
        return np.asarray(X)
    except ValueError as error:
        raise PixelStringError(
            "X is a list of pictures of different sizes. Bring them to one size first."
        ) from error


def _column_of_frame(X):
    """Give a Series, or the only column of a data frame."""
    if X.ndim == 1:
        return X
    if X.shape[1] != 1:
        raise PixelStringError(
            f"X is a data frame of {X.shape[1]} columns, {list(X.columns)[:5]}; "
            "expected the single column of pixel strings. Select it, as in X['pixels']."
        )
    return X.iloc[:, 0]


def _column_of_array(X):
    if X.ndim == 2 and X.shape[1] == 1 and X.dtype.kind not in "biufc":
        X = X[:, 0]
    if X.ndim == 1 or (X.ndim == 3 and X.dtype.kind in "iu"):
        return X
    if X.ndim == 3:
        raise PixelStringError(
            f"X is a 3-D array of {X.dtype}; faces that are read already must be whole "
            "numbers from 0 to 255. Scale and round them, then use .astype('uint8')."
        )
    cure = "Rows of grey levels become pictures with X.reshape(-1, height, width)."
    if X.ndim == 4:
        cure = grey_level_cure(X.shape)
    raise PixelStringError(
        f"X has shape {X.shape}, expected a 1-D sequence of pixel strings or whole "
        f"numbers of shape (n_samples, height, width). {cure}"
    )


def grey_level_cure(shape):
    """Say how an array with an axis for channels becomes one of grey levels."""
    if shape[1] == 1:
        return "Take out the axis for channels: X[:, 0]."
    if shape[-1] == 1:
        return "Take out the axis for channels: X[..., 0]."
    return "Convert colours to grey first."


def _check_levels(X, image_shape):
    """Give grey levels as uint8 after checking shape, kind and range."""
    if X.ndim != 3 or X.shape[1:] != image_shape or X.dtype.kind not in "iu":
        raise PixelStringError(
            f"X is an array of {X.dtype} of shape {X.shape}, expected whole numbers of "
            f"shape (n_samples, {image_shape[0]}, {image_shape[1]}). If your faces "
            "have another size, set image_shape=(height, width)."
        )
    if X.dtype != np.uint8 and X.size and (X.min() < 0 or X.max() > 255):
        row, i, j = np.argwhere((X < 0) | (X > 255))[0]
        raise PixelStringError(
            f"has the grey level {X[row, i, j]} at pixel ({i}, {j}), expected 0 to 255",
            row=int(row),
        )
    return X.astype(np.uint8, copy=False)


def _read(column, image_shape):
    """Read strings chunk by chunk; look for the bad row only after a failure."""
    n_pixels = image_shape[0] * image_shape[1]
    faces = np.empty((len(column), n_pixels), dtype=np.uint8)
    for start in range(0, len(column), _CHUNK_ROWS):
        # Series are cut before they become a list: the strings of a column that is
        # backed by Arrow would otherwise all be in memory twice.
        rows = getattr(column, "iloc", column)[start : start + _CHUNK_ROWS]
        rows = rows if isinstance(rows, list) else rows.tolist()
        out = faces[start : start + len(rows)]
        if not _read_fast(rows, out):
            for offset, text in enumerate(rows):
                out[offset] = _read_row(text, start + offset, image_shape)
    return faces.reshape(-1, *image_shape)


def _read_fast(rows, out):
    """Read rows into `out`; give False where anything is out of the ordinary.

    Works on all characters at once. The number that ends at a character is this
    digit, ten times the digit before it and a hundred times the one before that; a
    number ends where a blank follows.
    """
    # rows = ["7 12", "255 0"] become "  7 12 255 0 ", one column per character below.
    # `hundreds`, `levels` and `ends` start at the third character, so that there are
    # always two before it.
    #
    #   digits     0  0  7  0  1  2  0  2  5   5  0  0  0
    #   hundreds         0  0  0  0  0  0  0   2  0  0  0    two before, in one number
    #   levels           7 70  1 12 20  2 25 255 50  0  0
    #   ends             x        x            x     x       a digit, and then a blank
    #
    # The levels at the ends are 7, 12, 255 and 0.
    codes = _codes(rows)
    if codes is None:
        return False
    # Blanks have the code 32, so that 32 - 48 goes round to 240 in uint8: no digit.
    digits = codes - 48
    is_digit = digits < 10
    digits *= is_digit
    two = is_digit[1:] & is_digit[:-1]
    hundreds = digits[:-2] * two[1:]
    low = digits[1:-1] * 10
    low += digits[2:]
    levels = hundreds * 100
    levels += low
    # Four digits in a row are two pairs of digits at a distance of two. Beyond 255 a
    # sum goes round to less than its last two digits.
    if (two[2:] & two[:-2]).any() or hundreds.max() > 2 or (levels < low).any():
        return False
    ends = is_digit[2:-1] > is_digit[3:]
    # The number of levels of each row: the total could be right although one row has a
    # level too few and the next one too many.
    stops = np.cumsum([len(text) + 1 for text in rows]).tolist()
    counts = (
        np.count_nonzero(ends[start:stop]) for start, stop in pairwise([0, *stops])
    )
    if any(count != out.shape[1] for count in counts):
        return False
    np.compress(ends, levels[:-1], out=out.reshape(-1))
    return True


def _codes(rows):
    """Give all characters as numbers, if they are digits and blanks; or None.

    Blanks other than the space become spaces. Two more stand in front, so that every
    character has two before it, and one at the end.
    """
    try:
        text = ("  " + " ".join(rows) + " ").encode("ascii")
    except (TypeError, UnicodeEncodeError):
        return None
    codes = np.frombuffer(text, dtype=np.uint8)
    if _is_plain(codes):
        return codes
    codes = np.frombuffer(text.translate(_BLANKS_TO_SPACE), dtype=np.uint8)
    return codes if _is_plain(codes) else None


def _is_plain(codes):
    return ((codes - 48 < 10) | (codes == 32)).all()


def _read_row(text, row, image_shape):
    """Read one string as `int` would, or say what is wrong with it."""
    height, width = image_shape
    if not isinstance(text, str):
        raise PixelStringError(
            f"is {_shown(text)} of type {type(text).__name__}, expected a string of "
            "grey levels",
            row=row,
            cure=_string_cure(text, image_shape),
        )
    words = text.split()
    bad = next((word for word in words if not _is_level(word)), None)
    if bad is not None:
        raise PixelStringError(
            f"has {_shown(bad)} as grey level {words.index(bad)}, expected a whole "
            "number from 0 to 255 in plain digits",
            row=row,
            cure="Correct or drop this row.",
        )
    if len(words) != height * width:
        raise PixelStringError(
            f"has {len(words)} grey levels, expected {height * width} "
            f"({height}x{width})",
            row=row,
            cure="If your faces have another size, set image_shape=(height, width).",
        )
    return [int(word.lstrip("0") or "0") for word in words]


def _string_cure(value, image_shape):
    """Say what to do with a row that is not a string."""
    if isinstance(value, bytes):
        return "Decode the rows: [row.decode() for row in X]."
    if isinstance(value, list | tuple | np.ndarray):
        height, width = image_shape
        return f"Make one array: np.array(list(X)).reshape(-1, {height}, {width})."
    # Here, because it is slow to import and only needed for a message.
    from pandas import isna

    if isna(value):
        return "Drop or fill missing rows first."
    return "Check that X is the column of pixel strings."


def _is_level(word):
    # Zeros in front are harmless; thousands of them are more than int() takes.
    number = word.lstrip("0") or "0"
    return word.isascii() and word.isdigit() and len(number) <= 3 and int(number) <= 255


def _shown(value):
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
