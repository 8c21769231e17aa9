"""The seven emotions, in FER2013's order, and the words people use for them."""

__all__ = ["EMOTIONS", "emotion_label"]

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
