import numpy as np
import pytest
from PIL import Image, ImageDraw

from fer_sklearn.datasets import EMOTIONS
from fer_sklearn.exceptions import FERError
from fer_sklearn.photos import annotate, make_photo
from fer_sklearn.photos._annotation import _draw_face, _place_panels
from fer_sklearn.photos._boxes import shared_areas

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
    panel = copy[:, 115:]
    lengths = [(panel == colour).all(axis=2).sum(axis=1) for colour in _bar_colours()]
    # The median, as the edge of the panel has the colour of the emotion.
    sad, happy = (np.median(length[length > 0]) for length in lengths)
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


def _side_by_side(*counts, image_shape=(360, 480)):
    """Photographs of some faces each, as one picture, with boxes as detected."""
    made = [
        make_photo(n, image_shape=image_shape, random_state=n, return_boxes=True)
        for n in counts
    ]
    places = []
    for index, (_, boxes) in enumerate(made):
        x, y, side = boxes[:, 0] + index * image_shape[1], boxes[:, 1], boxes[:, 2]
        inner = side * 3 // 4
        places += np.stack([x + side // 8, y + side // 8, inner, inner], 1).tolist()
    return np.hstack([photo for photo, _ in made]), np.array(places)


def _bars_of(photo, boxes):
    """Where the copy with bars differs from that without."""
    y_prob = np.tile(HALF, (len(boxes), 1))
    copies = (annotate(photo, boxes, y_prob, EMOTIONS, bars=b) for b in (True, False))
    return changed(*map(np.asarray, copies))


@pytest.mark.parametrize("counts", [(1,), (2,), (3, 3)])
def test_bars_hide_neither_faces_nor_each_other(counts):
    photo, boxes = _side_by_side(*counts)
    bars = _bars_of(photo, boxes)
    assert not any(bars[y : y + h, x : x + w].any() for x, y, w, h in boxes)
    _, panels = _place_panels(photo.shape[1::-1], boxes, boxes, list(EMOTIONS))
    assert len(panels) == len(boxes)
    for index, panel in enumerate(panels[1:], start=1):
        assert not shared_areas(np.array(panel), np.array(panels[:index])).any()


def test_without_room_for_all_bars_there_are_none():
    photo, boxes = _side_by_side(6, 6, image_shape=(120, 480))
    assert not _bars_of(photo, boxes).any()


@pytest.mark.parametrize("scale", [1, 4])
def test_labels_are_hardly_wider_than_their_boxes(scale):
    image = Image.new("RGB", (480 * scale, 300 * scale))
    for width in (70, 90, 150):
        box = np.array([10, 50, width, width]) * scale
        draw = ImageDraw.Draw(image, "RGBA")
        row, names = np.eye(7)[5], list(EMOTIONS)
        label = _draw_face(draw, image.size, box, row, names, 0, box[None])
        assert label[2] <= 1.2 * box[2]


def test_uncertain_label(photo):
    """The label has one text for all emotions, in the colour of the most probable."""
    box = [[170, 90, 130, 130]]
    sure, unsure = [0.1, 0.9], [0.2, 0.8]
    copies = [
        np.asarray(annotate(photo, box, [p], "ab", bars=False, min_confidence=0.95))
        for p in (sure, unsure)
    ]
    np.testing.assert_array_equal(*copies)
    certain = annotate(photo, box, [sure], "ab", bars=False, min_confidence=0.85)
    assert (np.asarray(certain) != copies[0]).any()


@pytest.mark.parametrize(
    "boxes",
    [
        [[150, 0, 100, 100]],  # at the upper border
        [[150, 20, 100, 100], [150, 125, 100, 100]],  # one below the other
        [[150, 0, 100, 299]],  # from border to border
        [[100, 100, 90, 90], [191, 100, 90, 90], [145, 9, 90, 90]],
    ],
)
def test_labels_hide_neither_faces_nor_each_other(photo, boxes):
    boxes, names = np.array(boxes), list(EMOTIONS)
    draw = ImageDraw.Draw(Image.fromarray(photo), "RGBA")
    taken = boxes
    for box in boxes:
        label = _draw_face(draw, (400, 300), box, np.eye(7)[5], names, 0, taken)
        assert not shared_areas(np.array(label), taken).any()
        taken = np.vstack([taken, label])


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
