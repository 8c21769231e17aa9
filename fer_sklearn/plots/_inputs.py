"""Faces and labels in all the forms that people hold them in."""

from math import isqrt
from numbers import Integral

import numpy as np

from .._pixels import PixelStringTransformer
from ..datasets import EMOTIONS, emotion_label
from ..exceptions import FERError


def as_faces(X):
    """Return faces as uint8 array of shape (n_faces, height, width).

    `X` may be pixel strings, an array of shape (n_faces, height, width) or, for square
    faces, (n_faces, n_pixels); an AugmentedImages counts as its first draw.
    """
    array = np.asarray(X)
    if array.ndim == 0 or len(array) == 0:
        raise FERError("X holds no faces; expected at least one.")
    if array.ndim == 1:
        side = _square_side(len(str(array[0]).split()), "The first pixel string")
        return PixelStringTransformer(image_shape=(side, side)).fit_transform(X)
    if array.ndim == 2:
        side = _square_side(array.shape[1], "A row of X")
        array = array.reshape(-1, side, side)
    if array.ndim != 3:
        raise FERError(
            f"X has shape {array.shape}; expected pixel strings or grey-scale faces of "
            "shape (n_faces, height, width)."
        )
    if array.dtype.kind not in "iu":
        raise FERError(
            f"X has dtype {array.dtype}; expected grey levels 0 to 255 as whole "
            "numbers. For faces between 0 and 1: (255 * X).astype('uint8')."
        )
    if array.min() < 0 or array.max() > 255:
        raise FERError(
            f"X has grey levels from {array.min()} to {array.max()}; expected 0 to 255."
        )
    return array.astype(np.uint8, copy=False)


def as_face(face):
    """Return one face, a string or array of shape (height, width), as uint8 array."""
    if isinstance(face, str):
        face = [face]
    elif np.ndim(face) == 2:
        face = np.asarray(face)[np.newaxis]
    faces = as_faces(face)
    if len(faces) != 1:
        raise FERError(f"Expected a single face, got {len(faces)}. Hand in one: X[0].")
    return faces[0]


def _square_side(n_pixels, what):
    side = isqrt(n_pixels)
    if side * side != n_pixels or side < 2:
        raise FERError(
            f"{what} has {n_pixels} grey levels, which makes no square face. Hand in "
            "faces of another shape as an array (n_faces, height, width)."
        )
    return side


def take(X, indices):
    """Rows of `X` by position, whether a list, an array, a view or of pandas."""
    if hasattr(X, "iloc"):
        return X.iloc[indices]
    return (np.asarray(X) if isinstance(X, list | tuple) else X)[indices]


def check_lengths(**columns):
    """Raise unless all that is not None has one length; names are for the message."""
    lengths = {name: len(c) for name, c in columns.items() if c is not None}
    if len(set(lengths.values())) > 1:
        counted = ", ".join(f"{name} has {n}" for name, n in lengths.items())
        raise FERError(f"Expected the same number of rows everywhere, but {counted}.")


def check_count(**counts):
    """Raise unless all are whole numbers from 1; names are for the message."""
    for name, count in counts.items():
        if not isinstance(count, Integral) or count < 1:
            raise FERError(f"{name} is {count!r}, expected a whole number from 1.")


def name_labels(*columns, classes=None, display_labels=None):
    """Give labels their names.

    Whole numbers 0 to 6 are named by `EMOTIONS`, whatever else is written as it is.

    Parameters
    ----------
    *columns : array-like of shape (n,)
        Labels, such as ``y_true`` and ``y_pred``.
    classes : array-like, default=None
        Further labels that get a name even if no column has them.
    display_labels : sequence of str, default=None
        Names of the sorted distinct labels, instead of `EMOTIONS`.

    Returns
    -------
    columns : list of ndarray of str
        The columns' names.
    class_names : ndarray of str
        All names, in the order of `EMOTIONS` if they are emotions, else sorted.
    """
    columns = [_check_labels(column) for column in columns]
    known = [_check_labels(classes)] if classes is not None else []
    if display_labels is None:
        names = [_default_names(column) for column in columns]
        class_names = _in_order(names + [_default_names(c) for c in known])
        return names, class_names
    labels = np.unique(np.concatenate(known or columns))
    display_labels = np.asarray(display_labels, dtype=str)
    if len(display_labels) != len(labels):
        raise FERError(
            f"display_labels has {len(display_labels)} names for {len(labels)} labels: "
            f"{labels.tolist()}."
        )
    for column in columns:
        strangers = np.setdiff1d(column, labels)
        if len(strangers):
            raise FERError(
                f"Label {strangers[0].item()!r} is not among the classes "
                f"{labels.tolist()}."
            )
    return [display_labels[np.searchsorted(labels, c)] for c in columns], display_labels


def _check_labels(labels):
    labels = np.asarray(labels)
    if labels.ndim != 1 or len(labels) == 0:
        raise FERError(f"Labels have shape {labels.shape}, expected (n,) with n > 0.")
    if labels.dtype.kind == "f":
        bad = np.flatnonzero(labels != np.floor(labels))  # NaN is unequal to itself
        if len(bad):
            raise FERError(
                f"Label {bad[0]} is {labels[bad[0]]}, expected an emotion: a whole "
                "number 0 to 6, or a string."
            )
        labels = labels.astype(np.int64)
    if labels.dtype.kind == "O":
        bad = [i for i, v in enumerate(labels) if v is None or v != v]
        if bad:
            raise FERError(f"Label {bad[0]} is missing; leave the row out.")
        if all(isinstance(v, int | np.integer) for v in labels):
            labels = labels.astype(np.int64)
    return labels if labels.dtype.kind in "iu" else labels.astype(str)


def _default_names(labels):
    if labels.dtype.kind in "iu" and labels.min() >= 0 and labels.max() < len(EMOTIONS):
        return np.asarray(EMOTIONS)[labels]
    return labels.astype(str)


def _in_order(columns):
    names = np.unique(np.concatenate(columns))
    places = [emotion_label(name) for name in names]
    if None not in places:
        return names[np.argsort(places, kind="stable")]
    if all(name.lstrip("-").isdigit() for name in names):
        return names[np.argsort([int(name) for name in names])]
    return names


def find_fitted(estimator, attribute):
    """Find what holds `attribute`: the estimator, its last step, a search's best."""
    candidate = estimator
    while not hasattr(candidate, attribute):
        if hasattr(candidate, "best_estimator_"):
            candidate = candidate.best_estimator_
        elif hasattr(candidate, "steps"):
            candidate = candidate.steps[-1][1]
        else:
            raise FERError(
                f"{type(estimator).__name__} has no {attribute}. Expected a fitted "
                "FERClassifier, or a pipeline or search that ends in one."
            )
    return candidate


def predict_proba(estimator, X):
    """Probabilities and classes, or an error that says what the estimator lacks."""
    if not hasattr(estimator, "predict_proba"):
        raise FERError(
            f"{type(estimator).__name__} has no predict_proba, which this picture "
            "needs. Wrap it in sklearn.calibration.CalibratedClassifierCV."
        )
    return np.asarray(estimator.predict_proba(X)), np.asarray(estimator.classes_)


def check_prob(y_prob, labels):
    """Return probabilities (n, n_classes) and their labels, checked for each other."""
    y_prob = np.asarray(y_prob, dtype=float)
    if y_prob.ndim != 2 or not ((y_prob >= 0) & (y_prob <= 1)).all():
        raise FERError(
            f"y_prob has shape {y_prob.shape}; expected probabilities between 0 and 1 "
            "of shape (n_faces, n_classes), as predict_proba gives them."
        )
    labels = np.arange(len(EMOTIONS)) if labels is None else np.asarray(labels)
    if len(labels) != y_prob.shape[1]:
        raise FERError(
            f"y_prob has {y_prob.shape[1]} columns for {len(labels)} labels. "
            "Hand in labels=estimator.classes_."
        )
    return y_prob, labels
