import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier

from fer_sklearn import EMOTIONS
from fer_sklearn.exceptions import FERError
from fer_sklearn.plots import MistakesDisplay


def test_surest_mistakes_first(model, faces, images, assert_legible):
    display = MistakesDisplay.from_estimator(model, faces.data, faces.target)
    y_prob = model.predict_proba(faces.data)
    wrong = y_prob.argmax(axis=1) != faces.target
    assert display.n_mistakes == wrong.sum() > 14
    assert wrong[display.indices].all()
    assert (np.diff(display.confidence) <= 0).all()
    left_out = np.setdiff1d(np.flatnonzero(wrong), display.indices)
    assert y_prob[left_out].max() <= display.confidence[-1]
    np.testing.assert_array_equal(display.images, images[display.indices])
    row = display.indices[0]
    first = display.texts_[0].get_text().split("\n")
    assert first == [
        f"{EMOTIONS[y_prob[row].argmax()]} {y_prob[row].max():.0%}",
        f"label: {EMOTIONS[faces.target[row]]}",
        f"row {row}",
    ]
    title = display.ax_.title
    assert title.get_text() == f"the surest of {wrong.sum()} mistakes in 210 faces"
    assert_legible(display.figure_, [title, *display.texts_])


def test_fewer_mistakes_than_asked_for(images):
    y_prob = np.eye(7)[[0, 1, 2, 3]] * 0.9
    display = MistakesDisplay.from_predictions(images[:4], [0, 1, 5, 3], y_prob)
    assert display.indices.tolist() == [2]
    assert display.y_true.tolist() == ["surprise"]
    assert display.y_pred.tolist() == ["fear"]


def test_no_mistakes_are_said(images):
    display = MistakesDisplay.from_predictions(images[:7], range(7), np.eye(7))
    assert display.ax_.get_title() == "no mistakes in 7 faces"
    assert len(display.images) == 0 and display.texts_ == []


def test_names_as_labels(images):
    labels = np.array(["happy", "sad"])
    display = MistakesDisplay.from_predictions(
        images[:2], ["sad", "sad"], [[0.8, 0.2], [0.1, 0.9]], labels=labels
    )
    assert display.indices.tolist() == [0]


def test_other_names(images):
    display = MistakesDisplay.from_predictions(
        images[:2],
        [1, 1],
        [[0.8, 0.2], [0.1, 0.9]],
        labels=[0, 1],
        display_labels=["calm", "moved"],
    )
    assert display.y_pred.tolist() == ["calm"]


def test_bad_input(model, faces, images):
    with pytest.raises(FERError, match="X has 210, y_true has 1, y_prob has 210"):
        MistakesDisplay.from_estimator(model, faces.data, [1])
    with pytest.raises(FERError, match="n_faces is 0"):
        MistakesDisplay.from_estimator(model, faces.data, faces.target, n_faces=0)
    blunt = RidgeClassifier().fit(images.reshape(210, -1), faces.target)
    with pytest.raises(FERError, match=r"RidgeClassifier has no predict_proba"):
        MistakesDisplay.from_estimator(blunt, images.reshape(210, -1), faces.target)
