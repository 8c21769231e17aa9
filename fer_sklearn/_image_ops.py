"""Batches of grey-scale images under affine maps, in scipy.ndimage's conventions.

Pure functions of arrays: no random draws, no state. Images have the shape
(n_images, height, width). An affine map takes the (row, column) of an output pixel
to a place in the input image, as in :func:`scipy.ndimage.affine_transform`.
"""

import math
import threading

import numpy as np
from scipy import ndimage

__all__ = ["FILL_MODES", "affine_maps", "erase", "erasing_boxes", "warp"]

# Keras' words for what lies outside of an image, and scipy's for the same.
FILL_MODES = {
    "nearest": "nearest",
    "constant": "constant",
    "reflect": "reflect",
    "wrap": "grid-wrap",
}

# Images worked on at once: their arrays of floats stay in a processor's cache.
_CHUNK_PIXELS = 16 * 48 * 48

# Larger arrays, of pictures far larger than faces, are not kept.
_SCRATCH_BYTES = 2**20

_thread = threading.local()


def affine_maps(*, rotation, row_shift, column_shift, shear, zoom, flip, image_shape):
    """Combine rotation, shift, shear, zoom and flip into one map an image.

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
    theta, phi = np.deg2rad(rotation), np.deg2rad(shear)
    mirror = np.where(flip, -1.0, 1.0)
    maps = np.empty((len(theta), 2, 3))
    # Rotation times shear: the sheared axis is turned by the sum of both angles.
    maps[:, 0, 0] = np.cos(theta + phi) * zoom[:, 0]
    maps[:, 1, 0] = -np.sin(theta + phi) * zoom[:, 0]
    maps[:, 0, 1] = np.sin(theta) * zoom[:, 1] * mirror
    maps[:, 1, 1] = np.cos(theta) * zoom[:, 1] * mirror
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
    order=1,
    fill_mode="nearest",
    cval=0.0,
    out=None,
):
    """Apply an affine map of its own to each image, with one interpolation.

    The result is that of :func:`scipy.ndimage.affine_transform` image by image. Order
    1 has a kernel of its own here, which does many images at once in a third to a
    quarter of the time; the other orders call scipy.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width)
        Grey levels, of any real dtype.
    maps : ndarray of shape (n_maps, 2, 3)
        Matrices and offsets, from `affine_maps`.
    positions : ndarray of int of shape (n_maps,), default=None
        Position in `images` of the image for each map; None takes them in order.
    order : int, default=1
        Order of the spline, 0 (nearest pixel) to 5; 1 is linear.
    fill_mode : {"nearest", "constant", "reflect", "wrap"}, default="nearest"
        What is seen outside of the image: the nearest pixel of its edge, `cval`, its
        mirror image or its repetition.
    cval : float, default=0.0
        Grey level outside of the image with `fill_mode="constant"`.
    out : ndarray of shape (n_maps, height, width), default=None
        Where the result goes; of the dtype of images.

    Returns
    -------
    out : ndarray of shape (n_maps, height, width)
        The images after their maps; whole numbers are rounded.
    """
    if positions is None:
        positions = np.arange(len(images))
    if out is None:
        out = np.empty((len(positions), *images.shape[1:]), dtype=images.dtype)
    if order != 1:
        _warp_by_scipy(images, maps, positions, order, fill_mode, cval, out)
        return out
    step = max(1, _CHUNK_PIXELS // (images.shape[1] * images.shape[2]))
    for start in range(0, len(out), step):
        chunk = slice(start, start + step)
        originals = images[positions[chunk]]
        _warp_linear(originals, maps[chunk], fill_mode, cval, out[chunk])
    return out


def _warp_by_scipy(images, maps, positions, order, fill_mode, cval, out):
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


def _warp_linear(images, maps, fill_mode, cval, out):
    dtype = _working_dtype(images)
    maps = maps.astype(dtype)
    rows = _coordinates(maps[:, 0], images.shape[1:], "rows")
    columns = _coordinates(maps[:, 1], images.shape[1:], "columns")
    outside = None
    if fill_mode == "constant":
        outside = _is_outside(rows, images.shape[1])
        outside |= _is_outside(columns, images.shape[2])
    elif fill_mode == "wrap":
        # One more row and column, in which the image begins again.
        images = np.pad(images, ((0, 0), (0, 1), (0, 1)), mode="wrap")
    _fold(rows, out.shape[1], fill_mode)
    _fold(columns, out.shape[2], fill_mode)
    pixels = _scratch("pixels", images.shape, dtype)
    np.copyto(pixels, images)
    result = _interpolate(pixels, rows, columns)
    if outside is not None:
        result[outside] = cval
    if out.dtype.kind in "iu":
        np.rint(result, out=result)
    np.copyto(out, result, casting="unsafe")


def _working_dtype(images):
    """Give float32 where it holds the pixels and counts them exactly."""
    is_large = images[0].size >= 2**24
    return np.float64 if is_large or images.dtype == np.float64 else np.float32


def _scratch(name, shape, dtype):
    """Give an array to write into, in memory that a thread uses again and again.

    Fresh memory comes from the system page by page, which takes as long as all of the
    arithmetic here.
    """
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    if n_bytes > _SCRATCH_BYTES:
        return np.empty(shape, dtype=dtype)
    buffers = _thread.__dict__
    if name not in buffers or len(buffers[name]) < n_bytes:
        buffers[name] = np.empty(n_bytes, dtype=np.uint8)
    return buffers[name][:n_bytes].view(dtype).reshape(shape)


def _coordinates(coefficients, image_shape, name):
    """Give a coordinate in the input for every output pixel of every image."""
    height, width = image_shape
    dtype = coefficients.dtype
    by_row = coefficients[:, :1] * np.arange(height, dtype=dtype)
    by_row += coefficients[:, 2:]
    by_column = coefficients[:, 1:2] * np.arange(width, dtype=dtype)
    out = _scratch(name, (len(coefficients), height, width), dtype)
    return np.add(by_row[:, :, None], by_column[:, None, :], out=out)


def _is_outside(coordinates, size):
    # Rounding must not push a pixel over the edge.
    tolerance = 4 * size * np.finfo(coordinates.dtype).eps
    return (coordinates < -tolerance) | (coordinates > size - 1 + tolerance)


def _fold(coordinates, size, fill_mode):
    """Bring coordinates into the image, in place."""
    if fill_mode == "wrap":
        np.mod(coordinates, size, out=coordinates)
        # A tiny negative number modulo size is rounded to size itself.
        np.minimum(coordinates, size, out=coordinates)
        return
    if fill_mode == "reflect":
        coordinates += 0.5
        np.mod(coordinates, 2 * size, out=coordinates)
        np.minimum(coordinates, 2 * size - coordinates, out=coordinates)
        coordinates -= 0.5
    np.clip(coordinates, 0, size - 1, out=coordinates)


def _interpolate(images, rows, columns):
    """Interpolate linearly between the four pixels around each place."""
    n_images, height, width = images.shape
    shape, dtype = rows.shape, rows.dtype
    at_row, at_column = (_scratch(f"whole {axis}", shape, dtype) for axis in "yx")
    rows -= np.floor(rows, out=at_row)
    columns -= np.floor(columns, out=at_column)
    # Counting pixels in floats is quicker than in integers, and exact in one image.
    at_row *= width
    at_row += at_column
    at = _scratch("at", shape, np.intp)
    np.copyto(at, at_row, casting="unsafe")
    at += (np.arange(n_images) * (height * width))[:, None, None]
    upper, lower = (_scratch(name, shape, dtype) for name in ("upper", "lower"))
    pixels = images.reshape(-1)
    # at_row and at_column are free to be written over from here on.
    _between(pixels, at, columns, upper, at_row)
    at += width
    _between(pixels, at, columns, lower, at_row)
    lower -= upper
    lower *= rows
    upper += lower
    return upper


def _between(pixels, at, weight, out, right):
    """Interpolate between the pixels at `at` and their neighbours to the right.

    Where the neighbour lies beyond the image, its weight is exactly zero: any pixel
    serves, and "clip" keeps the last one in bounds.
    """
    pixels.take(at, mode="clip", out=out)
    at += 1
    pixels.take(at, mode="clip", out=right)
    at -= 1
    right -= out
    right *= weight
    out += right


def erasing_boxes(*, area, aspect, row, column, image_shape):
    """Place rectangles in images, after Zhong et al. (2020), "Random erasing".

    Parameters
    ----------
    area : ndarray of shape (n_images,)
        Area of the rectangle as a fraction of the image.
    aspect : ndarray of shape (n_images,)
        Height divided by width.
    row, column : ndarray of shape (n_images,)
        Where it lies among the places where it fits, from 0, top or left, to 1.
    image_shape : tuple of two int
        Height and width in pixels.

    Returns
    -------
    boxes : ndarray of intp of shape (n_images, 4)
        Top, bottom, left and right of each rectangle, as in
        ``image[top:bottom, left:right]``.
    """
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
        Which pixel, counted row by row, lends its grey level.
    """
    for index in np.flatnonzero(boxes[:, 1] > boxes[:, 0]):
        top, bottom, left, right = boxes[index].tolist()
        image = images[index]
        image[top:bottom, left:right] = image.flat[pixels[index]]
