"""Pixel strings and arrays to checked grey levels, without scikit-learn.

It is slow to import, and a program that predicts with an ONNX model does not need it.
"""

from itertools import pairwise
from math import isqrt
from numbers import Integral

import numpy as np

from .exceptions import PixelStringError

__all__ = [
    "as_column",
    "check_levels",
    "check_shape",
    "grey_level_cure",
    "image_shape_of",
    "read_faces",
    "square_shape",
]

# Rows read at once: some 130 kB of text, which stays in a processor's cache.
_CHUNK_ROWS = 16

# Tabs, line breaks and the other ASCII blanks count as a blank.
_BLANKS_TO_SPACE = bytes.maketrans(b"\t\n\r\v\f", b"     ")


def read_faces(X, image_shape="auto"):
    """Read pixel strings, or check grey levels, as `PixelStringTransformer` does.

    Parameters
    ----------
    X : sequence of str of shape (n_samples,), or ndarray of int of shape \
(n_samples, height, width)
        Pixel strings, or grey levels from 0 to 255.
    image_shape : "auto" or tuple of two int, default="auto"
        Height and width of a face; "auto" takes those of the first one.

    Returns
    -------
    ndarray of shape (n_samples, height, width), dtype uint8

    Raises
    ------
    PixelStringError
        If X is of another form, or a row is not a face.
    """
    check_shape(image_shape)
    column = as_column(X)
    if image_shape == "auto":
        image_shape = image_shape_of(column)
    image_shape = tuple(map(int, image_shape))
    if isinstance(column, np.ndarray) and column.ndim == 3:
        return check_levels(column, image_shape)
    return _read(column, image_shape)


def check_shape(image_shape):
    """Check the size of a face, or "auto"."""
    if image_shape != "auto" and (
        not isinstance(image_shape, (tuple, list))
        or len(image_shape) != 2
        or not all(isinstance(n, Integral) and n > 0 for n in image_shape)
    ):
        raise PixelStringError(
            "image_shape must be 'auto' or a pair of positive whole numbers, "
            f"(height, width) in pixels such as (48, 48), got {image_shape!r}."
        )


def image_shape_of(column):
    """Height and width of the first face of a column, which is square if it is text."""
    if getattr(column, "ndim", 1) == 3:
        return tuple(map(int, column.shape[1:]))
    first = getattr(column, "iloc", column)[0]
    if not isinstance(first, str):
        return (48, 48)  # `_read_row` refuses it
    n_levels = len(first.split())
    shape = square_shape(n_levels)
    if shape is None:
        raise PixelStringError(
            f"has {n_levels} grey levels, expected the number of a square face, "
            "such as 2304 (48x48)",
            row=0,
            cure="Correct or drop this row, or set image_shape=(height, width).",
        )
    return shape


def square_shape(n_pixels):
    """Give the shape of a square picture of so many pixels, or None."""
    side = isqrt(n_pixels)
    return (side, side) if side and side * side == n_pixels else None


def as_column(X):
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
    is_sparse = hasattr(X, "tocsr")
    if is_sparse or not hasattr(X, "__len__") or not hasattr(X, "__getitem__"):
        kind = "sparse matrix" if is_sparse else type(X).__name__
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


def check_levels(X, image_shape):
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
