import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from fer_sklearn.exceptions import FERError
from fer_sklearn.plots import SaliencyDisplay


class CornerClassifier(ClassifierMixin, BaseEstimator):
    """Happy as far as the upper left quarter is bright, sad otherwise."""

    classes_ = np.array([3, 4])
    class_names_ = ("happy", "sad")

    def predict_proba(self, X):
        happy = X.reshape(len(X), 16, 16)[:, :8, :8].mean(axis=(1, 2)) / 255
        return np.stack([happy, 1 - happy], axis=1)


@pytest.fixture
def corner():
    """A face whose upper left quarter is white, the rest black."""
    face = np.zeros((16, 16), np.uint8)
    face[:8, :8] = 255
    return face


def test_map_shows_what_the_classifier_looks_at(corner, assert_legible):
    display = SaliencyDisplay.from_estimator(
        CornerClassifier(), corner, patch_size=4, stride=4
    )
    # A patch covers a quarter of the corner, with the mean grey, 64 of 255.
    fall = 16 * (255 - 64) / 64 / 255
    expected = np.where(corner[np.newaxis] > 0, fall, 0)
    np.testing.assert_allclose(display.saliency, expected, atol=1e-12)
    assert display.probability == [1.0]
    assert display.lowest_probability[0] == pytest.approx(1 - fall)
    assert [t.get_text() for t in display.texts_] == ["happy 100%", "down to 81%"]
    np.testing.assert_array_equal(display.images, [corner])
    bar = display.colorbar_.ax.xaxis
    low, high = bar.get_view_interval()
    ticks = [t for t in bar.get_ticklabels() if low <= t.get_position()[0] <= high]
    assert len(ticks) >= 3
    texts = [*display.texts_, bar.label, *ticks]
    assert_legible(display.figure_, texts)


def test_overlapping_patches_are_averaged(corner):
    display = SaliencyDisplay.from_estimator(
        CornerClassifier(), corner, patch_size=4, stride=2
    )
    assert display.saliency.shape == (1, 16, 16)
    inner, edge = display.saliency[0, 3, 3], display.saliency[0, 3, 8]
    assert inner > edge > 0
    assert (display.saliency[0, 12:] == 0).all()


@pytest.mark.parametrize("target", [4, "sad", "Sadness"])
def test_other_target_turns_the_sign(corner, target):
    if target == "Sadness":
        with pytest.raises(FERError, match=r"'Sadness'.*happy, sad"):
            SaliencyDisplay.from_estimator(CornerClassifier(), corner, target=target)
        return
    display = SaliencyDisplay.from_estimator(CornerClassifier(), corner, target=target)
    assert display.class_names.tolist() == ["sad"]
    assert display.saliency.min() < 0 and display.saliency.max() <= 0


def test_colours_are_centred_on_no_change(corner):
    display = SaliencyDisplay.from_estimator(CornerClassifier(), corner)
    low, high = display.pictures_[0].get_clim()
    assert low == -high == pytest.approx(-np.abs(display.saliency).max())
    low, high = display.colorbar_.mappable.get_clim()
    assert high == pytest.approx(100 * display.saliency.max())


def test_forms_of_faces_agree(model, faces, images, assert_legible):
    many = SaliencyDisplay.from_estimator(model, images[:7])
    assert_legible(many.figure_, many.texts_)
    strings = SaliencyDisplay.from_estimator(model, faces.data[:7])
    one = SaliencyDisplay.from_estimator(model, faces.data[0])
    np.testing.assert_allclose(many.saliency, strings.saliency)
    np.testing.assert_allclose(many.saliency[:1], one.saliency)


def test_rows_of_pixels_stay_rows(model, images):
    rows = images[:2].reshape(2, -1)
    display = SaliencyDisplay.from_estimator(model[1:], rows)
    expected = SaliencyDisplay.from_estimator(model, images[:2])
    np.testing.assert_allclose(display.saliency, expected.saliency)


def test_faces_are_left_as_they_are(model, images):
    faces = images[:2].copy()
    SaliencyDisplay.from_estimator(model, faces)
    np.testing.assert_array_equal(faces, images[:2])


def test_whole_face_covered_by_a_single_patch(corner):
    display = SaliencyDisplay.from_estimator(CornerClassifier(), corner, patch_size=16)
    assert np.ptp(display.saliency) == 0


def test_colorbar_stays_with_its_axes(corner):
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 4))
    before = right.get_position().bounds
    display = SaliencyDisplay.from_estimator(CornerClassifier(), corner, ax=left)
    assert right.get_position().bounds == before
    assert display.colorbar_.ax.get_figure() is figure


@pytest.mark.parametrize("sizes", [{"patch_size": 17}, {"patch_size": -1}])
def test_bad_patch(corner, sizes):
    with pytest.raises(FERError, match="from 1 to 16 pixels"):
        SaliencyDisplay.from_estimator(CornerClassifier(), corner, **sizes)


def test_no_probabilities(corner):
    with pytest.raises(FERError, match="no predict_proba"):
        SaliencyDisplay.from_estimator(BaseEstimator(), corner)
