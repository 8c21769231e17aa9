"""What the plots share: colours, sizes, axes. No pyplot settings are changed."""

import numpy as np

from .._utils import require
from ..exceptions import FERError

# Okabe & Ito (2008), distinct with every common kind of colour blindness.
BLUE = "#0072B2"
ORANGE = "#E69F00"
VERMILLION = "#D55E00"
GREY = "#595959"
LIGHT_GREY = "#D0D0D0"

WIDTH = 8.0  # inches: 800 pixels at matplotlib's 100 dots an inch
FONT_SIZE = 10.0  # points: about 14 pixels
SMALL_FONT_SIZE = 9.0


def get_axes(ax, height, width=WIDTH):
    """Return (figure, ax): the user's own, or a new figure of that size in inches."""
    plt = require("matplotlib.pyplot", extra="plots")
    if ax is None:
        return plt.subplots(figsize=(width, height), layout="constrained")
    check_axes(ax)
    return ax.get_figure(), ax


def get_axes_grid(ax, n_axes, n_columns, height, width=WIDTH):
    """Return (figure, list of axes): new, the user's own, or inside of one of theirs.

    As in scikit-learn's PartialDependenceDisplay, a single `ax` is a frame: it is
    turned off and a grid takes its place.
    """
    plt = require("matplotlib.pyplot", extra="plots")
    n_rows = -(-n_axes // n_columns)
    if ax is None:
        figure = plt.figure(figsize=(width, height), layout="constrained")
        grid = figure.add_gridspec(n_rows, n_columns)
    elif np.ndim(ax) > 0:
        axes = list(np.ravel(ax))
        if len(axes) != n_axes:
            raise FERError(
                f"ax has {len(axes)} axes, expected {n_axes} or a single one."
            )
        for one in axes:
            check_axes(one)
        return axes[0].get_figure(), axes
    else:
        check_axes(ax)
        ax.set_axis_off()
        figure = ax.get_figure()
        # Constrained layout makes room between the panels; without it we have to.
        space = {} if figure.get_layout_engine() else {"wspace": 0.45, "hspace": 0.6}
        grid = ax.get_subplotspec()
        if grid is None:
            raise FERError(
                "ax was not made by plt.subplots or a GridSpec, so it cannot be "
                f"divided. Pass a list of {n_axes} axes instead."
            )
        grid = grid.subgridspec(n_rows, n_columns, **space)
    places = [grid[i // n_columns, i % n_columns] for i in range(n_axes)]
    return figure, [figure.add_subplot(place) for place in places]


def check_axes(ax):
    """Raise unless `ax` is a matplotlib Axes."""
    from matplotlib.axes import Axes  # imported before, by get_axes

    if not isinstance(ax, Axes):
        raise FERError(
            f"ax must be a matplotlib Axes, got {type(ax).__name__}. "
            "Make one with: figure, ax = plt.subplots()"
        )


def tidy(ax, grid_axis="y"):
    """Take away the frame's upper and right line, lay a light grid beneath."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=SMALL_FONT_SIZE)
    ax.set_axisbelow(True)
    ax.grid(axis=grid_axis, color=LIGHT_GREY, linewidth=0.6)


def percent(fraction):
    """Write a fraction as people say it: 0.984 is ``98%``, 0.015 is ``1.5%``."""
    return f"{fraction:.1%}" if 0 < fraction < 0.1 else f"{fraction:.0%}"
