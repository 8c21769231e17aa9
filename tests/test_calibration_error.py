import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_sklearn.metrics import expected_calibration_error


def _obvious(right, confidence, n_bins):
    total = 0.0
    for b in range(n_bins):
        inside = [
            (r, c)
            for r, c in zip(right, confidence, strict=True)
            if b / n_bins < c <= (b + 1) / n_bins
        ]
        if inside:
            r, c = np.mean(inside, axis=0)
            total += len(inside) / len(right) * abs(r - c)
    return total


@given(
    st.lists(st.tuples(st.booleans(), st.integers(501, 1000)), min_size=1, max_size=60),
    st.integers(1, 20),
)
def test_agrees_with_an_obvious_loop(answers, n_bins):
    y_true = np.array([0 if right else 1 for right, _ in answers])
    confidence = np.array([c / 1000 for _, c in answers])
    y_prob = np.column_stack([confidence, 1 - confidence])
    error = expected_calibration_error(y_true, y_prob, labels=[0, 1], n_bins=n_bins)
    assert error == pytest.approx(_obvious(y_true == 0, confidence, n_bins), abs=1e-9)


def test_perfect_and_worst_probabilities():
    y_prob = np.eye(3)
    assert expected_calibration_error([0, 1, 2], y_prob) == 0
    assert expected_calibration_error([1, 2, 0], y_prob) == 1


def test_labels_name_the_columns():
    y_prob = [[0.25, 0.75], [1.0, 0.0]]
    error = expected_calibration_error(["b", "b"], y_prob, labels=["a", "b"])
    assert error == pytest.approx((0.25 + 1) / 2)


@pytest.mark.parametrize(
    ("y_true", "y_prob", "message"),
    [
        ([0, 1], [[0.5, 0.5]], r"shape \(1, 2\), expected \(2, 2\)"),
        ([0, 0], [[0.5, 0.5]] * 2, "pass labels=classifier.classes_"),
        ([], np.empty((0, 0)), "at least one"),
        ([0, 1], [[0.5, 0.5], [1.5, -0.5]], "from 0 to 1"),
        ([0, 1], [[0.5, 0.5], [np.nan, 0.5]], "from 0 to 1"),
    ],
)
def test_bad_input_is_named(y_true, y_prob, message):
    with pytest.raises(ValueError, match=message):
        expected_calibration_error(y_true, y_prob)
