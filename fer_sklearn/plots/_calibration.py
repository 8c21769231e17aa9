"""scikit-learn's calibration curves, set up for emotions."""

import numpy as np
from sklearn.calibration import CalibrationDisplay

from ..exceptions import FERError
from ..metrics import expected_calibration_error
from ._inputs import check_lengths, check_prob, name_labels
from ._style import BLUE, FONT_SIZE, SMALL_FONT_SIZE, get_axes, get_axes_grid, tidy


def plot_calibration(
    y_true, y_prob, *, labels=None, n_bins=10, name=None, ax=None, **kwargs
):
    """Plot how often predictions are right against their probability.

    Of the faces whose emotion is predicted with 70 % probability, 70 % should be right.
    Points below the diagonal mean overconfidence. The probability is that of the
    predicted emotion, as in `fer_sklearn.metrics.expected_calibration_error`, which the
    legend shows.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Emotions: whole numbers 0 to 6 or strings.
    y_prob : array-like of shape (n_samples, n_classes)
        Probabilities, 0 to 1, as `predict_proba` gives them.
    labels : array-like of shape (n_classes,), default=None
        The columns' classes, ``estimator.classes_``; None means 0 to 6.
    n_bins : int, default=10
        Number of bins of equal width that the probabilities are sorted into.
    name : str, default=None
        What the legend calls the curve, such as the model's name.
    ax : matplotlib Axes, default=None
        Axes to plot on, which may hold the curve of another model; None makes a new
        figure.
    **kwargs : dict
        Passed to `sklearn.calibration.CalibrationDisplay.from_predictions`.

    Returns
    -------
    sklearn.calibration.CalibrationDisplay
        With `prob_true`, `prob_pred`, `ax_`, `figure_` and `line_`.

    Raises
    ------
    FERError
        If `y_prob` does not have one row per label in `y_true` and one column per class
        in `labels`, or has values outside of 0 to 1.

    See Also
    --------
    plot_calibration_by_class : One curve per emotion.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger (2017), On calibration of modern neural networks,
    ICML.

    Examples
    --------
    Ten answers are given with probability 0.9, of which eight are right:

    >>> import numpy as np
    >>> from fer_sklearn.plots import plot_calibration
    >>> y_true = ["happy"] * 8 + ["sad"] * 2
    >>> y_prob = np.tile([0.9, 0.1], (10, 1))
    >>> display = plot_calibration(y_true, y_prob, labels=["happy", "sad"])
    >>> display.prob_pred, display.prob_true
    (array([0.9]), array([0.8]))
    """
    true, y_prob, names = _check(y_true, y_prob, labels)
    right = names[y_prob.argmax(axis=1)] == true
    error = expected_calibration_error(true, y_prob, labels=names)
    _, ax = get_axes(ax, height=4.6, width=5.6)
    params = {"pos_label": True, **kwargs}
    display = CalibrationDisplay.from_predictions(
        right,
        y_prob.max(axis=1),
        n_bins=n_bins,
        name=f"{name or 'predicted emotion'} (calibration error {error:.3f})",
        ax=ax,
        **params,
    )
    tidy(ax, grid_axis="both")
    ax.set(xlabel="probability of the predicted emotion", ylabel="share that is right")
    ax.legend(loc="best", fontsize=SMALL_FONT_SIZE)
    return display


def plot_calibration_by_class(
    y_true, y_prob, *, labels=None, n_bins=5, ax=None, **kwargs
):
    """Plot one calibration curve per emotion, each against all others.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Emotions: whole numbers 0 to 6 or strings.
    y_prob : array-like of shape (n_samples, n_classes)
        Probabilities, 0 to 1, as `predict_proba` gives them.
    labels : array-like of shape (n_classes,), default=None
        The columns' classes, ``estimator.classes_``; None means 0 to 6.
    n_bins : int, default=5
        Number of bins that the probabilities are sorted into. Rare emotions leave
        bins of high probability almost empty, so there are few bins.
    ax : matplotlib Axes or array of n_classes of them, default=None
        The panels are plotted inside a single one; None makes a new
        figure.
    **kwargs : dict
        Passed to `sklearn.calibration.CalibrationDisplay.from_predictions`.

    Returns
    -------
    list of sklearn.calibration.CalibrationDisplay
        One per class, in the order of `labels`.

    Raises
    ------
    FERError
        If `y_prob` does not have one row per label in `y_true` and one column per class
        in `labels`, or has values outside of 0 to 1.

    See Also
    --------
    plot_calibration : A single curve for the predicted emotion.

    Examples
    --------
    >>> import numpy as np
    >>> from fer_sklearn.plots import plot_calibration_by_class
    >>> y_prob = np.random.default_rng(0).dirichlet(np.ones(7), size=70)
    >>> displays = plot_calibration_by_class(np.arange(70) % 7, y_prob)
    >>> [display.estimator_name for display in displays[:3]]
    ['angry', 'disgust', 'fear']
    """
    true, y_prob, names = _check(y_true, y_prob, labels)
    n_columns = min(4, len(names))
    height = 2.15 * -(-len(names) // n_columns)
    _, axes = get_axes_grid(ax, len(names), n_columns, height)
    displays = []
    for column, (name, panel) in enumerate(zip(names, axes, strict=True)):
        params = {"pos_label": True, "color": BLUE, "markersize": 4, **kwargs}
        display = CalibrationDisplay.from_predictions(
            true == name,
            y_prob[:, column],
            n_bins=n_bins,
            name=str(name),
            ax=panel,
            **params,
        )
        _trim(panel, name, first=column % n_columns == 0)
        displays.append(display)
    return displays


def _check(y_true, y_prob, labels):
    check_lengths(y_true=y_true, y_prob=y_prob)
    y_prob, labels = check_prob(y_prob, labels)
    (true, names), _ = name_labels(y_true, labels)
    unknown = np.setdiff1d(true, names)
    if len(unknown):
        raise FERError(
            f"y_true holds {unknown[0].item()!r}, which is none of the labels "
            f"{', '.join(names)}. Pass labels=estimator.classes_."
        )
    return true, y_prob, names


def _trim(panel, name, first):
    """Leave out what seven small panels would repeat seven times."""
    tidy(panel, grid_axis="both")
    panel.get_legend().remove()
    panel.set_title(name, fontsize=FONT_SIZE)
    panel.set_xlabel("probability", fontsize=SMALL_FONT_SIZE)
    panel.set_ylabel("true share" if first else "", fontsize=SMALL_FONT_SIZE)
    ticks, words = [0, 0.5, 1], ["0", "0.5", "1"]
    panel.set_xticks(ticks, words)
    panel.set_yticks(ticks, words if first else [])
    panel.set(xlim=(-0.04, 1.04), ylim=(-0.04, 1.04), aspect="equal")
