"""RejectingClassifier: the threshold, and what is predicted below it."""

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from fer_sklearn import RejectingClassifier, make_fer_pipeline
from fer_sklearn._rejecting import _lowest_threshold


@parametrize_with_checks(
    [RejectingClassifier(LogisticRegression(), min_confidence=0.0)]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def data():
    """A class that is easy to recognise and two that overlap."""
    rng = np.random.RandomState(0)
    y = np.arange(600) % 3
    return rng.normal(size=(600, 2)) + np.array([[9, 0], [0, 0], [0, 1]])[y], y


def test_fixed_threshold(data):
    X, y = data
    clf = RejectingClassifier(LogisticRegression(), min_confidence=0.9).fit(X, y)
    y_prob = clf.predict_proba(X)
    y_pred = clf.predict(X)
    sure = y_prob.max(axis=1) >= 0.9
    assert 100 < sure.sum() < 500
    np.testing.assert_array_equal(y_pred[sure], y_prob.argmax(axis=1)[sure])
    assert (y_pred[~sure] == -1).all()
    assert y_pred.dtype.kind == "i"


@pytest.mark.parametrize("target_error", [0.02, 0.1, 0.2])
def test_target_error_on_new_data(data, target_error):
    X, y = data
    clf = RejectingClassifier(LogisticRegression(), target_error=target_error)
    clf.fit(X[::2], y[::2])
    y_pred = clf.predict(X[1::2])
    accepted = y_pred != -1
    error = np.mean(y_pred[accepted] != y[1::2][accepted])
    assert error <= target_error + 0.05
    # All that can be accepted is: rejecting nothing would be wrong more often.
    plain = LogisticRegression().fit(X[::2], y[::2]).predict(X[1::2])
    assert np.mean(plain != y[1::2]) > target_error
    assert accepted.mean() > 0.3


def test_frozen_classifier_is_not_trained_again(data):
    X, y = data
    fitted = LogisticRegression().fit(X[:300], y[:300])
    clf = RejectingClassifier(FrozenEstimator(fitted), target_error=0.1)
    clf.fit(X[300:], y[300:])
    np.testing.assert_array_equal(clf.predict_proba(X), fitted.predict_proba(X))
    y_pred = clf.predict(X[300:])
    accepted = y_pred != -1
    assert np.mean(y_pred[accepted] != y[300:][accepted]) <= 0.1


def test_lowest_threshold():
    confidence = np.array([0.6, 0.9, 0.7, 0.8])
    right = np.array([True, True, False, True])
    assert _lowest_threshold(confidence, right, 0.3) == 0.6
    assert _lowest_threshold(confidence, right, 0.2) == 0.8
    assert _lowest_threshold(confidence, ~right, 0.0) == np.inf


def test_equal_confidences_are_accepted_together():
    confidence = np.array([0.9, 0.9, 0.5])
    right = np.array([True, False, True])
    assert _lowest_threshold(confidence, right, 0.0) == np.inf
    assert _lowest_threshold(confidence, right, 0.4) == 0.5


def test_nothing_reaches_the_target(data):
    X, y = data
    noise = np.random.RandomState(0).permutation(y)
    clf = RejectingClassifier(LogisticRegression(), target_error=0.0).fit(X, noise)
    assert clf.threshold_ == np.inf
    assert (clf.predict(X) == -1).all()


@pytest.mark.parametrize(
    ("names", "label", "expected"),
    [
        (["a", "b", "c"], None, "uncertain"),
        (["a", "b", "c"], -1, -1),
        ([0, 1, 2], None, -1),
        ([0, 1, 2], "unknown", "unknown"),
    ],
)
def test_labels(data, names, label, expected):
    X, y = data
    clf = RejectingClassifier(
        LogisticRegression(), min_confidence=0.9, reject_label=label
    )
    y_pred = clf.fit(X, np.array(names)[y]).predict(X).tolist()
    assert set(y_pred) == {*names, expected}


def test_pipeline_search_and_scores(faces):
    pipe = make_fer_pipeline("nano", max_epochs=1, random_state=0)
    search = GridSearchCV(
        RejectingClassifier(pipe),
        {"min_confidence": [0.0, 1.0]},
        cv=2,
        error_score="raise",
    )
    search.fit(faces.data, faces.target)
    # A rejected face counts as wrong.
    assert search.best_params_ == {"min_confidence": 0.0}
    assert search.cv_results_["mean_test_score"][1] == 0
    scores = cross_val_score(RejectingClassifier(pipe), faces.data, faces.target, cv=2)
    assert len(scores) == 2


@pytest.mark.parametrize("params", [{"min_confidence": 1.5}, {"target_error": 1}])
def test_bad_parameters(data, params):
    with pytest.raises(ValueError, match=next(iter(params))):
        RejectingClassifier(LogisticRegression(), **params).fit(*data)
