"""train_test_split_faces: scikit-learn's split, with copies on one side."""

from numbers import Integral

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils import check_consistent_length

from ..exceptions import FERError
from ._groups import face_groups

__all__ = ["train_test_split_faces"]


def train_test_split_faces(
    X,
    y,
    *arrays,
    test_size=0.25,
    random_state=None,
    stratify=True,
    groups=None,
    mirrored=False,
    tolerance=0,
):
    """Split faces at random, with all copies of a face on one side.

    Like :func:`~sklearn.model_selection.train_test_split`, but of groups of copies
    rather than of rows.

    Parameters
    ----------
    X : sequence of str, or integer array of shape (n_samples, height, width)
        Pixel strings of square faces, or grey levels 0 to 255.
    y : array-like of shape (n_samples,)
        The emotions.
    *arrays : sequence of arrays of length n_samples
        More to be split in the same way, such as sample weights.
    test_size : float or int, default=0.25
        Share, or number, of faces to test on. Groups are not cut, so with copies it
        is met to a few faces.
    random_state : int, RandomState instance or None, default=None
        Seed of the choice; with an int the same split every time.
    stratify : bool, default=True
        Whether both sides have the emotions in the same shares. Disgust is 1.5 % of
        FER2013, so a small test side could miss it otherwise.
    groups : array-like of shape (n_samples,), default=None
        Groups that belong together, for instance persons. None takes
        ``face_groups(X, mirrored=mirrored, tolerance=tolerance)``.
    mirrored : bool, default=False
        Whether a face and its mirror image count as copies.
    tolerance : float, default=0
        Largest difference of two copies in grey levels, as in `face_groups`.

    Returns
    -------
    list of length 2 * (2 + len(arrays))
        X_train, X_test, y_train, y_test, and so on; each in the order of the rows.

    Raises
    ------
    ValueError
        If lengths differ, or `test_size` is out of range or leaves a side empty,
        or an emotion has a single group and `stratify` is True.

    See Also
    --------
    face_groups : Groups for scikit-learn's own splitters.

    Examples
    --------
    >>> from fer_sklearn import make_faces
    >>> from fer_sklearn.model_selection import train_test_split_faces, unseen_rows
    >>> faces = make_faces(140, image_size=12, random_state=0)
    >>> X_train, X_test, y_train, y_test = train_test_split_faces(
    ...     faces.data, faces.target, test_size=0.2, random_state=0)
    >>> X_train.shape, X_test.shape, bool(unseen_rows(X_test, X_train).all())
    ((112,), (28,), True)
    """
    arrays = (X, y, *arrays)
    check_consistent_length(*arrays)
    if groups is None:
        groups = face_groups(X, mirrored=mirrored, tolerance=tolerance)
    else:
        check_consistent_length(X, groups)
    _, first_rows, groups = np.unique(groups, return_index=True, return_inverse=True)
    _, test_groups = train_test_split(
        np.arange(len(first_rows)),
        test_size=_as_share(test_size, len(groups)),
        random_state=random_state,
        stratify=np.asarray(y)[first_rows] if stratify else None,
    )
    in_test = np.isin(groups, test_groups)
    sides = np.flatnonzero(~in_test), np.flatnonzero(in_test)
    return [_take(array, rows) for array in arrays for rows in sides]


def _as_share(test_size, n_rows):
    """Turn a number of rows into a share of them, which holds for groups as well."""
    if not isinstance(test_size, Integral):
        return test_size
    if not 0 < test_size < n_rows:
        raise FERError(
            f"test_size must be between 1 and {n_rows - 1} faces, or a share between 0 "
            f"and 1, got {test_size}."
        )
    return test_size / n_rows


def _take(array, rows):
    if hasattr(array, "iloc"):
        return array.iloc[rows]
    if isinstance(array, (list, tuple)):
        return [array[row] for row in rows]
    return array[rows]
