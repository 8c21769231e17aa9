"""Batches of images, each under an affine map of its own.

What is computed is scipy.ndimage's: its conventions for maps, edges and splines. It
does the work, too, but for linear interpolation, the usual one: there
:func:`torch.nn.functional.grid_sample` gives the same to rounding, many images at once
and in a fraction of the time.
"""

import math
import os
from contextlib import contextmanager
from itertools import pairwise

import joblib
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
_CHUNK_PIXELS = 64 * 48 * 48

_PROCESS = os.getpid()


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
    if order == 1 and fill_mode in _PADDING_MODES:
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

    edges = np.linspace(0, len(warped), n_threads + 1).astype(int).tolist()
    joblib.Parallel(n_threads, require="sharedmem")(
        joblib.delayed(warp_part)(*pair) for pair in pairwise(edges)
    )
    return warped


def _warp_by_torch(images, maps, positions, fill_mode, cval, out):
    # Imported here: who only imports the augmenter need not wait for torch.
    import torch

    dtype = np.result_type(images, np.float32)
    places = _places(maps.astype(dtype, copy=False), images.shape[1:])
    down, across = map(torch.from_numpy, places)
    chunk = max(1, _CHUNK_PIXELS // math.prod(images.shape[1:]))
    # Taken once: memory that is new to the process is slow at first.
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
            padding_mode=_PADDING_MODES[fill_mode],
            align_corners=False,
        )[:, 0]
        if fill_mode == "constant":
            warped += cval
            if out.dtype.kind in "iu":
                limits = np.iinfo(out.dtype)
                warped.clamp_(limits.min, limits.max)
        if out.dtype.kind in "iu":
            warped.round_()
        torch.from_numpy(out[part]).copy_(warped)


def _places(maps, image_shape):
    """Give the places in the input that the maps name, in torch's coordinates.

    There columns come before rows, and the image reaches from -1 to 1 on both axes,
    from the outer edges of its pixels.

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
    height, width = image_shape
    size = np.array([[width], [height]], dtype=maps.dtype)
    by_row, by_column, offset = np.split(maps[:, ::-1] * (2 / size), 3, axis=2)
    down = by_row * np.arange(height, dtype=maps.dtype)
    across = by_column * np.arange(width, dtype=maps.dtype) + (offset + 1 / size - 1)
    return down[:, :, :, None], across[:, :, None, :]


@contextmanager
def _torch_threads(n_threads):
    """Have torch work on so many threads, in this thread of Python's.

    On one in a forked process: there torch's threads would wait for ever for others
    that the fork left behind.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(n_threads if os.getpid() == _PROCESS else 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
