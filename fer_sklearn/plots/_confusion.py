"""scikit-learn's confusion matrix, set up for emotions."""

from sklearn.metrics import ConfusionMatrixDisplay

from ._inputs import check_lengths, name_labels
from ._style import get_axes


def plot_confusion_matrix(
    y_true, y_pred, *, normalize="true", display_labels=None, ax=None, **kwargs
):
    """Plot the confusion matrix, with scikit-learn's own display.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Emotions: names, or whole numbers that `display_labels` names.
    y_pred : array-like of shape (n_samples,)
        Predicted emotions.
    normalize : {"true", "pred", "all"} or None, default="true"
        "true" divides each row by its sum, so that the diagonal holds the recalls;
        "pred" each column, so that it holds the precisions; None shows counts.
    display_labels : sequence of str, default=None
        Names of the labels 0, 1, 2, ..., such as `EMOTIONS`, or of the sorted
        distinct labels. None names the numbers 0 to 6, all seven of them, as
        FER2013 does, and takes other labels as they are.
    ax : matplotlib Axes, default=None
        Axes to plot on; None makes a new figure.
    **kwargs : dict
        Passed to `sklearn.metrics.ConfusionMatrixDisplay.from_predictions`.

    Returns
    -------
    sklearn.metrics.ConfusionMatrixDisplay
        With `confusion_matrix`, `ax_`, `figure_`, `im_` and `text_`.

    Raises
    ------
    FERError
        If their lengths differ, or they are empty or have missing labels.

    See Also
    --------
    RecallDisplay : The diagonal, with confidence intervals.

    Examples
    --------
    >>> from fer_sklearn import EMOTIONS
    >>> from fer_sklearn.plots import plot_confusion_matrix
    >>> display = plot_confusion_matrix(
    ...     [3, 3, 3, 3, 6], [3, 3, 3, 6, 6], display_labels=EMOTIONS
    ... )
    >>> display.display_labels.tolist()
    ['happy', 'neutral']
    >>> display.confusion_matrix
    array([[0.75, 0.25],
           [0.  , 1.  ]])
    """
    check_lengths(y_true=y_true, y_pred=y_pred)
    (true, predicted), names = name_labels(
        y_true, y_pred, display_labels=display_labels
    )
    _, ax = get_axes(ax, height=5.2, width=5.5)
    params = {
        "cmap": "Blues",
        "values_format": "d" if normalize is None else ".0%",
        "xticks_rotation": 45,
        "colorbar": False,  # every cell says its number
        "im_kw": {"vmin": 0} if normalize is None else {"vmin": 0, "vmax": 1},
        **kwargs,
    }
    display = ConfusionMatrixDisplay.from_predictions(
        true, predicted, labels=names, normalize=normalize, ax=ax, **params
    )
    if display.text_ is not None and "text_kw" not in kwargs:
        _contrast(display)
    return display


def _contrast(display):
    """Write in black or white, whatever is legible on the colour of the cell.

    scikit-learn's own choice supposes that the colours end at the largest value.
    """
    colors = display.im_.cmap(display.im_.norm(display.confusion_matrix))
    brightness = colors[..., :3] @ [0.299, 0.587, 0.114]
    for text, bright in zip(display.text_.flat, brightness.flat, strict=True):
        text.set_color("black" if bright > 0.5 else "white")
