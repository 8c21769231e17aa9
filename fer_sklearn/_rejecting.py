"""RejectingClassifier: "uncertain" instead of an unlikely class."""

from numbers import Real

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    _fit_context,
    clone,
)
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import cross_val_predict
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import check_is_fitted

from .datasets._emotions import UNCERTAIN
from .metrics import coverage_curve

__all__ = ["RejectingClassifier"]


class RejectingClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Predict a class only where its probability is high enough.

    Where the highest probability is below a threshold, `predict` gives `reject_label`.
    The threshold is set by `min_confidence`, or chosen such that at most `target_error`
    of the accepted predictions are wrong.

    Parameters
    ----------
    estimator : estimator with `predict_proba`
        The classifier, such as the pipeline of `make_fer_pipeline`. `fit` trains a
        clone of it. To choose a threshold for a trained one, wrap it in
        :class:`sklearn.frozen.FrozenEstimator` and fit on held-out faces.
    min_confidence : float, default=0.5
        Threshold, in [0, 1]. Ignored if `target_error` is given.
    target_error : float, default=None
        Share of wrong predictions, in [0, 1), among those that are accepted.
    cv : int, cross-validation generator or iterable, default=None
        How held-out probabilities are made for `target_error`; None is 5-fold
        cross-validation.
    reject_label : object, default=None
        What `predict` gives instead of a class. None is -1 if the classes are whole
        numbers, and ``"uncertain"`` otherwise.

    Attributes
    ----------
    estimator_ : estimator
        The fitted classifier.
    classes_ : ndarray of shape (n_classes,)
        Class labels, without the `reject_label`.
    threshold_ : float
        The threshold in use. If no threshold reaches `target_error`, it is infinite
        and everything is rejected.
    reject_label_ : object
        The label in use.
    n_features_in_ : int
        Only if `estimator_` has it.

    See Also
    --------
    fer_sklearn.plots.CoverageDisplay : Accuracy by the share of accepted faces.
    sklearn.model_selection.FixedThresholdClassifier : For two classes.

    Notes
    -----
    The error on new faces is about `target_error` only if they are like those that the
    threshold was chosen on. With copies of a face on both sides of the
    cross-validation, as in FER2013, the threshold is too low: pass ``cv`` with groups
    from `fer_sklearn.model_selection.face_groups`.

    `score` counts rejected predictions as wrong.

    References
    ----------
    Geifman and El-Yaniv (2017), Selective classification for deep neural networks,
    NeurIPS.

    Examples
    --------
    At most one in ten accepted predictions may be wrong:

    >>> from sklearn.frozen import FrozenEstimator
    >>> from fer_sklearn import RejectingClassifier, make_faces, make_fer_pipeline
    >>> faces = make_faces(280, image_shape=(16, 16), noise=0.2, random_state=0)
    >>> pipe = make_fer_pipeline("nano", max_epochs=4, batch_size=16, random_state=0)
    >>> pipe = pipe.fit(faces.data[:140], faces.target[:140])
    >>> clf = RejectingClassifier(FrozenEstimator(pipe), target_error=0.1)
    >>> clf = clf.fit(faces.data[140:], faces.target[140:])
    >>> bool((clf.predict(faces.data[140:]) == -1).any())
    True
    """

    _parameter_constraints = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "min_confidence": [Interval(Real, 0, 1, closed="both")],
        "target_error": [Interval(Real, 0, 1, closed="left"), None],
        "cv": ["cv_object"],
        "reject_label": "no_validation",
    }

    def __init__(
        self,
        estimator,
        *,
        min_confidence=0.5,
        target_error=None,
        cv=None,
        reject_label=None,
    ):
        self.estimator = estimator
        self.min_confidence = min_confidence
        self.target_error = target_error
        self.cv = cv
        self.reject_label = reject_label

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, **fit_params):
        """Fit the classifier, and choose the threshold if `target_error` is given.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Faces as `estimator` takes them.
        y : array-like of shape (n_samples,)
            Their labels.
        **fit_params : dict
            Passed to `fit` of `estimator`.

        Returns
        -------
        self : RejectingClassifier
            The fitted classifier.
        """
        self.estimator_ = clone(self.estimator).fit(X, y, **fit_params)
        self.classes_ = self.estimator_.classes_
        self.reject_label_ = self.reject_label
        if self.reject_label is None:
            whole = self.classes_.dtype.kind in "iu"
            self.reject_label_ = -1 if whole else UNCERTAIN
        self.threshold_ = float(self.min_confidence)
        if self.target_error is not None:
            y_prob = self._held_out_probabilities(X, y, fit_params)
            right = self.classes_[y_prob.argmax(axis=1)] == np.asarray(y)
            self.threshold_ = _lowest_threshold(
                y_prob.max(axis=1), right, self.target_error
            )
        if hasattr(self.estimator_, "n_features_in_"):
            self.n_features_in_ = self.estimator_.n_features_in_
        return self

    def _held_out_probabilities(self, X, y, fit_params):
        if isinstance(self.estimator, FrozenEstimator):
            return self.estimator_.predict_proba(X)
        return cross_val_predict(
            self.estimator, X, y, cv=self.cv, method="predict_proba", params=fit_params
        )

    def predict(self, X):
        """Most probable class of each face, or `reject_label`.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Faces.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels. If `reject_label` is of another kind than the classes, the dtype is
            object.
        """
        y_prob = self.predict_proba(X)
        y_pred = self.classes_[y_prob.argmax(axis=1)]
        rejected = y_prob.max(axis=1) < self.threshold_
        if rejected.any():
            label = np.asarray(self.reject_label_)
            if label.dtype.kind != y_pred.dtype.kind:
                y_pred = y_pred.astype(object)
            elif label.dtype.itemsize > y_pred.dtype.itemsize:
                y_pred = y_pred.astype(label.dtype)  # strings of more characters
            y_pred[rejected] = self.reject_label_
        return y_pred

    def predict_proba(self, X):
        """Probabilities of the classes, also where `predict` rejects.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Faces.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns follow `classes_`.
        """
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags = inner.input_tags
        tags.classifier_tags = inner.classifier_tags
        return tags


def _lowest_threshold(confidence, right, target_error):
    """Find the lowest confidence from which on at most this share is wrong.

    Confidences 0.9, 0.8, 0.7, 0.6 that are right, right, wrong, right: above 0.9 and
    0.8 none is wrong, above 0.7 one of three, above 0.6 one of four. For a target
    error of 0.3 the threshold is 0.6.
    """
    thresholds, _, error = coverage_curve(confidence, ~right)
    allowed = np.flatnonzero(error <= target_error)
    return float(thresholds[allowed[-1]]) if len(allowed) else np.inf
