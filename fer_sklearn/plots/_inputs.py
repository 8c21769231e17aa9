"""Faces and labels in all the forms that users pass."""

from numbers import Integral

import numpy as np

from .._image_ops import square_or_row
from .._pixels import PixelStringTransformer
from ..datasets import EMOTIONS, class_names, emotion_label
from ..datasets._emotions import name_classes
from ..exceptions import FERError


def as_faces(X):
    """Return faces as uint8 array of shape (n_faces, height, width).

    `X` may be pixel strings, an array of shape (n_faces, height, width) or, for square
    faces, (n_faces, n_pixels). Of `AugmentedImages`, it is the samples of epoch 0.
    """
    if np.ndim(X) == 2:
        X = np.asarray(X)
        X = X.reshape(-1, *square_or_row(X.shape[1]))
    return PixelStringTransformer().transform(X)


def as_face(face):
    """Return one face, a string or array of shape (height, width), as uint8 array."""
    if isinstance(face, str):
        face = [face]
    elif np.ndim(face) == 2:
        face = np.asarray(face)[np.newaxis]
    faces = as_faces(face)
    if len(faces) != 1:
        raise FERError(f"Expected a single face, got {len(faces)}. Pass one: X[0].")
    return faces[0]


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

    Whole numbers are named by `display_labels`, or else by the rule that
    `fer_sklearn.datasets.class_names` documents. Strings are names already, except
    where all labels are strings and `display_labels` is given.

    Parameters
    ----------
    *columns : array-like of shape (n,)
        Labels, such as ``y_true`` and ``y_pred``.
    classes : array-like, default=None
        Further labels that get a name even if no column has them.
    display_labels : sequence of str, default=None
        Names of the sorted distinct labels, or of the labels 0, 1, 2, ..., such as
        `EMOTIONS`.

    Returns
    -------
    columns : list of ndarray of str
        The columns' names.
    class_names : ndarray of str
        All names; emotions first and in the order of `EMOTIONS`. Those of
        `display_labels` are in the order of their labels.
    """
    # name_labels([3, 6], ["happy", "sad"]) gives the columns ["happy", "neutral"] and
    # ["happy", "sad"], and the names ["happy", "sad", "neutral"], in FER2013's order.
    columns = [_check_labels(column) for column in columns]
    known = [] if classes is None else [_check_labels(classes)]
    whole = [c for c in (*columns, *known) if c.dtype.kind in "iu"]
    if display_labels is None:
        labels = np.unique(np.concatenate(whole)) if whole else np.array([], dtype=int)
        names = name_classes(labels)
    else:
        labels = np.unique(np.concatenate(known or whole or columns))
        names = _choose_names(display_labels, labels)
        _check_known(columns, labels)
    called = dict(zip(labels.tolist(), names, strict=True))
    named = [_call(column, called) for column in columns]
    every = np.unique(np.concatenate(named + [_call(c, called) for c in known]))
    if display_labels is None:
        return named, _in_order(every)
    others = np.setdiff1d(every, names)
    return named, np.array([*names, *others], dtype=str)


def _call(column, called):
    return np.array([called.get(x, str(x)) for x in column.tolist()], dtype=str)


def _choose_names(display_labels, labels):
    """Give a name for each label: by its place among them, or by the label itself."""
    names = list(map(str, display_labels))
    if len(names) == len(labels):
        return names
    if labels.dtype.kind in "iu" and labels.min() >= 0 and labels.max() < len(names):
        return [names[label] for label in labels]
    raise FERError(
        f"display_labels has {len(names)} names for {len(labels)} labels: "
        f"{labels.tolist()}."
    )


def _check_known(columns, labels):
    for column in columns:
        if column.dtype.kind == labels.dtype.kind:
            unknown = np.setdiff1d(column, labels)
            if len(unknown):
                raise FERError(
                    f"Label {unknown[0].item()!r} is not among the classes "
                    f"{labels.tolist()}."
                )


def name_by_model(estimator, *columns):
    """Give labels the names that a model's classes have; others as they are.

    An estimator without `classes_` gives no names; its labels come back unchanged.
    """
    if not hasattr(estimator, "classes_"):
        return columns
    labels = np.asarray(estimator.classes_).tolist()
    called = dict(zip(labels, class_names(estimator), strict=True))
    return [_call(_check_labels(column), called) for column in columns]


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
    return labels.astype(np.int64 if labels.dtype.kind in "iu" else str)


def _in_order(names):
    """Sort names: emotions as in `EMOTIONS`, then numbers, then others."""

    def key(name):
        place = emotion_label(name)
        if place is not None:
            return 0, place, name
        return (1, int(name), name) if name.lstrip("-").isdecimal() else (2, 0, name)

    return np.array(sorted(names.tolist(), key=key))


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
            f"{type(estimator).__name__} has no predict_proba, which this plot "
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
            "Pass labels=estimator.classes_."
        )
    return y_prob, labels
