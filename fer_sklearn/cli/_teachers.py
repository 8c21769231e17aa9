"""What models and people say of the faces that a network is to learn from."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from .._models import image_shape, load_model
from ..datasets import load_ferplus
from ..exceptions import FERError


def find_soft_targets(train, *, teachers=(), votes=None):
    """Average what teachers and votes say.

    Parameters
    ----------
    train : LabelledFaces
        The faces to train on.
    teachers : sequence of str, default=()
        Model files, run folders or pretrained names.
    votes : path-like, default=None
        The csv of FER+.

    Returns
    -------
    ndarray of shape (n_faces, n_classes) or None
        Probabilities of the sorted labels, rows summing to 1; None where nobody was
        asked.

    Raises
    ------
    FERError
        If a teacher or the votes do not fit the faces.
    """
    opinions = [_ask(teacher, train) for teacher in teachers]
    if votes is not None:
        opinions.append(_translate(votes, train))
    return np.mean(opinions, axis=0) if opinions else None


def _ask(model, train):
    teacher = load_model(model)
    classes = np.unique(train.target).tolist()
    if teacher.classes_.tolist() != classes:
        raise FERError(
            f"The teacher {model} has the classes {teacher.classes_.tolist()}, but the "
            f"faces to train on have {classes}; they must be the same."
        )
    theirs, ours = image_shape(teacher), train.images.shape[1:]
    if theirs != ours:
        raise FERError(
            f"The teacher {model} takes faces of {theirs[0]}x{theirs[1]} pixels, but "
            f"those to train on have {ours[0]}x{ours[1]}; they must be the same."
        )
    return teacher.predict_proba(train.images)


def _translate(path, train):
    """Tell from the votes on a face how likely each label is.

    FER+ and FER2013 name the same face differently more often than not; what the
    votes mean in the words of the labels is learnt from the faces themselves.
    """
    if "Training" not in train.uses():
        raise FERError(
            "--votes needs fer2013.csv with its Usage column: FER+ tells faces apart "
            "by their row alone."
        )
    votes = load_ferplus(path, usage="Training").votes
    if len(votes) != len(train):
        raise FERError(
            f"{path} has votes on {len(votes)} Training faces, but there are "
            f"{len(train)} to train on; FER+ has a row for each row of fer2013.csv."
        )
    shares = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
    model = LogisticRegression(max_iter=1000).fit(shares, train.target)
    return model.predict_proba(shares)
