import pytest

from fer_sklearn.datasets import EMOTIONS, emotion_label


def test_order_is_that_of_the_file():
    assert EMOTIONS == (
        "angry",
        "disgust",
        "fear",
        "happy",
        "sad",
        "surprise",
        "neutral",
    )


@pytest.mark.parametrize(
    ("word", "emotion"),
    [
        ("angry", "angry"),
        ("Anger", "angry"),
        ("DISGUSTED", "disgust"),
        ("fearful", "fear"),
        (" happiness ", "happy"),
        ("Sadness", "sad"),
        ("surprised", "surprise"),
        ("Neutral", "neutral"),
    ],
)
def test_words(word, emotion):
    assert EMOTIONS[emotion_label(word)] == emotion


@pytest.mark.parametrize("word", ["contempt", "", "angryy", "0"])
def test_other_words(word):
    assert emotion_label(word) is None
