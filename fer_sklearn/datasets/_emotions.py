"""The seven emotions, in FER2013's order, and the words people use for them."""

import numpy as np

__all__ = ["EMOTIONS", "class_names", "emotion_label"]

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

_SYNONYMS = {
    "angry": ("anger",),
    "disgust": ("disgusted",),
    "fear": ("fearful", "afraid", "scared"),
    "happy": ("happiness", "joy", "joyful"),
    "sad": ("sadness",),
    "surprise": ("surprised",),
    "neutral": ("neutrality", "calm"),
}

_LABELS = {
    word: label
    for label, emotion in enumerate(EMOTIONS)
    for word in (emotion, *_SYNONYMS[emotion])
}


def emotion_label(word):
    """Return the FER2013 label of an emotion's name, or None for another word.

    Upper and lower case are the same, and so are common synonyms.

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


def are_emotions(classes):
    """Whether classes are FER2013's own: the numbers 0 to 6, each of them.

    Fewer numbers may be anybody's labels, such as 0 for calm and 1 for tense.
    """
    labels = np.asarray(classes)
    return labels.dtype.kind in "iu" and np.array_equal(labels, range(len(EMOTIONS)))


def class_names(classes):
    """Name classes: the emotions if they are FER2013's seven, else the labels as text.

    Parameters
    ----------
    classes : sequence of int or str
        Such as the `classes_` of a fitted pipeline.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from fer_sklearn.datasets import class_names
    >>> class_names([0, 1, 2, 3, 4, 5, 6])[:4]
    ['angry', 'disgust', 'fear', 'happy']
    >>> class_names(["calm", "tense"])
    ['calm', 'tense']
    """
    return list(EMOTIONS) if are_emotions(classes) else list(map(str, classes))
