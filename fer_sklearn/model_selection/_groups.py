"""Which faces are the same picture: face_groups and unseen_rows."""

from numbers import Real

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..exceptions import FERError
from ._matching import as_images, image_keys, near_pairs

__all__ = ["face_groups", "unseen_rows"]


def face_groups(X, *, mirrored=False, tolerance=0):
    """Give all copies of one picture the same number.

    The numbers are the `groups` of :class:`~sklearn.model_selection.GroupKFold`,
    `StratifiedGroupKFold` or `GroupShuffleSplit`, which keep a group on one side.

    Parameters
    ----------
    X : sequence of str, or integer array of shape (n_samples, height, width)
        Pixel strings of square faces, or grey levels 0 to 255.
    mirrored : bool, default=False
        Whether a face and its mirror image count as copies.
    tolerance : float, default=0
        Largest difference of two copies, in grey levels (0 to 255): the square root
        of the mean squared difference of their pixels. 0 asks for equal pictures.
        Up to 12 the pairs in FER2013 are the same photograph, scaled or compressed
        once more, some with a watermark; from about 15 dark and flat pictures of
        different people come together. Copies of copies are in one group, even
        where their own difference is larger. A picture that was cropped in another
        way differs more than that and is not found.

    Returns
    -------
    array of shape (n_samples,), int64
        Group of each face: 0 for the first face and its copies, then 1, 2, ... in
        the order of their first faces.

    Raises
    ------
    PixelStringError
        If a row is not a row of grey levels.
    FERError
        If X has no rows or `tolerance` is not a number of at least 0.

    See Also
    --------
    train_test_split_faces : Split faces with their groups in one call.

    Notes
    -----
    Equal pictures are found by digests, in a second for all of FER2013. With a
    tolerance all pairs are compared on 8x8 means first, which discards no true pair;
    this takes a few seconds.

    Examples
    --------
    >>> import numpy as np
    >>> from fer_sklearn.model_selection import face_groups
    >>> face_groups(["0 10 20 30", "5 5 5 5", "0 10 20 30", "10 0 30 20"])
    array([0, 1, 0, 2])
    >>> face_groups(["0 10 20 30", "0 10 20 31", "10 0 30 20"], mirrored=True)
    array([0, 1, 0])
    >>> face_groups(["0 10 20 30", "0 10 20 31", "90 0 30 20"], tolerance=1)
    array([0, 0, 1])

    As groups of a cross-validation:

    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
    >>> from fer_sklearn import make_faces
    >>> faces = make_faces(70, image_size=12, random_state=0)
    >>> scores = cross_val_score(
    ...     DummyClassifier(), faces.data, faces.target,
    ...     groups=face_groups(faces.data), cv=StratifiedGroupKFold(n_splits=5))
    >>> len(scores)
    5
    """
    _check_tolerance(tolerance)
    images = as_images(X)
    groups = _number_by_first(image_keys(images, mirrored=mirrored))
    if tolerance == 0:
        return groups
    _, first_rows = np.unique(groups, return_index=True)
    images = images[first_rows]
    pairs = near_pairs(images, images, tolerance=tolerance, mirrored=mirrored)
    i, j = (np.concatenate(rows) for rows in zip(*pairs, strict=True))
    links = coo_array((np.ones(len(i), dtype=bool), (i, j)), shape=(len(images),) * 2)
    joined = connected_components(links, directed=False)[1]
    return _number_by_first(joined[groups].tolist())


def unseen_rows(X, X_seen, *, mirrored=False, tolerance=0):
    """Tell which faces have no copy among others, such as those trained on.

    Parameters
    ----------
    X : sequence of str, or integer array of shape (n_samples, height, width)
        Pixel strings of square faces, or grey levels 0 to 255.
    X_seen : sequence of str, or integer array of shape (n_seen, height, width)
        The faces that were seen, in either form.
    mirrored : bool, default=False
        Whether a face and its mirror image count as copies.
    tolerance : float, default=0
        Largest difference of two copies in grey levels, as in `face_groups`.

    Returns
    -------
    array of shape (n_samples,), bool
        True for the faces of X without a copy in `X_seen`.

    Raises
    ------
    PixelStringError
        If a row is not a row of grey levels.
    FERError
        If the faces are of different sizes, or X or `X_seen` has no rows, or
        `tolerance` is not a number of at least 0.

    See Also
    --------
    fer_sklearn.metrics.accuracy_interval : What the score on fewer rows is worth.

    Examples
    --------
    >>> from fer_sklearn.model_selection import unseen_rows
    >>> unseen_rows(["0 10 20 30", "7 7 7 7"], ["1 1 1 1", "0 10 20 30"])
    array([False,  True])
    """
    _check_tolerance(tolerance)
    images, seen = as_images(X), as_images(X_seen, "X_seen")
    if images.shape[1:] != seen.shape[1:]:
        sizes = ["{}x{}".format(*x.shape[1:]) for x in (images, seen)]
        raise FERError(
            f"X has faces of {sizes[0]} pixels and X_seen of {sizes[1]}; copies can "
            "only be found among faces of one size."
        )
    known = set(image_keys(seen, mirrored=mirrored))
    keys = image_keys(images, mirrored=mirrored)
    unseen = np.array([key not in known for key in keys])
    if tolerance > 0:
        rows = np.flatnonzero(unseen)
        if len(rows):
            for i, _ in near_pairs(
                images[rows], seen, tolerance=tolerance, mirrored=mirrored
            ):
                unseen[rows[i]] = False
    return unseen


def _number_by_first(keys):
    """Give keys the numbers 0, 1, 2, ... in the order in which they come up."""
    numbers = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


def _check_tolerance(tolerance):
    if not isinstance(tolerance, Real) or not 0 <= tolerance < np.inf:
        raise FERError(
            "tolerance must be a number of grey levels of at least 0, such as 10, got "
            f"{tolerance!r}."
        )
