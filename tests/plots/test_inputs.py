import numpy as np
import pandas as pd
import pytest

from fer_sklearn import EMOTIONS, RandomAffineAugmenter
from fer_sklearn.exceptions import FERError
from fer_sklearn.plots._inputs import (
    as_face,
    as_faces,
    check_lengths,
    check_prob,
    name_labels,
    take,
)


@pytest.mark.parametrize("form", [pd.Series, list, np.asarray])
def test_faces_from_pixel_strings(faces, images, form):
    np.testing.assert_array_equal(as_faces(form(faces.data[:5])), images[:5])


def test_faces_from_arrays(images):
    assert as_faces(images) is not None
    np.testing.assert_array_equal(as_faces(images.astype(int)), images)
    np.testing.assert_array_equal(as_faces(images.reshape(-1, 256)), images)
    assert as_faces(images).dtype == np.uint8
    assert as_faces(np.zeros((4, 10), int)).shape == (4, 1, 10)
    # Faces need not be square where the array says their shape.
    assert as_faces(images[:, :10]).shape == (210, 10, 16)


def test_augmented_images_are_samples_of_epoch_0(images):
    view = RandomAffineAugmenter(random_state=0).fit_transform(images)
    np.testing.assert_array_equal(as_faces(take(view, slice(3))), np.asarray(view)[:3])


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([], "0 rows"),
        (["1 2 3"], "Row 0 of X has 3 grey levels"),
        (np.zeros((4, 3, 3)), r"array of float64.*Scale and round them"),
        (np.full((1, 3, 3), 300), "grey level 300 at pixel .*expected 0 to 255"),
        (np.full((1, 3, 3), -1), "grey level -1 at pixel"),
        (np.zeros((1, 3, 3, 3), int), r"shape \(1, 3, 3, 3\)"),
    ],
)
def test_bad_faces(X, message):
    with pytest.raises(FERError, match=message):
        as_faces(X)


def test_single_face(faces, images):
    for face in (faces.data[0], images[0], images[:1], faces.data[:1]):
        np.testing.assert_array_equal(as_face(face), images[0])
    with pytest.raises(FERError, match="single face, got 2"):
        as_face(images[:2])


@pytest.mark.parametrize("form", [np.uint8, float, object])
def test_all_seven_numbers_are_emotions(form):
    (names,), class_names = name_labels(np.array([6, 3, 0, 1, 2, 4, 5], form))
    assert names.tolist()[:2] == ["neutral", "happy"]
    assert class_names.tolist() == list(EMOTIONS)


def test_all_seven_may_be_in_several_columns():
    (true, _), _ = name_labels([0, 1, 2], [3, 4, 5, 6])
    assert true.tolist() == ["angry", "disgust", "fear"]


def test_few_numbers_are_no_emotions_unless_it_is_said():
    """0 and 1 may be anybody's yes and no."""
    assert name_labels([1, 0])[1].tolist() == ["0", "1"]
    (names,), class_names = name_labels([6, 3], display_labels=EMOTIONS)
    assert names.tolist() == ["neutral", "happy"]
    assert class_names.tolist() == ["happy", "neutral"]


def test_numbers_and_names_can_be_mixed():
    (true, predicted), names = name_labels(
        ["sad", "fear"], [4, 3], display_labels=EMOTIONS
    )
    names = np.sort(names)
    assert (true == predicted).tolist() == [True, False]
    assert names.tolist() == ["fear", "happy", "sad"]


def test_other_labels_stay_as_they_are():
    assert name_labels([10, 9, 7])[1].tolist() == ["7", "9", "10"]
    assert name_labels(["b", "c", "a"])[1].tolist() == ["a", "b", "c"]
    names = name_labels(["contempt", "sad", "happy"])[1]
    assert names.tolist() == ["happy", "sad", "contempt"]


def test_classes_add_names_without_faces():
    assert name_labels([3], classes=range(7))[1].tolist() == list(EMOTIONS)


def test_display_labels():
    (names,), class_names = name_labels([1, 0, 1], display_labels=["no", "yes"])
    assert names.tolist() == ["yes", "no", "yes"]
    assert class_names.tolist() == ["no", "yes"]
    assert name_labels(list("ba"), display_labels=["A", "B"])[1].tolist() == ["A", "B"]
    with pytest.raises(FERError, match="1 names for 2 labels"):
        name_labels([1, 0], display_labels=["no"])
    with pytest.raises(FERError, match="Label 5 is not among the classes"):
        name_labels([1, 5], classes=[0, 1], display_labels=["no", "yes"])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], r"shape \(0,\)"),
        ([[1]], r"shape \(1, 1\)"),
        ([1, np.nan], "Label 1 is nan"),
        ([0.5], "Label 0 is 0.5"),
        (["sad", None], "Label 1 is missing"),
    ],
)
def test_bad_labels(labels, message):
    with pytest.raises(FERError, match=message):
        name_labels(labels)


def test_lengths_are_counted_in_the_message():
    check_lengths(X=[1, 2], y=None, y_pred=[1, 2])
    with pytest.raises(FERError, match="X has 2, y_pred has 1"):
        check_lengths(X=[1, 2], y=None, y_pred=[1])


@pytest.mark.parametrize(
    ("y_prob", "message"),
    [
        ([0.5, 0.5], r"shape \(2,\)"),
        ([[np.nan] * 7], "probabilities between 0 and 1"),
        ([[-3.0, 4, 0, 0, 0, 0, 0]], "probabilities between 0 and 1"),
        ([[0.5, 0.5]], "2 columns for 7 labels.*estimator.classes_"),
    ],
)
def test_bad_probabilities(y_prob, message):
    with pytest.raises(FERError, match=message):
        check_prob(y_prob, None)
