import numpy as np
import pytest
from scipy.stats import binomtest

from fer_sklearn.metrics import accuracy_interval


@pytest.mark.parametrize(
    ("right", "n"), [(0, 5), (5, 5), (1, 1), (18, 25), (2584, 3589)]
)
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_against_scipy(right, n, confidence):
    y_true = np.ones(n)
    y_pred = np.arange(n) < right
    interval = accuracy_interval(y_true, y_pred, confidence=confidence)
    expected = binomtest(right, n).proportion_ci(confidence, "wilson")
    np.testing.assert_allclose(interval, (expected.low, expected.high), atol=1e-12)


def test_labels_may_be_words():
    low, high = accuracy_interval(["sad", "happy"], ["sad", "sad"])
    assert 0 < low < 0.5 < high < 1


def test_official_test_split():
    """At 72 % on 3,589 faces a standard error is 0.75 points."""
    y_pred = np.arange(3589) < 0.72 * 3589
    low, high = accuracy_interval(np.ones(3589), y_pred)
    assert (high - low) / 2 == pytest.approx(1.96 * 0.0075, rel=0.01)


@pytest.mark.parametrize(
    ("y_true", "y_pred", "confidence", "message"),
    [
        ([], [], 0.95, "at least one"),
        ([1], [1, 2], 0.95, r"shape \(1,\) and y_pred \(2,\)"),
        ([[1]], [[1]], 0.95, "shape"),
        ([1], [1], 95, "confidence must be between 0 and 1, got 95"),
        ([1], [1], 1, "confidence must be between 0 and 1"),
    ],
)
def test_bad_input(y_true, y_pred, confidence, message):
    with pytest.raises(ValueError, match=message):
        accuracy_interval(y_true, y_pred, confidence=confidence)
