"""Which parts of a face a prediction rests on: cover them one after another."""

import numpy as np


def default_patch(image_shape):
    """Side of the patch, a sixth of the face, and its stride, half of that."""
    patch_size = max(1, min(image_shape) // 6)
    return patch_size, max(1, patch_size // 2)


def cover(image, patch_size, stride):
    """Cover a face at all places of a patch.

    Parameters
    ----------
    image : ndarray of shape (height, width)
        Grey levels.
    patch_size, stride : int
        Side of the patch, and the distance of two places, in pixels.

    Returns
    -------
    places : list of tuple of int
        Top and left of each place.
    covered : ndarray of shape (n_places, height, width)
        The face with the mean of its grey levels at each place.
    """
    tops, lefts = (
        np.unique([*range(0, length - patch_size, stride), length - patch_size])
        for length in image.shape
    )
    places = [(top, left) for top in tops for left in lefts]
    covered = np.repeat(image[np.newaxis], len(places), axis=0)
    for face, (top, left) in zip(covered, places, strict=True):
        face[top : top + patch_size, left : left + patch_size] = round(image.mean())
    return places, covered


def spread(places, falls, patch_size, image_shape):
    """Average over each pixel the falls of the patches that cover it.

    Parameters
    ----------
    places : list of tuple of int
        As `cover` gives them.
    falls : array-like of shape (n_places,)
        How far the probability falls at each place.
    patch_size : int
        Side of the patch in pixels.
    image_shape : tuple of int
        Height and width of the face.

    Returns
    -------
    ndarray of shape (height, width)
    """
    total, visits = np.zeros(image_shape), np.zeros(image_shape)
    for (top, left), fall in zip(places, falls, strict=True):
        patch = np.s_[top : top + patch_size, left : left + patch_size]
        total[patch] += fall
        visits[patch] += 1
    # A stride wider than the patch leaves pixels that were never covered.
    return total / np.maximum(visits, 1)
