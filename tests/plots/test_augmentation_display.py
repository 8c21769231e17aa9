import numpy as np
import pytest

from fer_sklearn import RandomAffineAugmenter
from fer_sklearn.exceptions import FERError
from fer_sklearn.plots import AugmentationDisplay

STILL = {
    "rotation_range": 0,
    "width_shift_range": 0,
    "height_shift_range": 0,
    "shear_range": 0,
    "zoom_range": 0,
    "horizontal_flip": False,
    "erasing_probability": 0,
}


def test_a_row_for_each_parameter(images, assert_legible):
    augmenter = RandomAffineAugmenter(random_state=0)
    display = AugmentationDisplay.from_augmenter(augmenter, images[3])
    parameters = [label.split("=")[0] for label in display.samples]
    assert parameters == [*STILL, "all together"]
    assert "rotation_range=15" in display.samples
    names = [text.get_text() for text in display.texts_]
    assert {"rotation_range\n15°", "width_shift_range\n0.1 of the width"} <= {*names}
    assert "all together" in names
    # Each row starts with the face as it is, and varies it.
    assert len(display.pictures_) == 8 * 7
    for row, draws in enumerate(display.samples.values()):
        shown = [p.get_array() for p in display.pictures_[7 * row : 7 * row + 7]]
        np.testing.assert_array_equal(shown[0], images[3])
        np.testing.assert_array_equal(shown[1:], draws)
        assert any((draw != images[3]).any() for draw in draws)
    assert_legible(display.figure_, [display.ax_.title, *display.texts_])


def test_other_parameters_are_off(images):
    augmenter = RandomAffineAugmenter(random_state=0)
    samples = AugmentationDisplay.from_augmenter(augmenter, images[3]).samples
    for sample in samples["horizontal_flip=True"]:
        assert any(
            np.array_equal(sample, face) for face in (images[3], images[3, :, ::-1])
        )


def test_parameters_that_are_off_have_no_row(images):
    augmenter = RandomAffineAugmenter(
        **STILL | {"rotation_range": 5, "zoom_range": (1, 1)}
    )
    display = AugmentationDisplay.from_augmenter(augmenter, images[0])
    assert list(display.samples) == ["rotation_range=5"]
    augmenter.set_params(zoom_range=(0.8, 1.0))
    display = AugmentationDisplay.from_augmenter(augmenter, images[0])
    assert list(display.samples) == [
        "rotation_range=5",
        "zoom_range=(0.8, 1.0)",
        "all together",
    ]


def test_nothing_moves(images):
    display = AugmentationDisplay.from_augmenter(
        RandomAffineAugmenter(**STILL), images[0], n_samples=2
    )
    assert list(display.samples) == ["all together"]
    np.testing.assert_array_equal(
        display.samples["all together"], [images[0], images[0]]
    )


def test_seed_and_untouched_augmenter(faces, images):
    augmenter = RandomAffineAugmenter(random_state=1)
    first = AugmentationDisplay.from_augmenter(augmenter, images[0])
    second = AugmentationDisplay.from_augmenter(augmenter, faces.data[0])
    for label, samples in first.samples.items():
        np.testing.assert_array_equal(samples, second.samples[label])
    assert augmenter.rotation_range == 15 and not hasattr(augmenter, "image_shape_")


def test_bad_input(images, model):
    augmenter = RandomAffineAugmenter()
    with pytest.raises(FERError, match="single face, got 210"):
        AugmentationDisplay.from_augmenter(augmenter, images)
    with pytest.raises(FERError, match="n_samples is 0"):
        AugmentationDisplay.from_augmenter(augmenter, images[0], n_samples=0)
    for other in (model, 3, None):
        with pytest.raises(FERError, match="expected a RandomAffineAugmenter"):
            AugmentationDisplay.from_augmenter(other, images[0])
