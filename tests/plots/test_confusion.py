import numpy as np
import pytest
from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix

from fer_sklearn import EMOTIONS
from fer_sklearn.exceptions import FERError
from fer_sklearn.plots import plot_confusion_matrix


def test_scikit_learns_matrix_with_emotions(model, faces, assert_legible):
    y_pred = model.predict(faces.data)
    display = plot_confusion_matrix(faces.target, y_pred)
    assert isinstance(display, ConfusionMatrixDisplay)
    np.testing.assert_allclose(
        display.confusion_matrix,
        confusion_matrix(faces.target, y_pred, normalize="true"),
    )
    assert display.display_labels.tolist() == list(EMOTIONS)
    ticks = display.ax_.get_xticklabels() + display.ax_.get_yticklabels()
    assert_legible(display.figure_, [*display.text_.flat, *ticks])


@pytest.mark.parametrize("cmap", ["Blues", "Greys", "viridis"])
def test_numbers_stand_out_from_their_cells(cmap):
    y_true = [3] * 100 + [4] * 100
    y_pred = [3] * 95 + [4] * 5 + [3] * 40 + [4] * 60
    display = plot_confusion_matrix(y_true, y_pred, cmap=cmap)
    cells = display.im_.cmap(display.im_.norm(display.confusion_matrix))
    for text, cell in zip(display.text_.flat, cells.reshape(-1, 4), strict=True):
        ink = {"white": 1.0, "black": 0.0}[text.get_color()]
        assert abs(ink - cell[:3] @ [0.299, 0.587, 0.114]) > 0.45


def test_counts_and_scikit_learns_parameters():
    display = plot_confusion_matrix(
        ["sad", "sad"], ["sad", "fear"], normalize=None, include_values=False
    )
    assert display.confusion_matrix.tolist() == [[0, 0], [1, 1]]
    assert display.text_ is None
    display = plot_confusion_matrix(
        [0, 1], [0, 1], display_labels=["no", "yes"], text_kw={"color": "red"}
    )
    assert display.display_labels.tolist() == ["no", "yes"]
    assert display.text_[0, 0].get_color() == "red"


def test_lengths_must_agree():
    with pytest.raises(FERError, match="y_true has 2, y_pred has 1"):
        plot_confusion_matrix([1, 2], [1])
