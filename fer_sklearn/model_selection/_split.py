"""train_test_split_faces: scikit-learn's split, with copies on one side."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_consistent_length, check_random_state

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
        Share, or number, of faces to test on. Groups are not cut, so the test side
        is as near to it as whole groups allow.
    random_state : int, RandomState instance or None, default=None
        Seed of the choice; with an int the same split every time.
    stratify : bool, default=True
        Whether both sides have the emotions in the same shares, counted by faces, and
        each emotion at least once. Disgust is 1.5 % of FER2013, so a small test side
        could miss it otherwise.
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
        If lengths differ, `test_size` is out of range or leaves a side without faces
        of some emotion, or all faces of an emotion are in one group and `stratify` is
        True.

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
    _, groups = np.unique(groups, return_inverse=True)
    names, classes = [None], np.zeros(len(groups), dtype=int)
    if stratify:
        names, classes = np.unique(y, return_inverse=True)
    counts = np.zeros((groups.max() + 1, len(names)), dtype=int)
    np.add.at(counts, (groups, classes), 1)
    _check_groups(counts, names)
    wanted = _quotas(counts.sum(axis=0), _as_number(test_size, len(groups)))
    in_test = _choose_groups(counts, wanted, check_random_state(random_state))[groups]
    sides = np.flatnonzero(~in_test), np.flatnonzero(in_test)
    return [_take(array, rows) for array in arrays for rows in sides]


def _as_number(test_size, n_rows):
    """Turn a share of the rows into their number; both sides have one row or more."""
    if isinstance(test_size, Integral) and 0 < test_size < n_rows:
        return int(test_size)
    if (
        isinstance(test_size, Real)
        and not isinstance(test_size, Integral)
        and 0 < test_size < 1
        and n_rows > 1
    ):
        return min(int(np.ceil(test_size * n_rows)), n_rows - 1)
    raise FERError(
        f"test_size must be between 1 and {n_rows - 1} faces, or a share between 0 "
        f"and 1, got {test_size!r}."
    )


def _check_groups(counts, names):
    """Refuse a class whose faces cannot be on both sides."""
    n_groups = np.count_nonzero(counts, axis=0)
    if n_groups.min() >= 2:
        return
    column = int(n_groups.argmin())
    n_faces = int(counts[:, column].sum())
    if len(names) == 1:
        raise FERError(
            f"All {n_faces} faces are in one group, so they cannot be split. Give "
            "faces of more groups."
        )
    what = f"There is only one face of class {names[column]}"
    if n_faces > 1:
        what = f"The {n_faces} faces of class {names[column]} are all in one group"
    raise FERError(
        f"{what}, but both sides need some. Give more faces, leave the class out, or "
        "set stratify=False."
    )


def _quotas(totals, n_test):
    """Say how many test faces of each class: in proportion, and one at least."""
    exact = totals * (n_test / totals.sum())
    quotas = np.floor(exact).astype(int)
    missing = n_test - quotas.sum()
    quotas[np.argsort(quotas - exact, kind="stable")[:missing]] += 1
    if min(n_test, totals.sum() - n_test) < len(totals):
        raise FERError(
            f"test_size asks for {n_test} of {totals.sum()} faces, and one side would "
            f"have fewer faces than there are classes ({len(totals)}). Change "
            "test_size, or set stratify=False."
        )
    return np.clip(quotas, 1, totals - 1)


def _choose_groups(counts, wanted, rng):
    """Choose groups at random whose faces add up to those wanted of each class.

    Parameters
    ----------
    counts : ndarray of int of shape (n_groups, n_classes)
        Faces of each class in each group.
    wanted : ndarray of int of shape (n_classes,)
        Faces to choose of each class.
    rng : RandomState
        Decides the order in which groups are looked at.

    Returns
    -------
    ndarray of bool of shape (n_groups,)
    """
    totals = counts.sum(axis=0)
    chosen = np.zeros(len(counts), dtype=bool)
    room = wanted.copy()
    # A group is taken if it fits. A class that runs full leaves the others room, which
    # groups without it fill.
    for group in rng.permutation(len(counts)):
        if (counts[group] <= room).all():
            chosen[group] = True
            room -= counts[group]

    # What room is left is smaller than any group that could fill it. Overfilling is
    # right where it ends nearer to what is wanted, or where a class would be missing,
    # which is worse than all the rest.
    def distance(room):
        missing = (room == wanted).sum(axis=-1)
        return (room**2 / wanted).sum(axis=-1) + missing * totals.sum() ** 2

    while True:
        after = room - counts
        possible = ~chosen & (totals - wanted + after > 0).all(axis=1)
        distances = np.where(possible, distance(after), np.inf)
        best = distances.argmin()
        if distances[best] >= distance(room):
            return chosen
        chosen[best] = True
        room = after[best]


def _take(array, rows):
    if hasattr(array, "iloc"):
        return array.iloc[rows]
    if isinstance(array, (list, tuple)):
        return [array[row] for row in rows]
    return array[rows]
