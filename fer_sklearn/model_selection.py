"""Splits that keep all copies of a face on one side.

FER2013 holds many faces twice, some of them in two of its official parts. A random
split therefore tests partly on faces that the model was trained on, and its scores are
too good. The functions here find copies and split without cutting them apart.
"""

from hashlib import blake2b
from numbers import Integral, Real

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.utils import check_consistent_length, check_random_state

from ._pixels import PixelStringTransformer
from .exceptions import FERError, PixelStringError

__all__ = ["face_groups", "train_test_split_faces", "unseen_rows"]

# Pictures are compared on a grid of _GRID x _GRID means first.
_GRID = 8
_ROWS_AT_ONCE = 256
_PAIRS_AT_ONCE = 1024


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
        Largest difference between two copies, in grey levels (0 to 255): the square
        root of the mean squared difference of their pixels. 0 finds equal pictures
        only. In FER2013, pairs that differ by up to 12 are the same photograph,
        rescaled, recompressed or with a watermark; from about 15, dark and flat
        pictures of different people are grouped as well. Copies of copies are in one
        group, even if they differ by more than `tolerance`. A picture that was
        cropped differently differs by more than that and is not found.

    Returns
    -------
    array of shape (n_samples,), int64
        Group of each face: 0 for the first face and its copies, then 1, 2, ... in
        the order in which groups first appear.

    Raises
    ------
    PixelStringError
        If a row is not a row of grey levels.
    FERError
        If X has no rows or `tolerance` is negative or not a number.

    See Also
    --------
    train_test_split_faces : Split faces with their groups in one call.

    Notes
    -----
    Equal pictures are found by their hashes, which takes a second for FER2013. With a
    tolerance, all pairs are first compared on 8x8 block means, which discards no true
    pair; this takes a few seconds.

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
    >>> faces = make_faces(70, image_shape=(12, 12), random_state=0)
    >>> scores = cross_val_score(
    ...     DummyClassifier(), faces.data, faces.target,
    ...     groups=face_groups(faces.data), cv=StratifiedGroupKFold(n_splits=5))
    >>> len(scores)
    5
    """
    _check_tolerance(tolerance)
    images = _as_images(X)
    groups = _number_by_first(_image_keys(images, mirrored=mirrored))
    if tolerance == 0:
        return groups
    _, first_rows = np.unique(groups, return_index=True)
    images = images[first_rows]
    pairs = _near_pairs(images, images, tolerance=tolerance, mirrored=mirrored)
    i, j = (np.concatenate(rows) for rows in zip(*pairs, strict=True))
    links = coo_array((np.ones(len(i), dtype=bool), (i, j)), shape=(len(images),) * 2)
    joined = connected_components(links, directed=False)[1]
    return _number_by_first(joined[groups].tolist())


def unseen_rows(X, X_seen, *, mirrored=False, tolerance=0):
    """Find the faces that have no copy in another set, such as the training set.

    Parameters
    ----------
    X : sequence of str, or integer array of shape (n_samples, height, width)
        Pixel strings of square faces, or grey levels 0 to 255.
    X_seen : sequence of str, or integer array of shape (n_seen, height, width)
        The faces to compare with, in either form.
    mirrored : bool, default=False
        Whether a face and its mirror image count as copies.
    tolerance : float, default=0
        Largest difference between two copies, as in `face_groups`.

    Returns
    -------
    array of shape (n_samples,), bool
        True for the faces of X without a copy in `X_seen`.

    Raises
    ------
    PixelStringError
        If a row is not a row of grey levels.
    FERError
        If the faces have different sizes, X or `X_seen` has no rows, or `tolerance`
        is negative or not a number.

    See Also
    --------
    fer_sklearn.metrics.accuracy_interval : How certain a score on few rows is.

    Examples
    --------
    >>> from fer_sklearn.model_selection import unseen_rows
    >>> unseen_rows(["0 10 20 30", "7 7 7 7"], ["1 1 1 1", "0 10 20 30"])
    array([False,  True])
    """
    _check_tolerance(tolerance)
    images, seen = _as_images(X), _as_images(X_seen, "X_seen")
    if images.shape[1:] != seen.shape[1:]:
        sizes = ["{}x{}".format(*x.shape[1:]) for x in (images, seen)]
        raise FERError(
            f"X has faces of {sizes[0]} pixels and X_seen of {sizes[1]}. Copies can "
            "only be found among faces of the same size."
        )
    known = set(_image_keys(seen, mirrored=mirrored))
    keys = _image_keys(images, mirrored=mirrored)
    unseen = np.array([key not in known for key in keys])
    if tolerance > 0:
        rows = np.flatnonzero(unseen)
        if len(rows):
            for i, _ in _near_pairs(
                images[rows], seen, tolerance=tolerance, mirrored=mirrored
            ):
                unseen[rows[i]] = False
    return unseen


def _number_by_first(keys):
    """Give keys numbers in their order of appearance: "b", "a", "b" becomes 0, 1, 0."""
    numbers = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


def _check_tolerance(tolerance):
    if not isinstance(tolerance, Real) or not 0 <= tolerance < np.inf:
        raise FERError(
            "tolerance must be a number of grey levels of at least 0, such as 10, got "
            f"{tolerance!r}."
        )


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

    Like :func:`~sklearn.model_selection.train_test_split`, but it splits groups of
    copies instead of single rows.

    Parameters
    ----------
    X : sequence of str, or integer array of shape (n_samples, height, width)
        Pixel strings of square faces, or grey levels 0 to 255.
    y : array-like of shape (n_samples,)
        The emotions.
    *arrays : sequence of arrays of length n_samples
        More arrays to split in the same way, such as sample weights.
    test_size : float or int, default=0.25
        Fraction or number of faces in the test set. Groups are never cut apart, so
        the test set is as close to this as whole groups allow.
    random_state : int, RandomState instance or None, default=None
        Controls which groups are chosen. Pass an int to get the same split each time.
    stratify : bool, default=True
        Whether both sets have the same proportions of the emotions, and each emotion
        at least once. Disgust is 1.5 % of FER2013, so a small test set could lack it
        otherwise.
    groups : array-like of shape (n_samples,), default=None
        Faces with the same value stay together, for instance those of one person.
        None uses ``face_groups(X, mirrored=mirrored, tolerance=tolerance)``.
    mirrored : bool, default=False
        Whether a face and its mirror image count as copies.
    tolerance : float, default=0
        Largest difference between two copies, as in `face_groups`.

    Returns
    -------
    list of length 2 * (2 + len(arrays))
        X_train, X_test, y_train, y_test, and so on, each in the order of the rows.

    Raises
    ------
    ValueError
        If lengths differ, `test_size` is out of range, or `stratify` is True and an
        emotion cannot be in both sets because all its faces are in one group or a set
        is too small.

    See Also
    --------
    face_groups : Groups for scikit-learn's own splitters.

    Examples
    --------
    >>> from fer_sklearn import make_faces
    >>> from fer_sklearn.model_selection import train_test_split_faces, unseen_rows
    >>> faces = make_faces(140, image_shape=(12, 12), random_state=0)
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
    """Turn a fraction of the rows into a number; both sets get at least one row."""
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
        f"test_size must be between 1 and {n_rows - 1} faces, or a fraction between "
        f"0 and 1, got {test_size!r}."
    )


def _check_groups(counts, names):
    """Raise an error if the faces of a class cannot be in both sets."""
    n_groups = np.count_nonzero(counts, axis=0)
    if n_groups.min() >= 2:
        return
    column = int(n_groups.argmin())
    n_faces = int(counts[:, column].sum())
    if len(names) == 1:
        raise FERError(
            f"All {n_faces} faces are in one group, so they cannot be split. Pass "
            "faces of more groups."
        )
    what = f"There is only one face of class {names[column]}"
    if n_faces > 1:
        what = f"The {n_faces} faces of class {names[column]} are all in one group"
    raise FERError(
        f"{what}, but both sets need some. Pass more faces, leave the class out, or "
        "set stratify=False."
    )


def _quotas(totals, n_test):
    """Give the number of test faces of each class: in proportion, and at least one.

    For 90 happy and 10 disgusted faces, ``n_test=15`` gives 13.5 and 1.5: 13 and 1
    rounded down, and the missing face goes to the class with the largest remainder.
    """
    exact = totals * (n_test / totals.sum())
    quotas = np.floor(exact).astype(int)
    missing = n_test - quotas.sum()
    quotas[np.argsort(quotas - exact, kind="stable")[:missing]] += 1
    if min(n_test, totals.sum() - n_test) < len(totals):
        raise FERError(
            f"test_size asks for {n_test} of {totals.sum()} faces, and one set would "
            f"have fewer faces than there are classes ({len(totals)}). Change "
            "test_size, or set stratify=False."
        )
    return np.clip(quotas, 1, totals - 1)


def _choose_groups(counts, wanted, rng):
    """Choose groups at random so that their faces add up to `wanted` in each class.

    Parameters
    ----------
    counts : ndarray of int of shape (n_groups, n_classes)
        Faces of each class in each group.
    wanted : ndarray of int of shape (n_classes,)
        Faces to choose of each class.
    rng : RandomState
        Gives the order in which groups are considered.

    Returns
    -------
    ndarray of bool of shape (n_groups,)
    """
    totals = counts.sum(axis=0)
    chosen = np.zeros(len(counts), dtype=bool)
    room = wanted.copy()
    # First pass: take every group that fits. With room for (2 happy, 1 sad), a group of
    # 3 happy faces is passed over, one of (1, 1) is taken and leaves room for (1, 0).
    for group in rng.permutation(len(counts)):
        if (counts[group] <= room).all():
            chosen[group] = True
            room -= counts[group]

    # Now every group left is larger than the room. Take one anyway as long as that ends
    # closer to `wanted`, or brings in a class that is missing: the second term below is
    # larger than the first can get.
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
    if hasattr(array, "take") and not hasattr(array, "ndim"):
        return array.take(rows)  # pyarrow
    return array[rows]


def _as_images(X, name="X"):
    """Convert faces to a uint8 array of shape (n_samples, height, width).

    Parameters
    ----------
    X : sequence of str, or integer array of shape (n_samples, height, width)
        Pixel strings of square faces, or grey levels 0 to 255.
    name : str
        What to call X in messages.

    Returns
    -------
    array of shape (n_samples, height, width), uint8
    """
    if len(X) == 0:
        raise FERError(f"{name} has 0 rows, expected at least one face.")
    try:
        return PixelStringTransformer().fit_transform(X)
    except PixelStringError as error:
        raise error.renamed(name) from error


def _image_keys(images, *, mirrored):
    """Hash the images; with `mirrored`, an image and its mirror image hash the same."""
    keys = [_digest(image) for image in images]
    if mirrored:
        turned = map(_digest, images[:, :, ::-1])
        keys = [min(pair) for pair in zip(keys, turned, strict=True)]
    return keys


def _digest(image):
    # With 128 bits, two different pictures never share a hash in practice.
    return blake2b(image.tobytes(), digest_size=16).digest()


def _near_pairs(images, others, *, tolerance, mirrored):
    """Find all pairs of images whose root-mean-square difference is small.

    The means of two blocks of pixels differ by no more than the pixels do (in the root
    mean square): blocks (10, 20) and (14, 16) differ by 4, their means 15 and 15 by 0.
    So pairs whose grids of means differ by more than `tolerance` are discarded, and the
    rest is compared pixel by pixel. No pair is missed, and memory stays constant.

    Parameters
    ----------
    images, others : array of shape (n, height, width), uint8
        The pictures; pairs have one of each.
    tolerance : float
        Largest root-mean-square difference in grey levels.
    mirrored : bool
        Whether an image may also be near the mirror image of another.

    Yields
    ------
    (array of int, array of int)
        Rows in `images` and rows in `others` of some pairs.
    """
    for turned in (others, others[:, :, ::-1])[: 1 + mirrored]:
        for i, j in _candidates(_thumbnails(images), _thumbnails(turned), tolerance):
            for at in range(0, len(i), _PAIRS_AT_ONCE):
                part = slice(at, at + _PAIRS_AT_ONCE)
                near = _distances(images[i[part]], turned[j[part]]) <= tolerance
                yield i[part][near], j[part][near]


def _thumbnails(images):
    """Shrink images to points whose distances never exceed those of the images.

    Coordinates are block means times the square root of the block's share of the
    picture, so that the Euclidean distance of two points is the root mean square
    difference of the two pictures with each block replaced by its mean.
    """
    height, width = images.shape[1:]
    rows = np.linspace(0, height, min(_GRID, height) + 1).astype(int)
    columns = np.linspace(0, width, min(_GRID, width) + 1).astype(int)
    sizes = np.outer(np.diff(rows), np.diff(columns))
    points = np.empty((len(images), sizes.size), dtype=np.float64)
    # The sums take four bytes per pixel, too many to hold for all pictures at once.
    for start in range(0, len(images), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        sums = np.add.reduceat(images[part], rows[:-1], axis=1, dtype=np.uint32)
        sums = np.add.reduceat(sums, columns[:-1], axis=2)
        points[part] = (sums / np.sqrt(sizes * (height * width))).reshape(len(sums), -1)
    return points


def _candidates(points, others, tolerance):
    """Yield all pairs of points within `tolerance`, and a few more by rounding."""
    middle = others.mean(axis=0)
    points, others = points - middle, others - middle
    # Project the points on the direction in which they differ most (nearly always
    # brightness) and sort them: two points within `tolerance` are also within
    # `tolerance` there, so each chunk is compared with a slice of the others only.
    along = np.linalg.svd(others[:_ROWS_AT_ONCE], full_matrices=False)[2][0]
    order, rows = np.argsort(others @ along), np.argsort(points @ along)
    heights = others[order] @ along
    others = others[order].astype(np.float32)
    norms = np.einsum("ij,ij->i", others, others)
    # Rounding to float32 changes the sums by less than a millionth of the squares.
    slack = 1e-5 * (1 + norms.max())
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        chunk = rows[start : start + _ROWS_AT_ONCE]
        reach = points[chunk] @ along
        low, high = np.searchsorted(
            heights, [reach.min() - tolerance - slack, reach.max() + tolerance + slack]
        )
        a, b = points[chunk].astype(np.float32), others[low:high]
        squares = norms[low:high] - 2 * (a @ b.T)
        limits = tolerance**2 + slack - np.einsum("ij,ij->i", a, a)
        i, j = np.nonzero(squares <= limits[:, None])
        yield chunk[i], order[low + j]


def _distances(images, others):
    """Compute the root-mean-square difference of each pair of images."""
    difference = images.astype(np.float64) - others
    difference = difference.reshape(len(difference), -1)
    return np.sqrt(np.einsum("ij,ij->i", difference, difference) / difference.shape[1])
