from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from fer_sklearn.exceptions import FERError
from fer_sklearn.plots import TrainingCurvesDisplay

COLUMNS = ["train_loss", "valid_loss", "train_accuracy", "valid_accuracy", "lr"]


@pytest.fixture
def history():
    epoch = np.arange(1, 31)
    return pd.DataFrame(
        {
            "epoch": epoch,
            "train_loss": 2 * np.exp(-epoch / 10),
            "train_accuracy": 1 - np.exp(-epoch / 10),
            "valid_loss": 1 + (epoch - 20) ** 2 / 400,
            "valid_accuracy": 0.6 - (epoch - 22) ** 2 / 2000,
            "lr": 0.1 * 0.5 ** (epoch // 6),
            "duration": 3.0,
        }
    )


def test_curves_are_the_columns(history, assert_legible):
    display = TrainingCurvesDisplay.from_history(history)
    assert list(display.axes_) == ["loss", "accuracy", "lr"]
    assert list(display.lines_) == COLUMNS
    for column, line in display.lines_.items():
        np.testing.assert_allclose(line.get_xdata(), history["epoch"])
        np.testing.assert_allclose(line.get_ydata(), history[column])
    # More than the colour tells the two apart.
    assert display.lines_["train_loss"].get_linestyle() != (
        display.lines_["valid_loss"].get_linestyle()
    )
    assert display.axes_["lr"].get_yscale() == "log"
    titles = [panel.title for panel in display.ax_]
    assert_legible(display.figure_, [*titles, *display.legend_.get_texts()])


def test_an_early_loss_does_not_press_the_rest_into_a_line(history):
    assert TrainingCurvesDisplay.from_history(history).ax_[0].get_yscale() == "linear"
    history.loc[0, "valid_loss"] = 9.4
    assert TrainingCurvesDisplay.from_history(history).ax_[0].get_yscale() == "log"


def test_the_last_step_of_a_schedule_takes_no_decades(history):
    history["lr"] = np.linspace(0.1, 1e-7, 30)
    panel = TrainingCurvesDisplay.from_history(history).axes_["lr"]
    assert panel.get_ylim()[0] == pytest.approx(1e-4)


def test_best_epoch_is_marked_in_each_panel(history):
    display = TrainingCurvesDisplay.from_history(history)
    assert display.best_epoch == 22
    for panel in display.ax_:
        assert list(panel.lines[-1].get_xdata()) == [22, 22]
    label = display.legend_.get_texts()[-1].get_text()
    assert label == "best epoch: 22, validation accuracy 0.600"


def test_best_epoch_without_accuracy_is_of_lowest_loss(history):
    display = TrainingCurvesDisplay(history.drop(columns="valid_accuracy"))
    assert display.best_epoch == 20
    display.plot()
    assert "validation loss 1.000" in display.legend_.get_texts()[-1].get_text()


def test_first_of_equally_good_epochs(history):
    history["valid_accuracy"] = 0.5
    assert TrainingCurvesDisplay(history).best_epoch == 1


def test_without_validation(history):
    history[["valid_loss", "valid_accuracy"]] = np.nan
    display = TrainingCurvesDisplay.from_history(history)
    assert display.best_epoch is None
    assert list(display.lines_) == ["train_loss", "train_accuracy", "lr"]
    assert [t.get_text() for t in display.legend_.get_texts()] == ["training"]


def test_only_what_is_there_is_drawn(history):
    display = TrainingCurvesDisplay.from_history(history[["epoch", "train_loss"]])
    assert list(display.axes_) == ["loss"] and len(display.ax_) == 1


def test_single_epoch_is_a_point(history):
    display = TrainingCurvesDisplay.from_history(history.iloc[:1])
    assert display.lines_["train_loss"].get_marker() == "o"
    assert display.axes_["lr"].get_yscale() == "linear"


def test_index_of_the_table_does_not_matter(history):
    """As of a run that was resumed and whose first epochs were cut off."""
    tail = history.iloc[15:].set_axis(np.zeros(15, int))
    assert TrainingCurvesDisplay(tail).best_epoch == 22


@pytest.mark.parametrize("form", [str, lambda path: path])
def test_csv_file(history, tmp_path, form):
    path = tmp_path / "history.csv"
    history.to_csv(path, index=False)
    display = TrainingCurvesDisplay.from_history(form(path))
    pd.testing.assert_frame_equal(display.history, history)


def test_fitted_classifier_pipeline_and_search(history):
    classifier = SimpleNamespace(history_=history)
    pipeline = Pipeline([("cnn", classifier)])
    search = SimpleNamespace(best_estimator_=pipeline)
    for estimator in (classifier, pipeline, search):
        display = TrainingCurvesDisplay.from_estimator(estimator)
        assert display.history is history


def test_estimator_without_history(model):
    with pytest.raises(FERError, match=r"Pipeline has no history_.*FERClassifier"):
        TrainingCurvesDisplay.from_estimator(model)


def test_bad_tables(history):
    with pytest.raises(FERError, match=r"lacks the column 'train_loss'.*\['epoch'\]"):
        TrainingCurvesDisplay.from_history(history[["epoch"]])
    with pytest.raises(FERError, match="no epoch has ended"):
        TrainingCurvesDisplay.from_history(history.iloc[:0])
    with pytest.raises(FERError, match="history is a list"):
        TrainingCurvesDisplay.from_history([1, 2])
    with pytest.raises(FERError, match="not a number"):
        TrainingCurvesDisplay.from_history(history.assign(train_loss=np.nan))
