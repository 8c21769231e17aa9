"""Loss, accuracy and learning rate over the epochs of a training run."""

from os import PathLike

import numpy as np
import pandas as pd

from ..exceptions import FERError
from ._inputs import find_fitted
from ._style import (
    BLUE,
    FONT_SIZE,
    GREY,
    SMALL_FONT_SIZE,
    VERMILLION,
    get_axes_grid,
    tidy,
)


class TrainingCurvesDisplay:
    """Training and validation curves, with the best epoch marked.

    Create it with `from_estimator` for a fitted classifier, or with `from_history` for
    a table, such as the csv of a run that is still under way.

    Parameters
    ----------
    history : DataFrame
        One row an epoch, with the columns ``epoch`` (from 1) and ``train_loss``, and
        any of ``train_accuracy``, ``valid_loss``, ``valid_accuracy`` (0 to 1) and
        ``lr``. Missing or empty columns are not plotted.

    Attributes
    ----------
    best_epoch : int or None
        The first epoch with the highest validation accuracy; without validation
        accuracy the one with the lowest validation loss; None without either. With
        ``early_stopping=True`` its weights are the ones that the classifier keeps.
    axes_ : dict of str to matplotlib Axes
        The panels, named ``"loss"``, ``"accuracy"`` and ``"lr"`` if they are plotted.
    ax_ : ndarray of matplotlib Axes
        The same panels from left to right.
    figure_ : matplotlib Figure
        Figure that holds them.
    lines_ : dict of str to matplotlib Line2D
        The curves by their column in `history`.
    legend_ : matplotlib Legend
        What the lines mean: above the panels, or in the first one on axes of yours.

    Examples
    --------
    >>> import pandas as pd
    >>> from fer_sklearn.plots import TrainingCurvesDisplay
    >>> history = pd.DataFrame({
    ...     "epoch": [1, 2, 3],
    ...     "train_loss": [1.9, 1.6, 1.4],
    ...     "train_accuracy": [0.2, 0.4, 0.5],
    ...     "valid_loss": [1.8, 1.7, 1.8],
    ...     "valid_accuracy": [0.25, 0.45, 0.44],
    ...     "lr": [0.01, 0.01, 0.001],
    ... })
    >>> display = TrainingCurvesDisplay.from_history(history)
    >>> display.best_epoch, list(display.axes_)
    (2, ['loss', 'accuracy', 'lr'])
    """

    def __init__(self, history):
        self.history = history
        self.best_epoch = _best_epoch(history)

    @classmethod
    def from_estimator(cls, estimator, *, ax=None):
        """Plot the history of a fitted classifier.

        Parameters
        ----------
        estimator : estimator
            A fitted `FERClassifier`, a pipeline that ends in one, or a search over
            either, whose best estimator is taken.
        ax : matplotlib Axes or array of them, default=None
            The panels are plotted inside a single one; an array has one
            for each panel; None makes a new figure.

        Returns
        -------
        TrainingCurvesDisplay
            The display, plotted.

        Raises
        ------
        FERError
            If `estimator` has no `history_`, because it is not fitted or another one.
        """
        return cls.from_history(find_fitted(estimator, "history_").history_, ax=ax)

    @classmethod
    def from_history(cls, history, *, ax=None):
        """Plot a table of epochs.

        Parameters
        ----------
        history : DataFrame, str or path-like
            The table, or the csv file that holds it.
        ax : matplotlib Axes or array of them, default=None
            The panels are plotted inside a single one; an array has one
            for each panel; None makes a new figure.

        Returns
        -------
        TrainingCurvesDisplay
            The display, plotted.

        Raises
        ------
        FERError
            If `history` has no rows or lacks the columns ``epoch`` and ``train_loss``.
        """
        return cls(_read_history(history)).plot(ax)

    def plot(self, ax=None):
        """Plot the curves.

        Parameters
        ----------
        ax : matplotlib Axes or array of them, default=None
            The panels are plotted inside a single one; an array has one
            for each panel; None makes a new figure.

        Returns
        -------
        TrainingCurvesDisplay
            The display itself.
        """
        panels = [name for name in ("loss", "accuracy", "lr") if self._columns(name)]
        self.figure_, axes = get_axes_grid(ax, len(panels), len(panels), height=3.0)
        self.ax_ = np.array(axes)
        self.axes_ = dict(zip(panels, axes, strict=True))
        self.lines_ = {}
        for name, panel in self.axes_.items():
            self._draw_panel(name, panel)
        self._add_legend(own_figure=ax is None)
        return self

    def _columns(self, panel):
        """Columns of a panel that hold numbers."""
        columns = ["lr"] if panel == "lr" else [f"train_{panel}", f"valid_{panel}"]
        return [
            c for c in columns if c in self.history and self.history[c].notna().any()
        ]

    def _draw_panel(self, name, panel):
        from matplotlib.ticker import MaxNLocator  # there since get_axes_grid

        for column in self._columns(name):
            # A run of one epoch is a point, not a line of no length.
            style = {"marker": "o"} if len(self.history) == 1 else {}
            (self.lines_[column],) = panel.plot(
                self.history["epoch"],
                self.history[column],
                color=VERMILLION if column.startswith("valid") else BLUE,
                linestyle="-" if column.startswith("valid") else "--",
                linewidth=1.8,
                label={"t": "training", "v": "validation"}.get(column[0]),
                **style,
            )
        if name == "lr":
            self._style_learning_rate(panel)
        elif name == "loss":
            self._style_loss(panel)
        if self.best_epoch is not None:
            panel.axvline(self.best_epoch, color=GREY, linestyle=":", linewidth=1.5)
        tidy(panel)
        panel.set_title("learning rate" if name == "lr" else name, fontsize=FONT_SIZE)
        panel.set_xlabel("epoch", fontsize=SMALL_FONT_SIZE)
        panel.xaxis.set_major_locator(MaxNLocator(4, integer=True))

    def _style_loss(self, panel):
        losses = self.history[self._columns("loss")].to_numpy(dtype=float)
        # One early epoch far above all others would press the rest into a line.
        if np.nanmin(losses) > 0 and np.nanmax(losses) > 4 * np.nanmedian(losses):
            panel.set_yscale("log")

    def _style_learning_rate(self, panel):
        self.lines_["lr"].set(drawstyle="steps-mid", linestyle="-", color="black")
        rates = self.history["lr"].dropna()
        if rates.min() > 0 and rates.max() > 10 * rates.min():
            panel.set_yscale("log")
            # A schedule's last step, next to nothing, is no decade worth showing.
            panel.set_ylim(bottom=max(rates.min() / 1.3, 1e-3 * rates.max()))
        else:
            panel.set_ylim(0, 1.1 * rates.max() or 1)

    def _add_legend(self, own_figure):
        """One legend for all panels, above them if the figure is ours."""
        from matplotlib.lines import Line2D  # there since get_axes_grid

        handles = [self.lines_[column] for column in self._columns("loss")]
        if self.best_epoch is not None:
            label = f"best epoch: {self.best_epoch}"
            if own_figure:
                label += f", {self._describe_best()}"
            handles.append(Line2D([], [], color=GREY, linestyle=":", label=label))
        params = {"handles": handles, "frameon": False, "fontsize": SMALL_FONT_SIZE}
        if own_figure:
            self.legend_ = self.figure_.legend(
                loc="outside upper left", ncols=len(handles), **params
            )
        else:
            self.legend_ = self.ax_[0].legend(**params)

    def _describe_best(self):
        row = self.history[self.history["epoch"] == self.best_epoch].iloc[0]
        if "valid_accuracy" in self.lines_:
            return f"validation accuracy {row['valid_accuracy']:.3f}"
        return f"validation loss {row['valid_loss']:.3f}"


def _read_history(history):
    if isinstance(history, str | PathLike):
        history = pd.read_csv(history)
    if not isinstance(history, pd.DataFrame):
        raise FERError(
            f"history is a {type(history).__name__}, expected a DataFrame or the path "
            "of a csv file."
        )
    lacking = [c for c in ("epoch", "train_loss") if c not in history]
    if lacking:
        raise FERError(
            f"history lacks the column {lacking[0]!r}; it has {list(history.columns)}."
        )
    if len(history) == 0:
        raise FERError("history has no rows: no epoch has ended yet.")
    if not history["train_loss"].notna().any():
        raise FERError("The column 'train_loss' of history is not a number in any row.")
    return history


def _best_epoch(history):
    for column, find in (("valid_accuracy", "idxmax"), ("valid_loss", "idxmin")):
        if column in history and history[column].notna().any():
            values = history[column].reset_index(drop=True)
            return int(history["epoch"].iloc[getattr(values, find)()])
    return None
