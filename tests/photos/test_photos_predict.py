import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from fer_sklearn.datasets import EMOTIONS
from fer_sklearn.exceptions import FERError
from fer_sklearn.photos import FaceCropper, annotate, make_photo, predict_photos


class Brightness(ClassifierMixin, BaseEstimator):
    """Says 'light' with the mean grey level as the probability."""

    classes_ = np.array(["dark", "light"])

    def __init__(self, image_shape=(48, 48)):
        self.image_shape_ = image_shape

    def predict_proba(self, X):
        assert X.dtype == np.uint8
        assert X.shape[1:] == self.image_shape_
        light = X.mean(axis=(1, 2)) / 255
        return np.stack([1 - light, light], axis=1)


class Emotions(Brightness):
    """FER2013's classes: dark is angry, light is happy."""

    classes_ = np.arange(7)

    def predict_proba(self, X):
        P = super().predict_proba(X)
        return np.insert(np.zeros((len(P), 5)), [0, 2], P, axis=1)


@pytest.fixture
def photos():
    """One with a light and a dark face, one without, one dark face-sized picture."""
    first = np.full((300, 600), 50, dtype=np.uint8)
    first[:100, :100] = 250
    return [first, np.full((300, 601), 50, dtype="u1"), np.full((60, 60), 10, "u1")]


@pytest.fixture
def cropper():
    def detector(image):
        light = image[0, 0, 0] > 200
        return [[0, 0, 100, 100], [300, 100, 80, 80]] if light else []

    return FaceCropper(margin=0, detector=detector)


def test_one_row_per_face(photos, cropper):
    faces = predict_photos(Brightness(), photos, cropper=cropper)
    assert faces.columns.tolist() == (
        "photo x y width height score is_whole emotion dark light".split()
    )
    assert faces["photo"].tolist() == [0, 0, 2]
    assert faces["emotion"].tolist() == ["light", "dark", "dark"]
    assert faces["is_whole"].tolist() == [False, False, True]
    assert faces[["x", "y", "width", "height"]].to_numpy()[1].tolist() == [
        300,
        100,
        80,
        80,
    ]
    assert np.allclose(faces["light"], [250 / 255, 50 / 255, 10 / 255])


def test_numbers_of_emotions_get_their_names(photos, cropper):
    faces = predict_photos(Emotions(), photos, cropper=cropper)
    assert faces.columns[-7:].tolist() == list(EMOTIONS)
    assert faces["emotion"].tolist() == ["happy", "angry", "angry"]


def test_no_face_is_an_empty_table(photos, cropper):
    faces = predict_photos(Brightness(), photos[1:2], cropper=cropper)
    assert faces.shape == (0, 10)


def test_the_model_says_how_large_faces_are(photos):
    for image_shape in [(24, 24), (24, 32), (40, 32)]:
        faces = predict_photos(Brightness(image_shape), photos[2:])
        assert len(faces) == 1


def test_the_result_can_be_drawn(photos, cropper):
    faces = predict_photos(Brightness(), photos[:1], cropper=cropper)
    boxes = faces[["x", "y", "width", "height"]]
    copy = annotate(photos[0], boxes, faces[["dark", "light"]], ["dark", "light"])
    assert (np.asarray(copy)[:, :, 0] != photos[0]).any()


class TestMakePhoto:
    def test_the_same_seed_gives_the_same_photo(self):
        assert (make_photo(random_state=3) == make_photo(random_state=3)).all()
        assert (make_photo(random_state=3) != make_photo(random_state=4)).any()

    @pytest.mark.parametrize("n_faces", [0, 1, 6])
    def test_faces_lie_in_the_photo(self, n_faces):
        photo, boxes = make_photo(
            n_faces, image_shape=(120, 400), random_state=0, return_boxes=True
        )
        assert photo.shape == (120, 400, 3)
        assert photo.dtype == np.uint8
        assert boxes.shape == (n_faces, 4)
        assert (boxes[:, :2] >= 0).all()
        assert (boxes[:, :2] + boxes[:, 2:] <= [400, 120]).all()

    @pytest.mark.parametrize(
        ("n_faces", "shape"), [(7, (360, 480)), (-1, (360, 480)), (2, (64, 100))]
    )
    def test_what_does_not_fit_is_refused(self, n_faces, shape):
        with pytest.raises(FERError, match="expected"):
            make_photo(n_faces, image_shape=shape)
