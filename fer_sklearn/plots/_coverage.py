"""Accuracy of the most confident predictions, by their share."""

import numpy as np

from ..metrics import coverage_curve
from ._inputs import (
    check_lengths,
    check_prob,
    name_by_model,
    name_labels,
    predict_proba,
)
from ._style import FONT_SIZE, SMALL_FONT_SIZE, get_axes, tidy

_SMALLEST_COVERAGE = 0.02


class CoverageDisplay:
    """Accuracy of the accepted predictions, by the share that is accepted.

    A threshold on the probability accepts the most confident predictions only. At the
    right end all are accepted, and the accuracy is that of the classifier. Further
    left, fewer are accepted, and more of them are right. The curve starts at a coverage
    of 2 %. Create it with
    `from_estimator` or `from_predictions`.

    Parameters
    ----------
    coverage : array-like of shape (n_thresholds,)
        Share of accepted predictions, 0 to 1, rising.
    accuracy : array-like of shape (n_thresholds,)
        Share of right predictions among them, 0 to 1.
    thresholds : array-like of shape (n_thresholds,)
        Probability from which on predictions are accepted, falling.
    name : str, default=None
        Name of the curve in the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curve.
    figure_ : matplotlib Figure
        Figure that holds them.
    line_ : matplotlib Line2D
        The curve.

    See Also
    --------
    fer_sklearn.RejectingClassifier : A classifier with such a threshold.
    plot_calibration : Whether the probabilities are right on average.

    Examples
    --------
    The wrong prediction is the least confident of four:

    >>> from fer_sklearn.plots import CoverageDisplay
    >>> display = CoverageDisplay.from_predictions(
    ...     ["happy", "sad", "sad", "sad"],
    ...     [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.6, 0.4]],
    ...     labels=["happy", "sad"],
    ... )
    >>> display.coverage.tolist(), display.accuracy.tolist()
    ([0.25, 0.5, 0.75, 1.0], [1.0, 1.0, 1.0, 0.75])
    """

    def __init__(self, coverage, accuracy, *, thresholds, name=None):
        self.coverage = np.asarray(coverage)
        self.accuracy = np.asarray(accuracy)
        self.thresholds = np.asarray(thresholds)
        self.name = name

    @classmethod
    def from_estimator(cls, estimator, X, y, **kwargs):
        """Predict and plot the curve.

        Parameters
        ----------
        estimator : estimator
            A fitted classifier or pipeline with `predict_proba`.
        X : array-like of shape (n_samples, ...)
            Faces in any form that `estimator` predicts for, such as pixel strings.
        y : array-like of shape (n_samples,)
            Their emotions.
        **kwargs : dict
            Passed to `from_predictions`.

        Returns
        -------
        CoverageDisplay
            The display, plotted.

        Raises
        ------
        FERError
            If `estimator` has no `predict_proba`, or as in `from_predictions`.
        """
        y_prob, classes = predict_proba(estimator, X)
        y, classes = name_by_model(estimator, y, classes)
        return cls.from_predictions(y, y_prob, labels=classes, **kwargs)

    @classmethod
    def from_predictions(cls, y_true, y_prob, *, labels=None, name=None, ax=None):
        """Compute and plot the curve.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Emotions: whole numbers 0 to 6 or strings.
        y_prob : array-like of shape (n_samples, n_classes)
            Probabilities, 0 to 1, as `predict_proba` gives them.
        labels : array-like of shape (n_classes,), default=None
            The columns' classes, ``estimator.classes_``; None means 0 to 6.
        name : str, default=None
            Name of the curve in the legend, such as that of the model.
        ax : matplotlib Axes, default=None
            Axes to plot on, which may hold the curve of another model; None makes a
            new figure.

        Returns
        -------
        CoverageDisplay
            The display, plotted.

        Raises
        ------
        FERError
            If `y_prob` does not have one row per label in `y_true` and one column per
            class in `labels`, or has values outside of 0 to 1.
        """
        check_lengths(y_true=y_true, y_prob=y_prob)
        y_prob, labels = check_prob(y_prob, labels)
        (true, names), _ = name_labels(y_true, labels)
        right = names[y_prob.argmax(axis=1)] == true
        thresholds, coverage, accuracy = coverage_curve(y_prob.max(axis=1), right)
        return cls(coverage, accuracy, thresholds=thresholds, name=name).plot(ax)

    def plot(self, ax=None, **kwargs):
        """Plot the curve.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes a new figure.
        **kwargs : dict
            Passed to `matplotlib.axes.Axes.plot`.

        Returns
        -------
        CoverageDisplay
            The display itself.
        """
        from matplotlib.ticker import PercentFormatter

        self.figure_, self.ax_ = get_axes(ax, height=3.8, width=5.6)
        # The accuracy of a handful of predictions jumps up and down.
        shown = self.coverage >= _SMALLEST_COVERAGE
        style = {"label": self.name, **kwargs}
        (self.line_,) = self.ax_.plot(
            self.coverage[shown], self.accuracy[shown], **style
        )
        tidy(self.ax_, grid_axis="both")
        for axis in (self.ax_.xaxis, self.ax_.yaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=0))
        self.ax_.set_xlim(0, 1.02)
        self.ax_.set_xlabel("accepted faces", fontsize=FONT_SIZE)
        self.ax_.set_ylabel("accuracy of the accepted", fontsize=FONT_SIZE)
        if self.name is not None:
            self.ax_.legend(loc="best", fontsize=SMALL_FONT_SIZE)
        return self
