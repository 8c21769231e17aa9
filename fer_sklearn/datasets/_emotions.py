"""The seven emotions in FER2013's order, their synonyms, and the names of classes."""

import numpy as np

from ..exceptions import FERError, printable

__all__ = ["EMOTIONS", "class_names", "emotion_label"]

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

_SYNONYMS = {
    "angry": ("anger",),
    "disgust": ("disgusted",),
    "fear": ("fearful", "afraid", "scared"),
    "happy": ("happiness", "joy", "joyful"),
    "sad": ("sadness",),
    "surprise": ("surprised",),
    "neutral": ("neutrality",),
}

_LABELS = {
    word: label
    for label, emotion in enumerate(EMOTIONS)
    for word in (emotion, *_SYNONYMS[emotion])
}


def emotion_label(word):
    """Return the FER2013 label of an emotion's name, or None for any other word.

    Case does not matter, and common synonyms are known.

    Parameters
    ----------
    word : str
        Such as ``"happy"``, ``"Happy"`` or ``"happiness"``.

    Returns
    -------
    int or None
        0 to 6, the place in `EMOTIONS`.

    Examples
    --------
    >>> from fer_sklearn.datasets import emotion_label
    >>> emotion_label("Sadness")
    4
    >>> emotion_label("contempt") is None
    True
    """
    return _LABELS.get(word.strip().casefold())


# What is said instead of an emotion whose probability is too low.
UNCERTAIN = "uncertain"


def most_probable(probabilities, names, min_confidence=0.0):
    """Name the most probable class of one face.

    Parameters
    ----------
    probabilities : ndarray of shape (n_classes,)
        Of each class.
    names : sequence of str
        Of the classes.
    min_confidence : float, default=0.0
        Below this probability, the answer is `UNCERTAIN`.

    Returns
    -------
    str
    """
    best = int(probabilities.argmax())
    return names[best] if probabilities[best] >= min_confidence else UNCERTAIN


def class_names(model):
    r"""Name the classes of a fitted model.

    The command line, the web service, csv files and pictures all use this function.
    The rules:

    1. Classes have the names that were given in training:
       ``fit(..., class_names=faces.target_names)``. The command line does so for all
       data that it reads. Names are stored in the model and in its file.
    2. Otherwise, if the labels are the numbers 0 to 6, all seven of them, they are the
       emotions of FER2013.
    3. All other labels are their own names: 0 and 1 are "0" and "1".

    Control characters are escaped, as in ``"\x1b[31m"``: names reach terminals.

    Parameters
    ----------
    model : estimator
        Fitted: a `FERClassifier`, or a pipeline or search that ends in one. Any other
        classifier is named by its `classes_`, by rules 2 and 3.

    Returns
    -------
    list of str
        In the order of ``model.classes_``.

    Raises
    ------
    FERError
        If the model is not fitted or is not a classifier.

    Examples
    --------
    >>> from fer_sklearn import EMOTIONS, FERClassifier, PixelStringTransformer
    >>> from fer_sklearn import make_faces
    >>> from fer_sklearn.datasets import class_names
    >>> faces = make_faces(70, image_shape=(16, 16), random_state=0)
    >>> X = PixelStringTransformer(image_shape=(16, 16)).transform(faces.data)
    >>> clf = FERClassifier("nano", max_epochs=1).fit(X, faces.target)
    >>> class_names(clf)[:4]
    ['angry', 'disgust', 'fear', 'happy']

    A model trained on fewer emotions needs to be given their names:

    >>> few = (faces.target == 3) | (faces.target == 4)
    >>> class_names(clf.fit(X[few], faces.target[few]))
    ['3', '4']
    >>> clf = clf.fit(X[few], faces.target[few], class_names=EMOTIONS)
    >>> class_names(clf)
    ['happy', 'sad']
    """
    last = model
    while not hasattr(last, "class_names_"):
        if hasattr(last, "best_estimator_"):
            last = last.best_estimator_
        elif hasattr(last, "steps"):
            last = last.steps[-1][1]
        elif hasattr(model, "classes_"):
            return name_classes(model.classes_)
        else:
            raise FERError(
                f"{type(model).__name__} has no classes_. Expected a fitted classifier."
            )
    return list(last.class_names_)


def name_classes(classes, names=None):
    """Name labels by the rule that `class_names` documents.

    Parameters
    ----------
    classes : array-like of shape (n_classes,)
        Sorted labels, each once.
    names : sequence of str, default=None
        Names of the labels 0, 1, 2, ...; None applies rules 2 and 3.

    Returns
    -------
    list of str

    Raises
    ------
    FERError
        If `names` does not name all of `classes`, or has duplicates.
    """
    labels = np.asarray(classes)
    is_whole = labels.dtype.kind in "iu"
    if names is None:
        if is_whole and np.array_equal(labels, range(len(EMOTIONS))):
            return list(EMOTIONS)
        return [printable(str(label)) for label in labels.tolist()]
    if not is_whole:
        raise FERError(
            "class_names names the labels 0, 1, 2, ..., but the labels are "
            f"{labels.tolist()[:5]}. Leave it out: such labels are names already."
        )
    names = list(names)
    if labels.min() < 0 or labels.max() >= len(names):
        outside = labels.min() if labels.min() < 0 else labels.max()
        raise FERError(
            f"class_names has {len(names)} names, for the labels 0 to "
            f"{len(names) - 1}, but there is a label {outside}. Give a name for every "
            "label from 0, such as the target_names of a dataset."
        )
    chosen = [names[label] for label in labels.tolist()]
    if not all(isinstance(name, str) for name in chosen):
        raise FERError(f"class_names must hold strings, got {chosen[:5]}.")
    if len(set(chosen)) < len(chosen):
        raise FERError(f"class_names must be different from each other, got {chosen}.")
    return [printable(name) for name in chosen]
