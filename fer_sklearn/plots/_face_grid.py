"""Faces in a grid, with their labels and predictions."""

import numpy as np

from ._inputs import (
    as_faces,
    check_count,
    check_lengths,
    name_by_model,
    name_labels,
    predict_proba,
    take,
)
from ._mosaic import Mosaic
from ._style import BLUE, VERMILLION, percent

RIGHT, WRONG = "\N{CHECK MARK}", "\N{BALLOT X}"


class FaceGridDisplay:
    r"""Faces in a grid, each with its label and prediction below.

    A right prediction has a blue frame and a check mark, a wrong one a vermillion
    frame and a cross. Create it with `from_faces`, `from_predictions` or
    `from_estimator`.

    Parameters
    ----------
    images : ndarray of shape (n_faces, height, width), dtype uint8
        Grey levels, 0 to 255.
    y_true : sequence of str of length n_faces, default=None
        Names of the labels, written first.
    y_pred : sequence of str of length n_faces, default=None
        Names of the predictions, written second.
    confidence : array-like of shape (n_faces,), default=None
        Probabilities of the predictions, 0 to 1.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with all the faces.
    figure_ : matplotlib Figure
        Figure that holds them.
    pictures_ : list of matplotlib AxesImage
        The faces.
    texts_ : list of matplotlib Text
        The captions.

    See Also
    --------
    MistakesDisplay : The most confident mistakes of a model.

    Examples
    --------
    >>> from fer_sklearn import make_faces
    >>> from fer_sklearn.plots import FaceGridDisplay
    >>> faces = make_faces(14, image_shape=(16, 16), random_state=0)
    >>> display = FaceGridDisplay.from_faces(faces.data, faces.target)
    >>> display.images.shape
    (14, 16, 16)
    >>> FaceGridDisplay.from_predictions(
    ...     faces.data, ["sad"] * 14, ["sad", "fear"] * 7, confidence=[0.9] * 14
    ... ).texts_[1].get_text()
    'sad\n✗ fear 90%'
    """

    def __init__(self, images, *, y_true=None, y_pred=None, confidence=None):
        self.images = images
        self.y_true = y_true
        self.y_pred = y_pred
        self.confidence = confidence

    @classmethod
    def from_faces(
        cls, X, y=None, *, n_faces=28, n_columns=None, display_labels=None, ax=None
    ):
        """Plot faces as they are.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or (n_samples, height, width)
            Pixel strings, an array of grey levels, or AugmentedImages, whose
            samples of epoch 0 are shown.
        y : array-like of shape (n_samples,), default=None
            Emotions: names, or whole numbers that `display_labels` names.
        n_faces : int, default=28
            Number of faces; the first ones of `X`.
        n_columns : int, default=None
            Number of faces next to each other; None means 7.
        display_labels : sequence of str, default=None
            Names of the labels 0, 1, 2, ..., such as `EMOTIONS`, or of the sorted
            distinct labels. None names the numbers 0 to 6, all seven of them, as
            FER2013 does, and takes other labels as they are.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes a new figure.

        Returns
        -------
        FaceGridDisplay
            The display, plotted.

        Raises
        ------
        FERError
            If the lengths of `X` and `y` differ, or there are no faces or labels.
        """
        check_lengths(X=X, y=y)
        check_count(n_faces=n_faces)
        images = as_faces(take(X, slice(n_faces)))
        names = None
        if y is not None:
            (names,), _ = name_labels(y, display_labels=display_labels)
            names = names[:n_faces]
        return cls(images, y_true=names).plot(ax, n_columns=n_columns)

    @classmethod
    def from_estimator(cls, estimator, X, y=None, *, n_faces=28, **kwargs):
        """Predict and plot faces.

        Parameters
        ----------
        estimator : estimator
            A fitted classifier or pipeline. The probabilities
            are shown if it has `predict_proba`.
        X : array-like of shape (n_samples,) or (n_samples, height, width)
            Pixel strings or an array of grey levels, as `estimator` takes them.
        y : array-like of shape (n_samples,), default=None
            Their labels, or the names that `estimator` has for them.
        n_faces : int, default=28
            Number of faces; only the first ones of `X` are predicted.
        **kwargs : dict
            Passed to `from_predictions`.

        Returns
        -------
        FaceGridDisplay
            The display, plotted.
        """
        check_lengths(X=X, y=y)
        check_count(n_faces=n_faces)
        X = take(X, slice(n_faces))
        y = None if y is None else np.asarray(y)[:n_faces]
        confidence = None
        if hasattr(estimator, "predict_proba"):
            y_prob, classes = predict_proba(estimator, X)
            y_pred, confidence = classes[y_prob.argmax(axis=1)], y_prob.max(axis=1)
        else:
            y_pred = estimator.predict(X)
        if kwargs.get("display_labels") is None:
            (y_pred,) = name_by_model(estimator, y_pred)
            if y is not None:
                (y,) = name_by_model(estimator, y)
        return cls.from_predictions(
            X, y, y_pred, confidence=confidence, n_faces=n_faces, **kwargs
        )

    @classmethod
    def from_predictions(
        cls,
        X,
        y_true,
        y_pred,
        *,
        confidence=None,
        n_faces=28,
        n_columns=None,
        display_labels=None,
        ax=None,
    ):
        """Plot faces with existing predictions.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or (n_samples, height, width)
            Pixel strings or an array of grey levels.
        y_true : array-like of shape (n_samples,) or None
            Emotions: names, or whole numbers that `display_labels` names.
        y_pred : array-like of shape (n_samples,)
            Predicted emotions.
        confidence : array-like of shape (n_samples,), default=None
            Probabilities of the predictions, 0 to 1.
        n_faces : int, default=28
            Number of faces; the first ones of `X`.
        n_columns : int, default=None
            Number of faces next to each other; None means 7.
        display_labels : sequence of str, default=None
            Names of the labels 0, 1, 2, ..., such as `EMOTIONS`, or of the sorted
            distinct labels. None names the numbers 0 to 6, all seven of them, as
            FER2013 does, and takes other labels as they are.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes a new figure.

        Returns
        -------
        FaceGridDisplay
            The display, plotted.

        Raises
        ------
        FERError
            If the columns have different lengths or hold no faces or labels.
        """
        check_lengths(X=X, y_true=y_true, y_pred=y_pred, confidence=confidence)
        check_count(n_faces=n_faces)
        columns = [y_pred] if y_true is None else [y_pred, y_true]
        names, _ = name_labels(*columns, display_labels=display_labels)
        return cls(
            as_faces(take(X, slice(n_faces))),
            y_true=None if y_true is None else names[1][:n_faces],
            y_pred=names[0][:n_faces],
            confidence=None if confidence is None else np.asarray(confidence)[:n_faces],
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
        FaceGridDisplay
            The display itself.
        """
        captions = [self._caption(i) for i in range(len(self.images))]
        mosaic = Mosaic(ax, len(self.images), n_columns, captions)
        drawn = [
            mosaic.draw(i, image, caption, frame=self._frame(i))
            for i, (image, caption) in enumerate(
                zip(self.images, captions, strict=True)
            )
        ]
        mosaic.finish()
        self.figure_, self.ax_ = mosaic.figure, mosaic.ax
        self.pictures_ = [picture for picture, _ in drawn]
        self.texts_ = [text for _, text in drawn]
        return self

    def _caption(self, i):
        lines = [] if self.y_true is None else [str(self.y_true[i])]
        if self.y_pred is not None:
            words = [] if self.y_true is None else [RIGHT if self._right(i) else WRONG]
            words.append(str(self.y_pred[i]))
            if self.confidence is not None:
                words.append(percent(self.confidence[i]))
            lines.append(" ".join(words))
        return "\n".join(lines)

    def _right(self, i):
        return self.y_true[i] == self.y_pred[i]

    def _frame(self, i):
        if self.y_true is None or self.y_pred is None:
            return None
        return BLUE if self._right(i) else VERMILLION
