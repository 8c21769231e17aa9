import numpy as np
import pytest
from PIL import Image

from fer_sklearn.datasets import EMOTIONS
from fer_sklearn.exceptions import FERError
from fer_sklearn.photos import annotate
from fer_sklearn.photos._annotation import _place

HALF = np.full((1, 7), 1 / 7)


@pytest.fixture
def photo():
    return np.full((300, 400, 3), 200, dtype=np.uint8)


def changed(copy, photo):
    return (np.asarray(copy) != photo).any(axis=2)


def test_the_copy_shows_the_box(photo):
    before = photo.copy()
    copy = annotate(photo, [[50, 80, 100, 120]], HALF, EMOTIONS, bars=False)
    assert copy.mode == "RGB"
    assert copy.size == (400, 300)
    drawn = changed(copy, photo)
    assert drawn[80:200, 50].all() and drawn[199, 50:150].all()
    assert not drawn[100:190, 60:140].any()
    assert not drawn[:, 160:].any()
    assert (photo == before).all()


def test_bars_are_as_long_as_the_probabilities(photo):
    row = np.array([[0.1, 0.9]])
    copy = np.asarray(annotate(photo, [[10, 80, 100, 100]], row, ["sad", "happy"]))
    panel = copy[80:200, 115:].reshape(-1, 3)
    sad, happy = ((panel == colour).all(axis=1).sum() for colour in _bar_colours())
    assert 6 < happy / sad < 12


def _bar_colours():
    from fer_sklearn.photos._annotation import _COLOURS

    return _COLOURS[:2]


def test_the_emotion_gives_the_colour(photo):
    box = [[50, 80, 100, 120]]
    pixels = {
        tuple(np.asarray(annotate(photo, box, row, EMOTIONS, bars=False))[150, 50])
        for row in np.eye(7)[:, None]
    }
    assert len(pixels) == 7


@pytest.mark.parametrize("corner", [(-40, -40), (350, 250), (-40, 250)])
def test_what_reaches_over_the_border_is_moved_inside(photo, corner):
    drawn = changed(annotate(photo, [[*corner, 90, 90]], HALF, EMOTIONS), photo)
    # A panel of seven bars fits wherever the face is.
    assert drawn.sum() > 8000


def test_bars_do_not_hide_the_next_face():
    boxes = np.array([[10, 10, 100, 100], [114, 10, 100, 100]])
    place = _place(boxes[0], (90, 80), (400, 300), boxes, 20)
    assert place.tolist() == [10, 114, 90, 80]


def test_a_tiny_photo(photo):
    copy = annotate(photo[:10, :12], [[0, 0, 10, 10]], HALF, EMOTIONS)
    assert copy.size == (12, 10)


def test_nothing_found(photo):
    for empty in ([], np.zeros((0, 7))):
        assert not changed(annotate(photo, [], empty, EMOTIONS), photo).any()


def test_a_file_stays_as_it_is(photo, tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(photo).save(path)
    before = path.read_bytes()
    annotate(path, [[50, 80, 100, 120]], HALF, EMOTIONS)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("boxes", "probabilities", "match"),
    [
        ([[0, 0, 9, 9]], np.zeros((2, 7)), r"shape \(2, 7\), expected \(1, 7\)"),
        ([[0, 0, 9, 9]], np.zeros((1, 6)), r"shape \(1, 6\), expected \(1, 7\)"),
        ([[0, 0, 9, 9]], np.full((1, 7), 2), "outside 0 to 1"),
        ([[0, 0, 9, 9]], np.full((1, 7), np.nan), "outside 0 to 1"),
        ([[0, 0, 9]], np.zeros((1, 7)), "rows of four numbers"),
    ],
)
def test_what_does_not_fit_is_refused(photo, boxes, probabilities, match):
    with pytest.raises(FERError, match=match):
        annotate(photo, boxes, probabilities, EMOTIONS)
