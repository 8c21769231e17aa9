"""Batches of grey-scale images: their check, affine maps and erased rectangles.

No random numbers, no state. Images have the shape (n_images, height, width). An affine
map takes the (row, column) of an output pixel to a place in the input image, as in
:func:`scipy.ndimage.affine_transform`.
"""

import math
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
from scipy import ndimage
from sklearn.utils.validation import check_array, validate_data

from .exceptions import FERError

__all__ = [
    "FILL_MODES",
    "TORCH_FILL_MODES",
    "affine_maps",
    "check_images",
    "erase",
    "erasing_boxes",
    "is_checked",
    "square_or_row",
    "warp",
]

# Keras' words for what lies outside of an image, and scipy's for the same.
FILL_MODES = {
    "nearest": "nearest",
    "constant": "grid-constant",
    "reflect": "reflect",
    "wrap": "grid-wrap",
}

# torch's words. It has none for "wrap".
TORCH_FILL_MODES = {"nearest": "border", "constant": "zeros", "reflect": "reflection"}

# torch gets about 64 faces of 48x48 at once: the places of their pixels, 1.2 MB of
# float32, then stay in a processor's cache.
_CHUNK_PIXELS = 64 * 48 * 48

_PROCESS = os.getpid()


def square_or_row(n_features):
    """Height and width of a picture of so many pixels: square, or a single row."""
    side = math.isqrt(n_features)
    return (side, side) if side * side == n_features else (1, n_features)


def is_checked(X):
    """Whether scikit-learn's checks would return these pictures as they are.

    Bytes are numbers and finite. The checks take as long as a layer of a network.
    """
    return type(X) is np.ndarray and X.ndim == 3 and X.dtype == np.uint8 and len(X) > 0


def check_images(estimator, X, *, reset):
    """Check the images that a transformer gets, and learn or compare their size.

    Parameters
    ----------
    estimator : estimator
        With `reset`, it gets `image_shape_` and `n_features_in_`.
    X : ndarray of shape (n_samples, height, width) or (n_samples, n_features)
        Images, or rows of features as in `square_or_row`.
    reset : bool
        Whether this is `fit`.

    Returns
    -------
    X : ndarray of the same shape, uint8, float32 or float64
    """
    if not hasattr(X, "ndim"):
        X = np.asarray(X)
    if X.ndim == 1 and X.dtype.kind not in "biufc":
        raise FERError(
            "X is a column of strings or other objects, expected images. Put a "
            "PixelStringTransformer before this step to read pixel strings."
        )
    # In this order of preference: what is neither becomes float32, not float64.
    dtypes = [np.float32, np.uint8, np.float64]
    if X.ndim != 3:
        X = validate_data(estimator, X, dtype=dtypes, reset=reset)
        if reset:
            estimator.image_shape_ = square_or_row(X.shape[1])
        return X
    if not is_checked(X):
        X = check_array(X, dtype=dtypes, allow_nd=True, estimator=estimator)
    size = "{}x{}".format(*X.shape[1:])
    if reset:
        if 0 in X.shape:
            raise FERError(f"X has images of {size} pixels, expected at least 1x1.")
        estimator.image_shape_ = X.shape[1:]
        estimator.n_features_in_ = X.shape[1] * X.shape[2]
    elif X.shape[1:] != estimator.image_shape_:
        raise FERError(
            f"X has images of {size} pixels, but {type(estimator).__name__} was fitted "
            "on {}x{}. Resize them first.".format(*estimator.image_shape_)
        )
    return X


def affine_maps(*, rotation, row_shift, column_shift, shear, zoom, flip, image_shape):
    """Combine rotation, shift, shear, zoom and flip into one map per image.

    The formulas and their order are those of Keras' ``ImageDataGenerator``: about
    the centre of the image, an output pixel is mirrored, zoomed, sheared, shifted
    and rotated to find its place in the input. (Keras 3 applies the height's shift to
    columns and the width's to rows; here each goes where its name says.)

    Parameters
    ----------
    rotation : ndarray of shape (n_images,)
        Angle in degrees, counter-clockwise.
    row_shift, column_shift : ndarray of shape (n_images,)
        Shift in pixels, up and to the left.
    shear : ndarray of shape (n_images,)
        Angle in degrees by which upright lines lean.
    zoom : ndarray of shape (n_images, 2)
        Factor on rows and on columns; below 1 the image appears larger.
    flip : ndarray of bool of shape (n_images,)
        Whether the image is mirrored left to right.
    image_shape : tuple of two int
        Height and width in pixels.

    Returns
    -------
    maps : ndarray of float64 of shape (n_images, 2, 3)
        ``maps[:, :, :2]`` is the matrix and ``maps[:, :, 2]`` the offset of
        :func:`scipy.ndimage.affine_transform`.
    """
    # Maps go backwards, from the output to the input: an image moves up when its
    # pixels read from further down. Take a 5x5 image, whose centre is (2, 2), with
    # one bright pixel at (row 1, column 2), just above the centre.
    #
    #   row_shift=1         (r, c) reads (r + 1, c): (0, 2) becomes bright
    #   zoom=(0.5, 0.5)     (r, c) reads (2, 2) + 0.5 * ((r, c) - (2, 2)):
    #                       (0, 2) becomes bright, twice as far from the centre
    #   flip                (r, c) reads (r, 4 - c): nothing changes in column 2
    #   rotation=90         matrix [[0, 1], [-1, 0]], offset (0, 4): (2, 1) reads
    #                       (0 + 1, 4 - 2) = (1, 2). So (2, 1) becomes bright: what
    #                       was above the centre is left of it, counter-clockwise.
    theta, phi = np.deg2rad(rotation), np.deg2rad(shear)
    mirror = np.where(flip, -1.0, 1.0)
    maps = np.empty((len(theta), 2, 3))
    # The matrix for (row, column) is rotation @ shear @ zoom @ mirror:
    #
    #   [ cos t   sin t]   [cos p   0]   [zoom_r    0   ]   [1     0   ]
    #   [-sin t   cos t] @ [-sin p  1] @ [  0     zoom_c] @ [0   mirror]
    #
    # The first column of rotation @ shear is (cos t cos p - sin t sin p, ...), which
    # is (cos(t + p), -sin(t + p)): shearing turns one axis by another angle.
    maps[:, 0, 0] = np.cos(theta + phi) * zoom[:, 0]
    maps[:, 1, 0] = -np.sin(theta + phi) * zoom[:, 0]
    maps[:, 0, 1] = np.sin(theta) * zoom[:, 1] * mirror
    maps[:, 1, 1] = np.cos(theta) * zoom[:, 1] * mirror
    # The shift comes before the rotation, so it is rotated as well. All of this is
    # about the centre, which has to be subtracted before and added afterwards:
    # matrix @ (p - centre) + shift + centre = matrix @ p + offset.
    centre = (np.asarray(image_shape) - 1) / 2
    maps[:, 0, 2] = np.cos(theta) * row_shift + np.sin(theta) * column_shift
    maps[:, 1, 2] = np.cos(theta) * column_shift - np.sin(theta) * row_shift
    maps[:, :, 2] += centre - maps[:, :, :2] @ centre
    return maps


def warp(
    images,
    maps,
    positions=None,
    *,
    backend="scipy",
    order=1,
    fill_mode="nearest",
    cval=0.0,
    n_threads=1,
):
    """Apply a separate affine map to each image, with one interpolation.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width)
        Grey levels, of any real dtype up to 64 bits.
    maps : ndarray of shape (n_maps, 2, 3)
        Matrices and offsets, from `affine_maps`.
    positions : ndarray of int of shape (n_maps,), default=None
        Position in `images` of the image for each map; None takes them in order.
    backend : {"scipy", "torch"}, default="scipy"
        What computes it. "torch" needs `order` 1 and a `fill_mode` that is in
        `TORCH_FILL_MODES`.
    order : int, default=1
        Order of the spline, 0 (nearest pixel) to 5; 1 is linear.
    fill_mode : {"nearest", "constant", "reflect", "wrap"}, default="nearest"
        What is seen outside of the image: the nearest pixel of its edge, `cval`, its
        mirror image or its repetition.
    cval : float, default=0.0
        Grey level outside of the image with `fill_mode="constant"`.
    n_threads : int, default=1
        Threads to work on; the result is the same.

    Returns
    -------
    warped : ndarray of shape (n_maps, height, width)
        The images after their maps, of the dtype of images; whole numbers are rounded.
    """
    if positions is None:
        positions = np.arange(len(images))
    warped = np.empty((len(positions), *images.shape[1:]), dtype=images.dtype)
    if backend == "torch":
        with _torch_threads(n_threads):
            _warp_by_torch(images, maps, positions, fill_mode, cval, warped)
        return warped

    def warp_part(start, stop):
        for index in range(start, stop):
            ndimage.affine_transform(
                images[positions[index]],
                maps[index, :, :2],
                maps[index, :, 2],
                output=warped[index],
                order=order,
                mode=FILL_MODES[fill_mode],
                cval=cval,
            )

    if n_threads == 1:
        warp_part(0, len(warped))
        return warped
    # scipy releases the GIL while it interpolates, which is nearly all of the time.
    edges = np.linspace(0, len(warped), n_threads + 1).astype(int).tolist()
    with ThreadPoolExecutor(n_threads) as pool:
        # list() raises what a thread raised.
        list(pool.map(warp_part, *zip(*pairwise(edges), strict=True)))
    return warped


def _warp_by_torch(images, maps, positions, fill_mode, cval, out):
    # Imported here, so that importing the augmenter costs no torch.
    import torch

    dtype = np.result_type(images, np.float32)
    places = _places(maps.astype(dtype, copy=False), images.shape[1:])
    down, across = map(torch.from_numpy, places)
    chunk = max(1, _CHUNK_PIXELS // math.prod(images.shape[1:]))
    # Allocated once: memory that is new to the process is slow at first.
    grid = down.new_empty((min(chunk, len(out)), 2, *images.shape[1:]))
    for start in range(0, len(out), chunk):
        part = slice(start, start + chunk)
        pixels = torch.from_numpy(images[positions[part]]).to(grid.dtype)
        if fill_mode == "constant":
            # torch knows only zeros outside.
            pixels = pixels - cval
        places = torch.add(down[part], across[part], out=grid[: len(pixels)])
        warped = torch.nn.functional.grid_sample(
            pixels[:, None],
            places.permute(0, 2, 3, 1),
            mode="bilinear",
            padding_mode=TORCH_FILL_MODES[fill_mode],
            align_corners=False,
        )[:, 0]
        if fill_mode == "constant":
            warped += cval
        if out.dtype.kind in "iu":
            # Only cval can be out of range.
            limits = np.iinfo(out.dtype)
            warped.clamp_(limits.min, limits.max).round_()
        torch.from_numpy(out[part]).copy_(warped)


def _places(maps, image_shape):
    """Give the places in the input that the maps name, in torch's coordinates.

    Parameters
    ----------
    maps : ndarray of shape (n_maps, 2, 3)
        The affine maps.
    image_shape : tuple of two int
        Height and width in pixels.

    Returns
    -------
    down : ndarray of shape (n_maps, 2, height, 1)
        What a pixel's row adds to its (column, row) in the input.
    across : ndarray of shape (n_maps, 2, 1, width)
        What its column adds, and the offset.
    """
    # torch puts columns before rows, and its image reaches from -1 to 1, from the
    # outer edge of the first pixel to that of the last. In a row of four pixels
    #
    #   scipy   -0.5   0     1     2     3   3.5
    #           |  [ 0 ] [ 1 ] [ 2 ] [ 3 ]   |
    #   torch   -1  -0.75 -0.25 0.25  0.75   1
    #
    # so column c of `size` pixels is at (2 * c + 1) / size - 1. A place is linear in
    # row and column: (n, 2, height, 1) + (n, 2, 1, width) gives all pixels' places
    # by one addition, without a product of matrices for each pixel.
    height, width = image_shape
    size = np.array([[width], [height]], dtype=maps.dtype)
    by_row, by_column, offset = np.split(maps[:, ::-1] * (2 / size), 3, axis=2)
    down = by_row * np.arange(height, dtype=maps.dtype)
    across = by_column * np.arange(width, dtype=maps.dtype) + (offset + 1 / size - 1)
    return down[:, :, :, None], across[:, :, None, :]


@contextmanager
def _torch_threads(n_threads):
    """Set the number of torch's threads for this thread of Python, and reset it.

    It is 1 in a forked process, where torch would wait forever for threads that the
    fork did not copy.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(n_threads if os.getpid() == _PROCESS else 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def erasing_boxes(*, area, aspect, row, column, image_shape):
    """Place rectangles in images, after Zhong et al. (2020), "Random erasing".

    Parameters
    ----------
    area : ndarray of shape (n_images,)
        Area of the rectangle as a fraction of the image.
    aspect : ndarray of shape (n_images,)
        Height divided by width.
    row, column : ndarray of shape (n_images,)
        Where it is among the places where it fits, from 0, top or left, to 1.
    image_shape : tuple of two int
        Height and width in pixels.

    Returns
    -------
    boxes : ndarray of intp of shape (n_images, 4)
        Top, bottom, left and right of each rectangle, as in
        ``image[top:bottom, left:right]``.
    """
    # A tenth of 48x48 is 230 pixels. With aspect 2 that is sqrt(230 * 2) = 21 rows
    # of sqrt(230 / 2) = 11 pixels. There are 48 - 21 + 1 = 28 places for its top:
    # row=0.5 chooses 14.
    height, width = image_shape
    pixels = area * (height * width)
    tall = np.clip(np.rint(np.sqrt(pixels * aspect)), 1, height)
    wide = np.clip(np.rint(np.sqrt(pixels / aspect)), 1, width)
    top = np.floor(np.minimum(row, 1 - 1e-6) * (height - tall + 1))
    left = np.floor(np.minimum(column, 1 - 1e-6) * (width - wide + 1))
    return np.stack([top, top + tall, left, left + wide], axis=1).astype(np.intp)


def erase(images, boxes, pixels):
    """Fill a rectangle of each image with a grey level of that image, in place.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width)
        Images, changed in place.
    boxes : ndarray of int of shape (n_images, 4)
        Top, bottom, left and right; a box without area leaves its image alone.
    pixels : ndarray of int of shape (n_images,)
        Which pixel, counted row by row, gives its grey level.
    """
    indices = np.flatnonzero(boxes[:, 1] > boxes[:, 0])
    rows, columns = np.divmod(pixels[indices], images.shape[2])
    levels = images[indices, rows, columns]
    for index, box, level in zip(indices, boxes[indices].tolist(), levels, strict=True):
        top, bottom, left, right = box
        images[index, top:bottom, left:right] = level
