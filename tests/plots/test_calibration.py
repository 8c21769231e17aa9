import numpy as np
import pytest
from sklearn.calibration import CalibrationDisplay, calibration_curve

from fer_sklearn import EMOTIONS
from fer_sklearn.exceptions import FERError
from fer_sklearn.metrics import expected_calibration_error
from fer_sklearn.plots import plot_calibration, plot_calibration_by_class


def test_curve_of_the_predicted_emotion(model, faces, assert_legible):
    y_prob = model.predict_proba(faces.data)
    display = plot_calibration(faces.target, y_prob, labels=model.classes_)
    assert isinstance(display, CalibrationDisplay)
    right = y_prob.argmax(axis=1) == faces.target
    expected = calibration_curve(right, y_prob.max(axis=1), n_bins=10)
    np.testing.assert_allclose(display.line_.get_ydata(), expected[0])
    np.testing.assert_allclose(display.line_.get_xdata(), expected[1])
    error = expected_calibration_error(faces.target, y_prob)
    texts = display.ax_.get_legend().get_texts()
    assert any(f"calibration error {error:.3f}" in t.get_text() for t in texts)
    assert_legible(display.figure_, texts)


def test_two_models_on_one_axes():
    y_prob = np.random.default_rng(0).dirichlet(np.ones(7), 70)
    y = np.arange(70) % 7
    first = plot_calibration(y, y_prob, name="first")
    second = plot_calibration(y, y_prob[:, ::-1], name="second", ax=first.ax_)
    names = [text.get_text() for text in second.ax_.get_legend().get_texts()]
    assert [name.split()[0] for name in names] == ["Perfectly", "first", "second"]
    assert first.line_.get_color() != second.line_.get_color()


def test_always_right_is_a_curve_as_well():
    display = plot_calibration([0, 1], [[0.9, 0.1], [0.1, 0.9]], labels=[0, 1])
    assert display.prob_true.tolist() == [1]


def test_a_curve_for_each_emotion(model, faces, assert_legible):
    y_prob = model.predict_proba(faces.data)
    displays = plot_calibration_by_class(faces.target, y_prob)
    titles = [display.ax_.title for display in displays]
    assert [title.get_text() for title in titles] == list(EMOTIONS)
    for label, display in enumerate(displays):
        expected = calibration_curve(faces.target == label, y_prob[:, label])
        np.testing.assert_allclose(display.prob_true, expected[0])
        np.testing.assert_allclose(display.prob_pred, expected[1])
        assert display.ax_.get_legend() is None
    assert_legible(displays[0].figure_, titles)


def test_names_as_labels():
    y_prob = [[0.9, 0.1], [0.2, 0.8]]
    displays = plot_calibration_by_class(
        ["happy", "sad"], y_prob, labels=["happy", "sad"]
    )
    assert [display.estimator_name for display in displays] == ["happy", "sad"]


@pytest.mark.parametrize("plot", [plot_calibration, plot_calibration_by_class])
def test_bad_input(plot):
    with pytest.raises(FERError, match="y_true has 1, y_prob has 2"):
        plot([0], np.eye(7)[:2])
    with pytest.raises(FERError, match="7 columns for 2 labels"):
        plot([0, 1], np.eye(7)[:2], labels=[0, 1])
    with pytest.raises(FERError, match="'contempt', which is none of the labels"):
        plot(["sad", "contempt"], np.eye(7)[:2])
