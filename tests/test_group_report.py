import numpy as np
import pandas as pd
import pytest

from fer_sklearn.metrics import (
    accuracy_interval,
    expected_calibration_error,
    group_report,
)


@pytest.fixture
def data():
    rng = np.random.RandomState(0)
    y_true = rng.randint(7, size=300)
    y_prob = rng.dirichlet(np.ones(7), size=300)
    return y_true, y_prob, rng.choice(["a", "b", "c"], size=300)


def test_each_row_is_the_metric_of_its_faces(data):
    y_true, y_prob, groups = data
    report = group_report(*data, labels=range(7))
    assert list(report.index) == ["a", "b", "c", "all"]
    for name in ("a", "b", "c", "all"):
        rows = (groups == name) | (name == "all")
        y_pred = y_prob[rows].argmax(axis=1)
        row = report.loc[name]
        assert row["n_faces"] == rows.sum()
        assert row["accuracy"] == np.mean(y_pred == y_true[rows])
        interval = accuracy_interval(y_true[rows], y_pred)
        assert (row["lower"], row["upper"]) == interval
        error = expected_calibration_error(y_true[rows], y_prob[rows], labels=range(7))
        assert row["calibration_error"] == error
        assert row["confidence"] == pytest.approx(y_prob[rows].max(axis=1).mean())


def test_numbers_and_series(data):
    y_true, y_prob, groups = data
    codes = pd.Series(pd.Categorical(groups).codes, index=range(1000, 1300))
    report = group_report(y_true, y_prob, codes, labels=range(7))
    assert list(report.index) == [0, 1, 2, "all"]
    np.testing.assert_array_equal(report, group_report(*data, labels=range(7)))


def test_a_group_without_a_class(data):
    y_true, y_prob, _ = data
    report = group_report(y_true, y_prob, y_true == 0)
    assert report.loc[True, "n_faces"] == (y_true == 0).sum()


def test_bad_groups(data):
    y_true, y_prob, groups = data
    with pytest.raises(ValueError, match="groups has 299 rows, but y_true has 300"):
        group_report(y_true, y_prob, groups[1:])
    with pytest.raises(ValueError, match="A group is called 'all'"):
        group_report(y_true, y_prob, np.where(groups == "a", "all", groups))
    groups = groups.astype(object)
    groups[7] = None
    with pytest.raises(ValueError, match="Row 7 of groups is missing"):
        group_report(y_true, y_prob, groups)
