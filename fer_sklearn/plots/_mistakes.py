"""The most confident mistakes of a model."""

import numpy as np

from ._inputs import (
    as_faces,
    check_count,
    check_lengths,
    check_prob,
    name_by_model,
    name_labels,
    predict_proba,
    take,
)
from ._mosaic import Mosaic
from ._style import FONT_SIZE, get_axes, percent


class MistakesDisplay:
    """The faces that are mistaken with the highest probability.

    Among them are the many wrong labels of FER2013, pictures that do not show a face,
    and the model's true weaknesses. The row number is written below each face, so that
    you can look it up. Create it with `from_estimator` or `from_predictions`.

    Parameters
    ----------
    images : ndarray of shape (n_faces, height, width), dtype uint8
        Grey levels, 0 to 255, the most confident mistake first.
    indices : array-like of shape (n_faces,)
        Their rows in `X`, from 0.
    y_true, y_pred : sequence of str of length n_faces
        Names of the labels and of the predictions.
    confidence : array-like of shape (n_faces,)
        Probabilities of the predictions, 0 to 1.
    n_mistakes, n_samples : int
        Number of all mistakes, and of all faces.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with all the faces.
    figure_ : matplotlib Figure
        Figure that holds them.
    pictures_ : list of matplotlib AxesImage
        The faces.
    texts_ : list of matplotlib Text
        The captions: prediction, label, row.

    See Also
    --------
    FaceGridDisplay : Any faces, right and wrong.
    plot_calibration : Whether the probabilities are right on average.

    Examples
    --------
    >>> from fer_sklearn import make_faces
    >>> from fer_sklearn.plots import MistakesDisplay
    >>> faces = make_faces(3, image_shape=(16, 16), random_state=0)
    >>> display = MistakesDisplay.from_predictions(
    ...     faces.data,
    ...     ["happy", "sad", "sad"],
    ...     [[0.6, 0.4], [0.9, 0.1], [0.7, 0.3]],
    ...     labels=["happy", "sad"],
    ... )
    >>> display.indices, display.confidence
    (array([1, 2]), array([0.9, 0.7]))
    """

    def __init__(
        self, images, *, indices, y_true, y_pred, confidence, n_mistakes, n_samples
    ):
        self.images = images
        self.indices = indices
        self.y_true = y_true
        self.y_pred = y_pred
        self.confidence = confidence
        self.n_mistakes = n_mistakes
        self.n_samples = n_samples

    @classmethod
    def from_estimator(cls, estimator, X, y, **kwargs):
        """Predict all faces and plot the most confident mistakes.

        Parameters
        ----------
        estimator : estimator
            A fitted classifier or pipeline with `predict_proba`.
        X : array-like of shape (n_samples,) or (n_samples, height, width)
            Pixel strings or an array of grey levels, as `estimator` takes them.
        y : array-like of shape (n_samples,)
            Their emotions.
        **kwargs : dict
            Passed to `from_predictions`.

        Returns
        -------
        MistakesDisplay
            The display, plotted.

        Raises
        ------
        FERError
            If `estimator` has no `predict_proba`, or as in `from_predictions`.
        """
        y_prob, classes = predict_proba(estimator, X)
        if kwargs.get("display_labels") is None:
            y, classes = name_by_model(estimator, y, classes)
        return cls.from_predictions(X, y, y_prob, labels=classes, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        X,
        y_true,
        y_prob,
        *,
        labels=None,
        n_faces=14,
        n_columns=None,
        display_labels=None,
        ax=None,
    ):
        """Plot the most confident mistakes among existing predictions.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or (n_samples, height, width)
            Pixel strings or an array of grey levels.
        y_true : array-like of shape (n_samples,)
            Emotions: names, or whole numbers that `display_labels` names.
        y_prob : array-like of shape (n_samples, n_classes)
            Probabilities, 0 to 1, as `predict_proba` gives them.
        labels : array-like of shape (n_classes,), default=None
            The columns' classes, ``estimator.classes_``; None means 0 to 6.
        n_faces : int, default=14
            Largest number of mistakes to plot.
        n_columns : int, default=None
            Number of faces next to each other; None means 7.
        display_labels : sequence of str, default=None
            Names of `labels`, for labels that are not emotions.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes a new figure.

        Returns
        -------
        MistakesDisplay
            The display, plotted.

        Raises
        ------
        FERError
            If the columns have different lengths, or `y_prob` does not have one column
            per class in `labels`, or has values outside of 0 to 1.
        """
        check_count(n_faces=n_faces)
        check_lengths(X=X, y_true=y_true, y_prob=y_prob)
        y_prob, labels = check_prob(y_prob, labels)
        predicted = labels[y_prob.argmax(axis=1)]
        (true, predicted), _ = name_labels(
            y_true, predicted, classes=labels, display_labels=display_labels
        )
        confidence = y_prob.max(axis=1)
        wrong = np.flatnonzero(true != predicted)
        surest = wrong[np.argsort(-confidence[wrong], kind="stable")][:n_faces]
        return cls(
            as_faces(take(X, surest)) if len(surest) else np.empty((0, 1, 1), np.uint8),
            indices=surest,
            y_true=true[surest],
            y_pred=predicted[surest],
            confidence=confidence[surest],
            n_mistakes=len(wrong),
            n_samples=len(true),
        ).plot(ax, n_columns=n_columns)

    def plot(self, ax=None, *, n_columns=None):
        """Plot the faces.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes a new figure.
        n_columns : int, default=None
            Number of faces next to each other; None means 7.

        Returns
        -------
        MistakesDisplay
            The display itself.
        """
        if len(self.images) == 0:
            return self._plot_nothing(ax)
        captions = [
            f"{said} {percent(sure)}\nlabel: {true}\nrow {row}"
            for said, sure, true, row in zip(
                self.y_pred, self.confidence, self.y_true, self.indices, strict=True
            )
        ]
        mosaic = Mosaic(ax, len(self.images), n_columns, captions, extra_height=0.3)
        drawn = [
            mosaic.draw(i, image, caption)
            for i, (image, caption) in enumerate(
                zip(self.images, captions, strict=True)
            )
        ]
        mosaic.finish(
            f"the surest of {self.n_mistakes:,} mistakes in {self.n_samples:,} faces"
        )
        self.figure_, self.ax_ = mosaic.figure, mosaic.ax
        self.pictures_ = [picture for picture, _ in drawn]
        self.texts_ = [text for _, text in drawn]
        return self

    def _plot_nothing(self, ax):
        self.figure_, self.ax_ = get_axes(ax, height=1, width=5)
        self.ax_.set_axis_off()
        self.ax_.set_title(
            f"no mistakes in {self.n_samples:,} faces", fontsize=FONT_SIZE
        )
        self.pictures_, self.texts_ = [], []
        return self
