"""What all pictures have in common: where they are drawn, and on request only."""

import ast
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from fer_sklearn import RandomAffineAugmenter, plots
from fer_sklearn.exceptions import FERError, MissingExtraError

SOURCES = sorted(Path(plots.__file__).parent.glob("*.py"))
HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3],
        "train_loss": [1.9, 1.6, 1.4],
        "train_accuracy": [0.2, 0.4, 0.5],
        "valid_loss": [1.8, 1.7, 1.8],
        "valid_accuracy": [0.25, 0.45, 0.44],
        "lr": [0.01, 0.01, 0.001],
    }
)
Y = np.arange(210) % 7


def probabilities():
    return np.random.default_rng(0).dirichlet(np.ones(7), size=210)


DRAW_ON_ONE = {
    "frequency": lambda images, model, ax: plots.ClassFrequencyDisplay.from_labels(
        Y, ax=ax
    ),
    "grid": lambda images, model, ax: plots.FaceGridDisplay.from_estimator(
        model, images, Y, ax=ax
    ),
    "mistakes": lambda images, model, ax: plots.MistakesDisplay.from_predictions(
        images, Y, probabilities(), ax=ax
    ),
    "no mistakes": lambda images, model, ax: plots.MistakesDisplay.from_predictions(
        images, Y, np.eye(7)[Y], ax=ax
    ),
    "recall": lambda images, model, ax: plots.RecallDisplay.from_predictions(
        Y, np.roll(Y, 3), ax=ax
    ),
    "saliency": lambda images, model, ax: plots.SaliencyDisplay.from_estimator(
        model, images[:2], ax=ax
    ),
    "augmentation": lambda images, model, ax: plots.AugmentationDisplay.from_augmenter(
        RandomAffineAugmenter(random_state=0), images[0], ax=ax
    ),
    "confusion": lambda images, model, ax: plots.plot_confusion_matrix(
        Y, np.roll(Y, 3), ax=ax
    ),
    "calibration": lambda images, model, ax: plots.plot_calibration(
        Y, probabilities(), ax=ax
    ),
}
DRAW_ON_MANY = {
    "curves": lambda ax: plots.TrainingCurvesDisplay.from_history(HISTORY, ax=ax).ax_,
    "calibrations": lambda ax: [
        display.ax_
        for display in plots.plot_calibration_by_class(Y, probabilities(), ax=ax)
    ],
}


@pytest.mark.parametrize("draw", DRAW_ON_ONE.values(), ids=DRAW_ON_ONE)
def test_axes_of_the_user_are_drawn_on(images, model, draw):
    figure, (left, right) = plt.subplots(1, 2)
    display = draw(images, model, left)
    assert display.ax_ is left and display.figure_ is figure
    assert plt.get_fignums() == [figure.number]
    assert not right.has_data() and not right.texts and right.get_title() == ""
    figure.canvas.draw()


@pytest.mark.parametrize("draw", DRAW_ON_ONE.values(), ids=DRAW_ON_ONE)
def test_without_axes_one_new_figure_is_made(images, model, draw):
    mine, my_axes = plt.subplots()
    settings = dict(plt.rcParams)
    display = draw(images, model, None)
    assert display.figure_ is not mine and not my_axes.has_data()
    assert len(plt.get_fignums()) == 2
    assert display.figure_.bbox.width <= 800
    assert dict(plt.rcParams) == settings


@pytest.mark.parametrize("draw", DRAW_ON_ONE.values(), ids=DRAW_ON_ONE)
def test_axes_must_be_axes(images, model, draw):
    with pytest.raises(FERError, match=r"ax must be a matplotlib Axes, got Figure"):
        draw(images, model, plt.figure())


@pytest.mark.parametrize("draw", DRAW_ON_MANY.values(), ids=DRAW_ON_MANY)
@pytest.mark.parametrize("layout", [None, "constrained"])
def test_single_axes_is_a_frame_for_the_panels(draw, layout):
    figure, (left, right) = plt.subplots(1, 2, layout=layout, figsize=(16, 6))
    panels = draw(left)
    figure.canvas.draw()
    assert not left.axison and right.axison and not right.has_data()
    for panel in panels:
        assert panel.get_figure() is figure and panel.has_data()
        assert panel.get_window_extent().x1 < right.get_window_extent().x0


@pytest.mark.parametrize("draw", DRAW_ON_MANY.values(), ids=DRAW_ON_MANY)
def test_axes_for_each_panel(draw):
    n_panels = len(draw(None))
    figure, axes = plt.subplots(1, n_panels)
    assert list(draw(axes)) == list(axes)
    assert len(figure.axes) == n_panels
    with pytest.raises(FERError, match=f"ax has 2 axes, expected {n_panels}"):
        draw(axes[:2])


def test_free_axes_cannot_be_divided():
    ax = plt.figure().add_axes((0, 0, 1, 1))
    with pytest.raises(FERError, match="list of 3 axes"):
        plots.TrainingCurvesDisplay.from_history(HISTORY, ax=ax)


def test_a_display_draws_again(images):
    display = plots.FaceGridDisplay.from_faces(images[:8], Y[:8])
    first = display.ax_
    _, ax = plt.subplots()
    assert display.plot(ax, n_columns=2) is display
    assert display.ax_ is ax is not first
    assert len(first.images) == len(ax.images) == 8


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_matplotlib_is_imported_at_use(path):
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            assert "matplotlib" not in ast.unparse(node)


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingExtraError, match=r'pip install .*"matplotlib'):
        plots.ClassFrequencyDisplay.from_labels([1, 2])
    with pytest.raises(MissingExtraError, match=r'pip install .*"matplotlib'):
        plots.TrainingCurvesDisplay.from_history(HISTORY)
