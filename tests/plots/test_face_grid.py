import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from sklearn.linear_model import RidgeClassifier

from fer_sklearn import EMOTIONS, RandomAffineAugmenter
from fer_sklearn.exceptions import FERError
from fer_sklearn.plots import FaceGridDisplay
from fer_sklearn.plots._style import BLUE, VERMILLION


def captions(display):
    return [text.get_text() for text in display.texts_]


def assert_apart(display):
    """Faces and captions do not lie over each other; all faces have one size."""
    display.figure_.canvas.draw()
    boxes = [picture.get_window_extent() for picture in display.pictures_]
    for i, box in enumerate(boxes):
        assert box.width == pytest.approx(boxes[0].width)
        assert box.width == pytest.approx(box.height)
        assert not any(box.shrunk(0.99, 0.99).overlaps(b) for b in boxes[i + 1 :])
        captions = [text.get_window_extent() for text in display.texts_]
        assert not any(box.shrunk(0.99, 0.99).overlaps(b) for b in captions)


def test_faces_and_labels(faces, images, assert_legible):
    display = FaceGridDisplay.from_faces(faces.data, faces.target)
    np.testing.assert_array_equal(display.images, images[:28])
    for picture, image in zip(display.pictures_, images[:28], strict=True):
        np.testing.assert_array_equal(picture.get_array(), image)
        assert picture.get_clim() == (0, 255)
    assert captions(display) == [EMOTIONS[label] for label in faces.target[:28]]
    assert not display.ax_.patches
    assert_legible(display.figure_, display.texts_)
    assert_apart(display)


def test_predictions_are_marked(model, faces, assert_legible):
    display = FaceGridDisplay.from_estimator(
        model, faces.data[105:], faces.target[105:]
    )
    y_prob = model.predict_proba(faces.data[105:133])
    right = y_prob.argmax(axis=1) == faces.target[105:133]
    assert 0 < right.sum() < 28
    for is_right, text, frame in zip(
        right, captions(display), display.ax_.patches, strict=True
    ):
        assert ("✓" in text) == is_right and ("✗" in text) != is_right
        assert to_hex(frame.get_edgecolor()).upper() == (
            BLUE if is_right else VERMILLION
        )
    np.testing.assert_allclose(display.confidence, y_prob.max(axis=1))
    assert_legible(display.figure_, display.texts_)
    assert_apart(display)


def test_longest_captions_have_room(images, assert_legible):
    n = 14
    display = FaceGridDisplay.from_predictions(
        images[:n], ["surprise"] * n, ["surprise"] * n, confidence=[1.0] * n
    )
    assert captions(display) == ["surprise\n✓ surprise 100%"] * n
    assert_legible(display.figure_, display.texts_)


def test_captions_shrink_on_small_axes(images, assert_legible):
    _, axes = plt.subplots(1, 2, figsize=(12, 4))
    display = FaceGridDisplay.from_predictions(
        images, ["surprise"] * 210, ["surprise"] * 210, n_faces=14, ax=axes[0]
    )
    assert_legible(display.figure_, display.texts_, smallest=3)


def test_without_labels_the_prediction_alone(model, images):
    display = FaceGridDisplay.from_estimator(model, images[:3])
    assert display.y_true is None and not display.ax_.patches
    assert captions(display)[0] == (f"{display.y_pred[0]} {display.confidence[0]:.0%}")


def test_classifier_without_probabilities(images):
    rows, y = images.reshape(len(images), -1), np.arange(210) % 2
    classifier = RidgeClassifier().fit(rows, y)
    display = FaceGridDisplay.from_estimator(
        classifier, rows, y, n_faces=4, display_labels=["no", "yes"]
    )
    assert display.confidence is None and display.images.shape == (4, 16, 16)
    assert captions(display)[0].startswith("no\n")


def test_string_labels_and_whole_number_predictions(images):
    display = FaceGridDisplay.from_predictions(
        images[:2], ["sad", "fear"], [4, 3], display_labels=EMOTIONS
    )
    assert captions(display) == ["sad\n✓ sad", "fear\n✗ happy"]


def test_augmented_images_show_a_draw(images):
    view = RandomAffineAugmenter(random_state=0).fit_transform(images)
    display = FaceGridDisplay.from_faces(view, n_faces=3)
    np.testing.assert_array_equal(display.images, view.sample([0, 1, 2], epoch=0))


def test_columns_and_fewer_faces_than_columns(images):
    display = FaceGridDisplay.from_faces(images[:6], n_columns=3)
    lefts = {picture.get_extent()[0] for picture in display.pictures_}
    assert len(lefts) == 3
    assert len(FaceGridDisplay.from_faces(images[:1]).pictures_) == 1


@pytest.mark.parametrize("bad", [0, 2.5, "7"])
def test_bad_numbers(images, bad):
    with pytest.raises(FERError, match=r"n_faces is .* expected a whole number"):
        FaceGridDisplay.from_faces(images, n_faces=bad)
    with pytest.raises(FERError, match=r"n_columns is .* expected a whole number"):
        FaceGridDisplay.from_faces(images, n_columns=bad)


def test_lengths_must_agree(model, images):
    with pytest.raises(FERError, match="X has 210, y has 2"):
        FaceGridDisplay.from_faces(images, [0, 1])
    with pytest.raises(FERError, match="X has 210, y has 2"):
        FaceGridDisplay.from_estimator(model, images, [0, 1])
    with pytest.raises(FERError, match="confidence has 1"):
        FaceGridDisplay.from_predictions(images[:2], None, [0, 1], confidence=[1.0])
