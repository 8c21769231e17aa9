"""Recall of each emotion, with confidence intervals."""

import numpy as np
from scipy.stats import binomtest

from ..exceptions import FERError
from ._inputs import check_lengths, name_by_model, name_labels
from ._style import BLUE, FONT_SIZE, GREY, SMALL_FONT_SIZE, get_axes, percent, tidy


class RecallDisplay:
    """Recall of each emotion, with Wilson confidence intervals.

    The recall is the share of an emotion's faces that are recognised. FER2013's test
    splits have 56 and 55 faces of disgust, so its recall is only known to about 12
    points. Create it with `from_estimator` or
    `from_predictions`.

    Parameters
    ----------
    recall : array-like of shape (n_classes,)
        Recalls, 0 to 1.
    lower, upper : array-like of shape (n_classes,)
        Ends of the confidence intervals, 0 to 1.
    support : array-like of shape (n_classes,)
        Number of faces of each class.
    class_names : sequence of str of length n_classes
        Names of the classes, from top to bottom.
    confidence_level : float, default=0.95
        Share of such intervals that contain the true recall.

    Attributes
    ----------
    macro_recall : float
        Mean of the recalls, also known as balanced accuracy; the dashed line.
    ax_ : matplotlib Axes
        Axes with the recalls.
    figure_ : matplotlib Figure
        Figure that holds them.
    errorbar_ : matplotlib ErrorbarContainer
        Points and intervals.
    texts_ : list of matplotlib Text
        The recalls, to the right of the intervals.

    See Also
    --------
    plot_confusion_matrix : Which emotions are confused with each other.

    References
    ----------
    Wilson (1927), Probable inference, the law of succession, and statistical
    inference, Journal of the American Statistical Association 22, 209-212.

    Examples
    --------
    Eight of ten happy faces are recognised, and one of two sad ones:

    >>> from fer_sklearn.plots import RecallDisplay
    >>> y_true = ["happy"] * 10 + ["sad"] * 2
    >>> y_pred = ["happy"] * 8 + ["sad"] * 3 + ["happy"]
    >>> display = RecallDisplay.from_predictions(y_true, y_pred)
    >>> display.recall, display.lower.round(2), display.upper.round(2)
    (array([0.8, 0.5]), array([0.49, 0.09]), array([0.94, 0.91]))
    """

    def __init__(
        self, recall, *, lower, upper, support, class_names, confidence_level=0.95
    ):
        self.recall = np.asarray(recall)
        self.lower = np.asarray(lower)
        self.upper = np.asarray(upper)
        self.support = np.asarray(support)
        self.class_names = np.asarray(class_names)
        self.confidence_level = confidence_level
        self.macro_recall = float(self.recall.mean())

    @classmethod
    def from_estimator(cls, estimator, X, y, **kwargs):
        """Predict and plot the recalls.

        Parameters
        ----------
        estimator : estimator
            A fitted classifier or pipeline.
        X : array-like of shape (n_samples, ...)
            Faces in any form that `estimator` predicts for, such as pixel strings.
        y : array-like of shape (n_samples,)
            Their emotions.
        **kwargs : dict
            Passed to `from_predictions`.

        Returns
        -------
        RecallDisplay
            The display, plotted.
        """
        y_pred = estimator.predict(X)
        if kwargs.get("display_labels") is None:
            y, y_pred = name_by_model(estimator, y, y_pred)
        return cls.from_predictions(y, y_pred, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        y_true,
        y_pred,
        *,
        confidence_level=0.95,
        display_labels=None,
        ax=None,
        **kwargs,
    ):
        """Compute and plot the recalls.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Emotions: names, or whole numbers that `display_labels` names.
        y_pred : array-like of shape (n_samples,)
            Predicted emotions. An emotion that is predicted but is not in `y_true`
            has no recall and is left out.
        confidence_level : float, default=0.95
            Share of such intervals that contain the true recall, between 0 and 1.
        display_labels : sequence of str, default=None
            Names of the labels 0, 1, 2, ..., such as `EMOTIONS`, or of the sorted
            distinct labels. None names the numbers 0 to 6, all seven of them, as
            FER2013 does, and takes other labels as they are.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes a new figure.
        **kwargs : dict
            Passed to `matplotlib.axes.Axes.errorbar`.

        Returns
        -------
        RecallDisplay
            The display, plotted.

        Raises
        ------
        FERError
            If their lengths differ, or they are empty or have missing labels, or if
            `confidence_level` is not between 0 and 1.
        """
        if not 0 < confidence_level < 1:
            raise FERError(
                f"confidence_level is {confidence_level}, expected a number between 0 "
                "and 1, such as 0.95."
            )
        check_lengths(y_true=y_true, y_pred=y_pred)
        (true, predicted), names = name_labels(
            y_true, y_pred, display_labels=display_labels
        )
        names = names[np.isin(names, true)]
        support = np.array([np.sum(true == name) for name in names])
        right = [np.sum((true == name) & (predicted == name)) for name in names]
        intervals = [
            binomtest(int(k), int(n)).proportion_ci(confidence_level, "wilson")
            for k, n in zip(right, support, strict=True)
        ]
        return cls(
            np.array(right) / support,
            lower=[interval.low for interval in intervals],
            upper=[interval.high for interval in intervals],
            support=support,
            class_names=names,
            confidence_level=confidence_level,
        ).plot(ax, **kwargs)

    def plot(self, ax=None, **kwargs):
        """Plot points with intervals.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes a new figure.
        **kwargs : dict
            Passed to `matplotlib.axes.Axes.errorbar`.

        Returns
        -------
        RecallDisplay
            The display itself.
        """
        places = np.arange(len(self.recall))
        self.figure_, self.ax_ = get_axes(ax, height=1.2 + 0.38 * len(places))
        style = {"fmt": "o", "color": BLUE, "capsize": 4, "markersize": 7}
        # A point at 0 or 1 would be cut in half by the frame.
        style = {**style, "clip_on": False, "zorder": 3, **kwargs}
        # Rounding can leave an end of the interval on the wrong side of the recall.
        arms = np.clip([self.recall - self.lower, self.upper - self.recall], 0, None)
        self.errorbar_ = self.ax_.errorbar(self.recall, places, xerr=arms, **style)
        self.texts_ = [
            self.ax_.text(
                end + 0.015,
                place,
                percent(recall),
                va="center",
                fontsize=SMALL_FONT_SIZE,
                # The line of the mean passes behind, not through.
                bbox={"facecolor": self.ax_.get_facecolor(), "lw": 0, "pad": 1.5},
            )
            for place, recall, end in zip(places, self.recall, self.upper, strict=True)
        ]
        self.ax_.axvline(
            self.macro_recall,
            color=GREY,
            linestyle="--",
            zorder=0,
            label=f"mean of the recalls, {percent(self.macro_recall)}",
        )
        self._label_axes(places)
        return self

    def _label_axes(self, places):
        from matplotlib.ticker import PercentFormatter  # there since get_axes

        tidy(self.ax_, grid_axis="x")
        labels = [
            f"{name} ({n:,})"
            for name, n in zip(self.class_names, self.support, strict=True)
        ]
        self.ax_.set_yticks(places, labels, fontsize=FONT_SIZE)
        self.ax_.set_ylim(len(places) - 0.5, -0.5)
        self.ax_.set_xlim(0, 1.09)
        self.ax_.set_xticks(np.arange(0, 1.01, 0.2))
        self.ax_.xaxis.set_major_formatter(PercentFormatter(1))
        self.ax_.set_xlabel(
            f"recall, with {percent(self.confidence_level)} confidence intervals "
            "(in brackets: faces)",
            fontsize=FONT_SIZE,
        )
        # Above the frame: no place inside is free of points for all models.
        self.ax_.legend(
            loc="lower right",
            bbox_to_anchor=(1, 1),
            frameon=False,
            borderaxespad=0.2,
            fontsize=SMALL_FONT_SIZE,
        )
