"""Affine maps, and rectangles that are erased, for batches of grey-scale images.

Pure functions of arrays: no random draws, no state. Images have the shape
(n_images, height, width). An affine map takes the (row, column) of an output pixel
to a place in the input image, as in :func:`scipy.ndimage.affine_transform`.
"""

import math

import numpy as np

__all__ = [
    "affine_maps",
    "erase",
    "erasing_boxes",
    "square_or_row",
]


def square_or_row(n_features):
    """Height and width of a picture of so many pixels: square, or a single row."""
    side = math.isqrt(n_features)
    return (side, side) if side * side == n_features else (1, n_features)


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
    indices = np.flatnonzero(boxes[:, 1] > boxes[:, 0])
    rows, columns = np.divmod(pixels[indices], images.shape[2])
    levels = images[indices, rows, columns]
    for index, box, level in zip(indices, boxes[indices].tolist(), levels, strict=True):
        top, bottom, left, right = box
        images[index, top:bottom, left:right] = level
