import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV
from tiny_network import TinyNet

from fer_sklearn import FERClassifier, make_fer_pipeline
from fer_sklearn.datasets import EMOTIONS, class_names, emotion_label
from fer_sklearn.datasets._emotions import name_classes
from fer_sklearn.exceptions import FERError


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


@pytest.mark.parametrize("word", ["contempt", "", "angryy", "0", "calm"])
def test_other_words(word):
    assert emotion_label(word) is None


@pytest.mark.parametrize(
    ("classes", "names"),
    [
        (range(7), list(EMOTIONS)),
        ([0, 1], ["0", "1"]),  # anybody's yes and no
        ([3, 4], ["3", "4"]),
        (range(8), list("01234567")),
        ([1, 9], ["1", "9"]),
        (["b", "c"], ["b", "c"]),
        ([False, True], ["False", "True"]),
        (np.arange(7.0), ["0.0", "1.0", "2.0", "3.0", "4.0", "5.0", "6.0"]),
    ],
)
def test_labels_without_names(classes, names):
    assert name_classes(classes) == names
    assert class_names(DummyClassifier().fit([[0]] * len(classes), classes)) == names


def test_given_names_are_those_of_the_labels():
    assert name_classes([3, 4], EMOTIONS) == ["happy", "sad"]
    assert name_classes([0, 1], ["calm", "tense"]) == ["calm", "tense"]


@pytest.mark.parametrize(
    ("classes", "names", "message"),
    [
        ([3, 4], ["happy", "sad"], "2 names, for the labels 0 to 1, .* a label 4"),
        ([-1, 1], ["no", "yes"], "there is a label -1"),
        (["a", "b"], ["no", "yes"], r"the labels are \['a', 'b'\]. Leave it out"),
        ([0, 1], ["yes", "yes"], "different from each other"),
        ([0, 1], [0, 1], "must hold strings"),
    ],
)
def test_names_that_do_not_fit(classes, names, message):
    with pytest.raises(FERError, match=f"class_names .*{message}"):
        name_classes(classes, names)


def _tiny(**params):
    return FERClassifier(TinyNet, max_epochs=1, random_state=0, **params)


@pytest.fixture(scope="module")
def few(faces, images):
    """The happy and the sad faces."""
    chosen = np.isin(faces.target, [3, 4])
    return images[chosen], faces.target[chosen]


def test_a_model_keeps_the_names_of_its_training(few):
    assert class_names(_tiny().fit(*few)) == ["3", "4"]
    clf = _tiny(warm_start=True).fit(*few, class_names=EMOTIONS)
    assert class_names(clf) == clf.class_names_ == ["happy", "sad"]
    assert class_names(clf.fit(*few)) == ["happy", "sad"]  # goes on: same classes
    assert class_names(clf.fit(*few, class_names=list("abcde"))) == ["d", "e"]
    again = _tiny().fit(*few, class_names=EMOTIONS).fit(few[0], few[1] - 3)
    assert class_names(again) == ["0", "1"]


def test_names_of_a_model_without_stored_names(few):
    """As pickles of version 0.1 are."""
    clf = _tiny().fit(*few)
    del clf.class_names_
    assert class_names(clf) == ["3", "4"]


def test_names_inside_of_pipelines_and_searches(few):
    pipe = make_fer_pipeline(TinyNet, image_shape=(16, 16), max_epochs=1)
    search = GridSearchCV(pipe, {"cnn__lr": [0.01]}, cv=2, error_score="raise")
    search.fit(*few, cnn__class_names=EMOTIONS)
    assert class_names(search) == ["happy", "sad"]
    assert class_names(search.best_estimator_) == ["happy", "sad"]


def test_names_of_partial_fit(few, faces, images):
    assert class_names(_tiny().partial_fit(*few, classes=range(7))) == list(EMOTIONS)
    assert class_names(_tiny().partial_fit(*few, classes=[3, 4])) == ["3", "4"]


def test_wrong_names_leave_the_model_alone(few):
    clf = _tiny().fit(*few, class_names=EMOTIONS)
    with pytest.raises(FERError, match="class_names has 1 names"):
        clf.fit(*few, class_names=["happy"])
    assert class_names(clf) == ["happy", "sad"]


def test_names_of_what_is_not_fitted():
    for model in (_tiny(), make_fer_pipeline(), [1, 2]):
        with pytest.raises(FERError, match="Expected a fitted classifier"):
            class_names(model)
