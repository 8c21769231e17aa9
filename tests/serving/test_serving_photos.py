"""Faces searched for in photographs: boxes, notes, and what is a face already."""

import io
import sys

import numpy as np
import pytest
from PIL import Image
from serving_helpers import encode, probabilities, send, serving

from fer_sklearn.exceptions import FERError, MissingExtraError
from fer_sklearn.photos import FaceCropper, make_photo
from fer_sklearn.serving import create_app


def test_detected_faces_have_boxes_and_their_own_answers(pipe):
    pytest.importorskip("cv2", reason="needs the extra [photos]")
    photo = make_photo(n_faces=2, random_state=0)
    crops = FaceCropper().crop([photo])
    with serving(pipe) as client:
        assert client.get("/model").json()["detects_faces"]
        answer = send(client, encode(photo))
    (picture,) = answer.json()["pictures"]
    boxes = [list(face["box"].values()) for face in picture["faces"]]
    assert boxes == crops.boxes.tolist()
    assert picture["note"] is None
    assert (picture["height"], picture["width"]) == photo.shape[:2]
    np.testing.assert_allclose(probabilities(answer), pipe.predict_proba(crops.images))


@pytest.fixture(scope="module")
def client_that_finds(pipe):
    """A service that finds a face wherever the picture has a white corner."""

    def detect(image):
        return [[10, 20, 50, 60]] if image[0, 0, 0] == 255 else []

    with serving(pipe, detect=detect) as client:
        yield client


def photo(corner, height=200, width=600):
    levels = np.random.default_rng(0).integers(0, 200, (height, width), dtype=np.uint8)
    levels[:9, :9] = corner
    return levels


def test_own_detector(client_that_finds):
    answer = send(client_that_finds, encode(photo(255)), encode(photo(0)))
    found, empty = answer.json()["pictures"]
    box = {"x": 10, "y": 20, "width": 50, "height": 60}
    assert [face["box"] for face in found["faces"]] == [box]
    assert empty["faces"] == []
    assert empty["note"].startswith("No face was found.")


def test_nothing_found_at_all(client_that_finds):
    answer = send(client_that_finds, encode(photo(0)))
    assert len(probabilities(answer)) == 0


def test_picture_as_small_as_a_face_is_never_lost(client_that_finds, pipe, pictures):
    answer = send(client_that_finds, encode(pictures[0]))
    (picture,) = answer.json()["pictures"]
    assert picture["faces"][0]["box"] is None
    assert picture["note"].startswith("No face was found in this picture; it is")
    np.testing.assert_allclose(probabilities(answer), pipe.predict_proba(pictures[:1]))


def test_cropped_asks_no_detector(client_that_finds):
    answer = send(client_that_finds, encode(photo(255)), params={"cropped": "true"})
    (picture,) = answer.json()["pictures"]
    assert [face["box"] for face in picture["faces"]] == [None]
    assert picture["note"] is None


def test_boxes_lie_in_the_upright_picture(client_that_finds):
    """Phones write pictures lying, with a note that they stand."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    file = io.BytesIO()
    lying = Image.fromarray(photo(255)).transpose(Image.Transpose.ROTATE_90)
    lying.save(file, "PNG", exif=exif)
    (picture,) = send(client_that_finds, file.getvalue()).json()["pictures"]
    assert (picture["width"], picture["height"]) == (600, 200)
    assert len(picture["faces"]) == 1


def test_without_opencv_detection_is_refused_at_the_start(pipe, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingExtraError, match=r'pip install "opencv-python-headless'):
        create_app(pipe)
    create_app(pipe, detect=None)


def test_detect_is_checked(pipe):
    with pytest.raises(FERError, match="detect is 'haar', expected 'auto', None or a"):
        create_app(pipe, detect="haar")
