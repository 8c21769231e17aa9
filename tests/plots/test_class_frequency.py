import numpy as np
import pytest

from fer_sklearn import EMOTIONS
from fer_sklearn.exceptions import FERError
from fer_sklearn.plots import ClassFrequencyDisplay

# FER2013 as a whole.
COUNTS = [4953, 547, 5121, 8989, 6077, 4002, 6198]


def test_bars_are_counts(assert_legible):
    y = np.random.default_rng(0).permutation(np.repeat(np.arange(7), COUNTS))
    display = ClassFrequencyDisplay.from_labels(y)
    assert display.counts.tolist() == COUNTS
    assert [bar.get_height() for bar in display.bars_] == COUNTS
    ticks = display.ax_.get_xticklabels()
    assert [tick.get_text() for tick in ticks] == list(EMOTIONS)
    assert display.texts_[1].get_text() == "547\n1.5%"
    assert display.texts_[3].get_text() == "8,989\n25%"
    assert_legible(display.figure_, [*display.texts_, *ticks])


def test_names_and_numbers_count_alike():
    y = np.array([6, 0, 3, 3])
    numbers = ClassFrequencyDisplay.from_labels(y, display_labels=EMOTIONS)
    names = ClassFrequencyDisplay.from_labels(np.array(EMOTIONS)[y])
    assert names.class_names.tolist() == ["angry", "happy", "neutral"]
    assert numbers.class_names.tolist() == names.class_names.tolist()
    assert numbers.counts.tolist() == names.counts.tolist() == [1, 2, 1]


def test_labels_without_faces_have_an_empty_bar():
    display = ClassFrequencyDisplay.from_labels([3], labels=range(7))
    assert display.counts.tolist() == [0, 0, 0, 1, 0, 0, 0]
    assert display.texts_[0].get_text() == "0\n0%"


def test_other_names_and_style():
    display = ClassFrequencyDisplay.from_labels(
        [0, 1, 1], display_labels=["glum", "glad"], color="black", width=0.5
    )
    assert display.class_names.tolist() == ["glum", "glad"]
    assert display.bars_[0].get_facecolor() == (0, 0, 0, 1)
    assert display.bars_[0].get_width() == 0.5


def test_counts_may_come_from_elsewhere():
    display = ClassFrequencyDisplay(COUNTS, class_names=EMOTIONS).plot()
    assert [bar.get_height() for bar in display.bars_] == COUNTS


def test_no_labels():
    with pytest.raises(FERError, match="expected"):
        ClassFrequencyDisplay.from_labels([])
