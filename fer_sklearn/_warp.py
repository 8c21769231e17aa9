"""Batches of images, each under an affine map of its own.

What is computed is scipy.ndimage's: its conventions for maps, edges and splines. It
does the work, too, but for linear interpolation, the usual one: there
:func:`torch.nn.functional.grid_sample` gives the same to rounding, many images at once
and in a fraction of the time.
"""

import math
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
from scipy import ndimage

__all__ = ["FILL_MODES", "warp"]

# Keras' words for what lies outside of an image, and scipy's for the same.
FILL_MODES = {
    "nearest": "nearest",
    "constant": "grid-constant",
    "reflect": "reflect",
    "wrap": "grid-wrap",
}

# And torch's, which has no word for "wrap".
_PADDING_MODES = {"nearest": "border", "constant": "zeros", "reflect": "reflection"}

# Images worked on at once: what is computed for them stays in a processor's cache.
_CHUNK_PIXELS = 128 * 48 * 48


def warp(
    images,
    maps,
    positions=None,
    *,
    order=1,
    fill_mode="nearest",
    cval=0.0,
    n_threads=1,
):
    """Apply an affine map of its own to each image, with one interpolation.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width)
        Grey levels, of any real dtype up to 64 bits.
    maps : ndarray of shape (n_maps, 2, 3)
        Matrices and offsets, from `affine_maps`: they take the (row, column) of an
        output pixel to a place in the input image, as in
        :func:`scipy.ndimage.affine_transform`.
    positions : ndarray of int of shape (n_maps,), default=None
        Position in `images` of the image for each map; None takes them in order.
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
    share = math.ceil(len(warped) / n_threads)
    step = max(1, min(share, _CHUNK_PIXELS // math.prod(images.shape[1:])))
    starts = range(0, len(warped), step)
    linear = order == 1 and fill_mode in _PADDING_MODES

    def apply(start):
        part = slice(start, start + step)
        given = images, positions[part], maps[part], fill_mode, cval, warped[part]
        if linear:
            _warp_by_torch(*given)
        else:
            _warp_by_scipy(*given, order)

    if linear:
        with _torch_on_one_thread():
            _for_each(apply, starts, n_threads)
    else:
        _for_each(apply, starts, n_threads)
    return warped


def _warp_by_scipy(images, positions, maps, fill_mode, cval, out, order):
    for position, affine, result in zip(positions, maps, out, strict=True):
        ndimage.affine_transform(
            images[position],
            affine[:, :2],
            affine[:, 2],
            output=result,
            order=order,
            mode=FILL_MODES[fill_mode],
            cval=cval,
        )


def _warp_by_torch(images, positions, maps, fill_mode, cval, out):
    # Imported here: who only imports the augmenter need not wait for torch.
    import torch

    dtype = np.result_type(images.dtype, np.float32)
    pixels = images[positions].astype(dtype, copy=False)
    if fill_mode == "constant":
        # torch knows only zeros outside.
        pixels = pixels - dtype.type(cval)
    warped = torch.nn.functional.grid_sample(
        torch.from_numpy(pixels)[:, None],
        torch.from_numpy(_grid(maps.astype(dtype, copy=False), images.shape[1:])),
        mode="bilinear",
        padding_mode=_PADDING_MODES[fill_mode],
        align_corners=False,
    )[:, 0].numpy()
    if fill_mode == "constant":
        warped += dtype.type(cval)
    if out.dtype.kind in "iu":
        limits = np.iinfo(out.dtype)
        np.rint(warped, out=warped)
        np.clip(warped, limits.min, limits.max, out=warped)
    np.copyto(out, warped, casting="unsafe")


def _grid(maps, image_shape):
    """Give the places in the input that the maps name, in torch's coordinates.

    The last axis is (column, row), and the image reaches from -1 to 1 on either, from
    the outer edges of its pixels.
    """
    height, width = image_shape
    grid = np.empty((len(maps), height, width, 2), dtype=maps.dtype)
    rows = np.arange(height, dtype=maps.dtype)
    columns = np.arange(width, dtype=maps.dtype)
    for axis, size in enumerate(image_shape):
        by_row, by_column, offset = np.split(maps[:, axis] * (2 / size), 3, axis=1)
        np.add(
            (by_row * rows)[:, :, None],
            (by_column * columns + (offset + (1 / size - 1)))[:, None, :],
            out=grid[..., 1 - axis],
        )
    return grid


@contextmanager
def _torch_on_one_thread():
    """Keep torch's own threads out: they would come on top of ours.

    Nor may they be used in a process that was forked from one that has used them.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _for_each(apply, items, n_threads):
    if n_threads == 1 or len(items) < 2:
        for item in items:
            apply(item)
    else:
        list(_thread_pool(n_threads, os.getpid()).map(apply, items))


@lru_cache(maxsize=4)
def _thread_pool(n_threads, process):
    # Threads do not survive a fork, so a forked worker process makes its own.
    return ThreadPoolExecutor(n_threads, thread_name_prefix="augment")
