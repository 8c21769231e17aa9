import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from fer_sklearn.exceptions import FERError
from fer_sklearn.plots import CoverageDisplay

Y_PROB = [[0.9, 0.1], [0.2, 0.8], [0.2, 0.8], [0.6, 0.4]]


def test_equal_confidences_are_one_point():
    display = CoverageDisplay.from_predictions(
        ["happy", "sad", "happy", "sad"], Y_PROB, labels=["happy", "sad"]
    )
    np.testing.assert_allclose(display.coverage, [0.25, 0.75, 1])
    np.testing.assert_allclose(display.accuracy, [1, 2 / 3, 0.5])
    np.testing.assert_allclose(display.thresholds, [0.9, 0.8, 0.6])


def test_from_estimator_ends_at_the_score(assert_legible):
    rng = np.random.RandomState(0)
    y = np.arange(300) % 3
    X = rng.normal(size=(300, 2)) + np.array([[3, 0], [0, 0], [0, 1]])[y]
    model = LogisticRegression().fit(X, y)
    display = CoverageDisplay.from_estimator(model, X, y, name="linear")
    assert display.coverage[-1] == 1
    assert display.accuracy[-1] == pytest.approx(model.score(X, y))
    assert display.accuracy[len(display.accuracy) // 2] > display.accuracy[-1]
    labels = [display.ax_.xaxis.label, display.ax_.yaxis.label]
    assert_legible(display.figure_, labels + display.ax_.get_legend().get_texts())


def test_two_models_on_one_axes():
    y_true = ["happy", "sad", "happy", "sad"]
    labels = ["happy", "sad"]
    first = CoverageDisplay.from_predictions(y_true, Y_PROB, labels=labels, name="a")
    CoverageDisplay.from_predictions(
        y_true, Y_PROB, labels=labels, name="b", ax=first.ax_
    )
    assert len(first.ax_.lines) == 2
    colors = [line.get_color() for line in first.ax_.lines]
    assert len(set(colors)) == 2


def test_bad_probabilities():
    with pytest.raises(FERError, match="2 columns for 7 labels"):
        CoverageDisplay.from_predictions([0, 1, 0, 1], Y_PROB)
