"""What `FERClassifier` takes: faces, labels, weights and parameters, checked."""

import math
import numbers

import numpy as np
from scipy.sparse import issparse
from sklearn.model_selection import train_test_split
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_array,
    check_consistent_length,
    column_or_1d,
    validate_data,
)
from skorch.callbacks import Callback, InputShapeSetter, LRScheduler

from ._augmented_images import AugmentedImages
from ._image_ops import square_or_row
from ._pixels import grey_level_cure
from .exceptions import FERError


def originals(X):
    """Faces without augmentation."""
    return X.images if isinstance(X, AugmentedImages) else X


def check_faces(clf, X, y="no_validation", *, reset=False, name="X"):
    """Return faces as (n_samples, height, width), and the labels if there are any.

    With `reset`, the classifier learns their size; else it must be the one it knows.
    """
    images = _as_array(originals(X), name)
    shape = getattr(images, "shape", ())
    picture = tuple(map(int, shape[1:])) if len(shape) == 3 else None
    if not reset and picture and picture != clf.image_shape_:
        raise FERError(
            f"{name} has faces of {picture[0]}x{picture[1]} pixels, but "
            f"{type(clf).__name__} was fitted on faces of "
            f"{clf.image_shape_[0]}x{clf.image_shape_[1]} pixels. Resize them."
        )
    if picture:
        images = images.reshape(len(images), math.prod(picture))
    checked = validate_data(clf, images, y, reset=reset, dtype=[np.float32, np.uint8])
    if not isinstance(y, str):
        checked, y = checked
    if reset:
        clf.image_shape_ = picture or square_or_row(clf.n_features_in_)
    faces = checked.reshape(-1, *clf.image_shape_)
    return faces if isinstance(y, str) else (faces, y)


def _as_array(X, name):
    """Make arrays of lists; name the cure for what people hand in by mistake."""
    # Data frames keep the names of their columns, which scikit-learn compares.
    is_frame = hasattr(X, "iloc") or hasattr(X, "__dataframe__")
    if not (is_frame or isinstance(X, np.ndarray) or issparse(X)):
        try:
            X = np.asarray(X)
        except ValueError as error:
            raise FERError(
                f"{name} is a list of faces of different sizes ({error}). Bring them "
                "to one size first."
            ) from error
    shape = getattr(X, "shape", ())
    if len(shape) == 4:
        raise FERError(
            f"{name} has shape {tuple(shape)}, expected (n_samples, height, width). "
            + grey_level_cure(shape)
        )
    first = next(iter(X), None) if len(shape) == 1 else None
    if isinstance(first, str | bytes):
        raise FERError(
            f"{name} is a column of strings, expected faces as arrays. Read them with "
            "PixelStringTransformer, or use make_fer_pipeline, which begins with it."
        )
    if isinstance(first, list | tuple | np.ndarray):
        raise FERError(
            f"{name} is a column whose rows are of type {type(first).__name__}, "
            "expected one array of all faces: np.array(list(X)).reshape(-1, 48, 48) "
            "for faces of 48x48 pixels."
        )
    return X


def check_training_data(clf, X, y, sample_weight, *, reset):
    """Return faces (a view stays one), labels and weights, without rows of weight 0."""
    faces, y = check_faces(clf, X, y, reset=reset)
    check_classification_targets(y)
    if isinstance(X, AugmentedImages):
        faces = X
    if sample_weight is None:
        return faces, y, None
    weights = _check_sample_weight(sample_weight, y, dtype=np.float32)
    if weights.min() < 0:
        row = int(weights.argmin())
        raise FERError(
            f"sample_weight of row {row} is {weights[row]:g}; weights must not be "
            "negative. Leave the row out, or give it 0."
        )
    kept = np.flatnonzero(weights)
    if not len(kept):
        raise FERError(
            "sample_weight is 0 for every row, so that nothing is left to train on. "
            "Give a weight to some."
        )
    return faces[kept], y[kept], weights[kept]


def check_soft_targets(clf, soft_targets, X, sample_weight, targets):
    """Return the share of each class in each row that is trained on, or None."""
    if soft_targets is None:
        return None
    classes, columns = clf.classes_.tolist(), list(getattr(soft_targets, "columns", ()))
    if columns != classes and set(columns) == set(classes):
        raise FERError(
            f"soft_targets is a data frame with the columns {columns}, expected the "
            f"order of classes_, {classes}. Bring them into it: soft_targets[{classes}]"
        )
    shares = check_array(soft_targets, dtype=np.float32, input_name="soft_targets")
    expected = (len(X), len(classes))
    if shares.shape != expected:
        raise FERError(
            f"soft_targets has shape {shares.shape}, expected {expected}: a row for "
            f"each face, a column for each of the classes {classes}."
        )
    if shares.min() < 0:
        row, column = np.argwhere(shares < 0)[0]
        raise FERError(
            f"soft_targets has {shares[row, column]:g} in row {row}, column {column}; "
            "expected probabilities or votes, from 0 up. Of logits, take the softmax."
        )
    if sample_weight is not None:
        # As in check_training_data: what is 0 in single precision is left out.
        weights = _check_sample_weight(sample_weight, X, dtype=np.float32)
        shares = shares[np.flatnonzero(weights)]
    sums = shares.sum(axis=1, keepdims=True)
    weight = np.where(sums > 0, np.float32(clf.soft_target_weight), np.float32(0))
    labels = np.eye(len(classes), dtype=np.float32)[targets]
    return (1 - weight) * labels + weight * shares / np.where(sums > 0, sums, 1)


def check_same_network(clf):
    """Refuse a warm start with another network than the one that is there."""
    wanted = (clf.network, clf.network_params)
    if wanted != clf._made_from:
        raise FERError(
            f"warm_start=True goes on with the network of the last fit, "
            f"{_network(*clf._made_from)}, but the parameters ask for "
            f"{_network(*wanted)}. Set them back, or warm_start=False to start anew."
        )


def _network(network, params):
    return f"{network!r} with network_params={params!r}"


def check_validation_data(clf, X_val, y_val):
    """Return validation faces and class indices, or None where there are none."""
    if X_val is None and y_val is None:
        return None
    if X_val is None or y_val is None:
        raise FERError("X_val and y_val belong together; one of them is None.")
    check_consistent_length(X_val, y_val)
    faces = check_faces(clf, X_val, name="X_val")
    return faces, encode(column_or_1d(y_val, warn=True), clf.classes_, "y_val")


def check_classes(labels):
    """Return the classes among labels, at least two."""
    classes = np.unique(labels)
    if len(classes) < 2:
        raise FERError(
            f"y has one class only ({classes.tolist()}); a classifier needs at least "
            "two. Check the labels, or the rows that were chosen."
        )
    return classes


def check_same_classes(classes, known):
    """Refuse other classes than those of the first call of partial_fit."""
    if not np.array_equal(np.unique(classes), known):
        raise FERError(
            f"classes={np.unique(classes).tolist()} are others than in the first call, "
            f"{known.tolist()}. Leave classes out, or make a new classifier."
        )


def encode(labels, classes, name="y"):
    """Return the index of each label among the classes."""
    unknown = ~np.isin(labels, classes)
    if unknown.any():
        row = int(unknown.argmax())
        label = np.asarray(labels)[row : row + 1].tolist()[0]
        raise FERError(
            f"Row {row} of {name} is {label!r}, which is not among the classes "
            f"{classes.tolist()}. Fit on data that has all classes."
        )
    return np.searchsorted(classes, labels).astype(np.int64)


def hold_out(targets, clf, seed):
    """Return the rows to train on and the rows that early stopping looks at."""
    n_rows = len(targets)
    present, counts = np.unique(targets, return_counts=True)
    n_held = int(np.ceil(clf.validation_fraction * n_rows))
    cure = "Give more faces, or hand in X_val and y_val."
    if counts.min() < 2:
        rare = clf.classes_[present[counts.argmin()]]
        raise FERError(
            "early_stopping sets a part of each class aside, so it needs at least 2 "
            f"faces of each; of class {rare} there is 1. {cure}"
        )
    if min(n_held, n_rows - n_held) < len(present):
        raise FERError(
            f"early_stopping with validation_fraction={clf.validation_fraction:g} "
            f"parts {n_rows} faces into {n_rows - n_held} and {n_held}, and one side "
            f"has fewer than there are classes ({len(present)}). Change "
            f"validation_fraction. {cure}"
        )
    return train_test_split(
        np.arange(n_rows), test_size=n_held, stratify=targets, random_state=seed
    )


def check_parameters(clf):
    """Check what the table of constraints cannot say."""
    resizing = clf.progressive_resizing
    if resizing is not None and not (
        len(resizing) == 2
        and isinstance(resizing[0], numbers.Integral)
        and isinstance(resizing[1], numbers.Real)
        and resizing[0] >= 1
        and 0 <= resizing[1] <= 1
    ):
        raise FERError(
            "The 'progressive_resizing' parameter of FERClassifier must be None or a "
            "pair of a size in pixels, a whole number of at least 1, and a share of "
            f"the training in [0, 1], such as (32, 0.4). Got {resizing!r} instead."
        )
    for callback in clf.callbacks or []:
        part = callback[1] if isinstance(callback, tuple) else callback
        if not isinstance(part, Callback):
            raise FERError(
                "The 'callbacks' parameter of FERClassifier must hold skorch "
                f"callbacks (instances, not classes). Got {callback!r} instead."
            )
        if isinstance(part, InputShapeSetter):
            raise FERError(
                "callbacks holds an InputShapeSetter, which would change the network "
                "after it is made. A network gets the size of the faces as its "
                "parameter image_shape, if it has one."
            )
        if isinstance(part, LRScheduler) and clf.lr_schedule != "constant":
            raise FERError(
                "callbacks holds an LRScheduler, and "
                f"lr_schedule={clf.lr_schedule!r} sets the learning rate as well. Set "
                "lr_schedule='constant', or leave the callback out."
            )
        if isinstance(part, LRScheduler) and clf.checkpoint is not None:
            raise FERError(
                "callbacks holds an LRScheduler, which cannot be resumed from a "
                "checkpoint. Use lr_schedule instead of it, or set checkpoint=None."
            )
    if isinstance(clf.class_weight, dict):
        for label, weight in clf.class_weight.items():
            if not (isinstance(weight, numbers.Real) and 0 <= weight < np.inf):
                raise FERError(
                    "The 'class_weight' parameter of FERClassifier must give each "
                    f"class a number in [0, inf). Got {weight!r} for {label!r}."
                )
