"""Finding equal, mirrored and nearly equal pictures among tens of thousands."""

from hashlib import blake2b

import numpy as np

from .._pixels import PixelStringTransformer
from ..exceptions import FERError, PixelStringError

__all__ = ["as_images", "image_keys", "near_pairs"]

# Pictures are compared on a grid of _GRID x _GRID means first.
_GRID = 8
_ROWS_AT_ONCE = 256
_PAIRS_AT_ONCE = 1024


def as_images(X, name="X"):
    """Give faces as a uint8 array of shape (n_samples, height, width).

    Parameters
    ----------
    X : sequence of str, or integer array of shape (n_samples, height, width)
        Pixel strings of square faces, or grey levels 0 to 255.
    name : str
        What to call X in a message.

    Returns
    -------
    array of shape (n_samples, height, width), uint8
    """
    if len(X) == 0:
        raise FERError(f"{name} has 0 rows, expected at least one face.")
    try:
        return PixelStringTransformer().fit_transform(X)
    except PixelStringError as error:
        raise PixelStringError(
            error.reason, row=error.row, cure=error.cure, name=name
        ) from error


def image_keys(images, *, mirrored):
    """Digests that are the same for equal images, and with `mirrored` for mirrored."""
    keys = [_digest(image) for image in images]
    if mirrored:
        turned = map(_digest, images[:, :, ::-1])
        keys = [min(pair) for pair in zip(keys, turned, strict=True)]
    return keys


def _digest(image):
    # With 128 bits no two different pictures of this world share a digest.
    return blake2b(image.tobytes(), digest_size=16).digest()


def near_pairs(images, others, *, tolerance, mirrored):
    """Find all pairs of images whose root-mean-square difference is small.

    The means of two blocks of pixels differ no more than their pixels do (in the root
    mean square). So pictures whose coarse grids of means lie further apart than
    `tolerance` need no second look; the rest is compared pixel by pixel. Nothing is
    missed, and the memory is bounded.

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
    """Block means, scaled so that distances are never above those of the images."""
    height, width = images.shape[1:]
    rows = np.linspace(0, height, min(_GRID, height) + 1).astype(int)
    columns = np.linspace(0, width, min(_GRID, width) + 1).astype(int)
    sizes = np.outer(np.diff(rows), np.diff(columns))
    points = np.empty((len(images), sizes.size), dtype=np.float64)
    # Sums are taken in four bytes a pixel: not of all pictures at once.
    for start in range(0, len(images), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        sums = np.add.reduceat(images[part], rows[:-1], axis=1, dtype=np.uint32)
        sums = np.add.reduceat(sums, columns[:-1], axis=2)
        points[part] = (sums / np.sqrt(sizes * (height * width))).reshape(len(sums), -1)
    return points


def _candidates(points, others, tolerance):
    """Pairs of points that may be within `tolerance`, all of them and a few more."""
    middle = others.mean(axis=0)
    points, others = points - middle, others - middle
    # Sorted along the direction in which the points differ most, nearly always that
    # of light and dark, each has its neighbours within `tolerance` up and down.
    along = np.linalg.svd(others[:_ROWS_AT_ONCE], full_matrices=False)[2][0]
    order, rows = np.argsort(others @ along), np.argsort(points @ along)
    heights = others[order] @ along
    others = others[order].astype(np.float32)
    norms = np.einsum("ij,ij->i", others, others)
    # Single precision is off by less than a millionth of the squares in the sum.
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
    """Root-mean-square difference of each pair of images."""
    difference = images.astype(np.float64) - others
    difference = difference.reshape(len(difference), -1)
    return np.sqrt(np.einsum("ij,ij->i", difference, difference) / difference.shape[1])
