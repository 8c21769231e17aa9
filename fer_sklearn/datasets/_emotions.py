"""The seven emotions, in FER2013's order, and the words people use for them."""

from numbers import Integral

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


def class_names(classes):
    """Name classes: the emotions for the numbers 0 to 6, else the labels as text.

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
    >>> class_names([0, 3])
    ['angry', 'happy']
    >>> class_names(["calm", "tense"])
    ['calm', 'tense']
    """
    are_emotions = all(
        isinstance(label, Integral)
        and not isinstance(label, bool)
        and 0 <= label < len(EMOTIONS)
        for label in classes
    )
    return [EMOTIONS[label] if are_emotions else str(label) for label in classes]
