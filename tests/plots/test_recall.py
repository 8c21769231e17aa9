import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, recall_score

from fer_sklearn import EMOTIONS
from fer_sklearn.exceptions import FERError
from fer_sklearn.plots import RecallDisplay


def test_recalls_agree_with_scikit_learn(model, faces, assert_legible):
    display = RecallDisplay.from_estimator(model, faces.data, faces.target)
    y_pred = model.predict(faces.data)
    np.testing.assert_allclose(
        display.recall, recall_score(faces.target, y_pred, average=None)
    )
    expected = balanced_accuracy_score(faces.target, y_pred)
    assert display.macro_recall == pytest.approx(expected)
    assert display.support.tolist() == [30] * 7
    line = display.errorbar_.lines[0]
    np.testing.assert_allclose(line.get_xdata(), display.recall)
    ticks = display.ax_.get_yticklabels()
    assert [t.get_text() for t in ticks] == [f"{name} (30)" for name in EMOTIONS]
    assert_legible(display.figure_, [*display.texts_, *ticks])


def test_wilson_interval_against_its_formula():
    """81 of 263 at 95 %: Newcombe (1998), table I, gives 0.2553 to 0.3662."""
    display = RecallDisplay.from_predictions([3] * 263, [3] * 81 + [4] * 182)
    assert display.lower[0] == pytest.approx(0.2553, abs=5e-5)
    assert display.upper[0] == pytest.approx(0.3662, abs=5e-5)
    (bars,) = display.errorbar_.lines[2]
    np.testing.assert_allclose(
        bars.get_segments()[0][:, 0], [display.lower[0], display.upper[0]]
    )


def test_intervals_of_none_and_all(assert_legible):
    display = RecallDisplay.from_predictions(["sad"] * 9 + ["fear"] * 9, ["fear"] * 18)
    assert display.recall.tolist() == [1, 0]
    assert display.upper[0] == 1 and display.lower[1] == 0
    assert 0 < display.lower[0] < 1 and 0 < display.upper[1] < 1
    assert [text.get_text() for text in display.texts_] == ["100%", "0%"]
    assert not display.errorbar_.lines[0].get_clip_on()
    assert_legible(display.figure_, display.texts_)


def test_wider_for_more_confidence():
    y = [0] * 10
    wide = RecallDisplay.from_predictions(y, y, confidence_level=0.99)
    narrow = RecallDisplay.from_predictions(y, y, confidence_level=0.8)
    assert wide.lower < narrow.lower
    assert "99%" in wide.ax_.get_xlabel()


def test_emotions_without_faces_have_no_recall():
    display = RecallDisplay.from_predictions([3, 3], [3, 6], display_labels=EMOTIONS)
    assert display.class_names.tolist() == ["happy"]
    assert display.recall.tolist() == [0.5]


@pytest.mark.parametrize("level", [0, 1, 95])
def test_bad_confidence_level(level):
    with pytest.raises(FERError, match=f"confidence_level is {level}.*0.95"):
        RecallDisplay.from_predictions([1], [1], confidence_level=level)


def test_lengths_must_agree():
    with pytest.raises(FERError, match="y_true has 2, y_pred has 1"):
        RecallDisplay.from_predictions([1, 2], [1])
