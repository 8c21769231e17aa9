import numpy as np
import pytest

from fer_sklearn.exceptions import FERError
from fer_sklearn.photos._boxes import (
    as_boxes,
    cut_frame,
    drop_inner_boxes,
    frame_of_face,
    inside,
    largest_first,
    shared_areas,
)


@pytest.mark.parametrize("nothing", [None, [], (), np.zeros((0, 4))])
def test_no_boxes(nothing):
    boxes = as_boxes(nothing)
    assert boxes.shape == (0, 4)
    assert boxes.dtype == np.int64


def test_boxes_are_rounded():
    assert as_boxes([[1.6, -2.4, 10.5, 9.51]]).tolist() == [[2, -2, 10, 10]]


@pytest.mark.parametrize(
    ("boxes", "match"),
    [
        ([1, 2, 3, 4], r"have shape \(4,\)"),
        ([[1, 2, 3]], r"have shape \(1, 3\)"),
        ([["a", "b", "c", "d"]], "rows of four numbers"),
        ([[0, 0, 5, 5], [0, 0, 5, 0]], r"Box 1 is \[0.0, 0.0, 5.0, 0.0\]"),
        ([[0, 0, -5, 5]], "Box 0"),
        ([[np.nan, 0, 5, 5]], "Box 0"),
        ([[0, 0, np.inf, 5]], "Box 0"),
        ([[0, 1e300, 5, 5]], "Box 0"),
    ],
)
def test_what_is_no_box_is_named(boxes, match):
    with pytest.raises(FERError, match=match):
        as_boxes(boxes)


def test_largest_first_then_from_the_left():
    boxes = np.array([[50, 0, 10, 10], [0, 0, 10, 10], [9, 9, 20, 20]])
    assert largest_first(boxes).tolist() == [2, 1, 0]


def test_a_box_inside_a_larger_one_goes():
    face, mouth, neighbour = [0, 0, 100, 100], [30, 60, 40, 40], [90, 0, 80, 80]
    kept = drop_inner_boxes(np.array([mouth, face, neighbour]))
    assert kept.tolist() == [1, 2]
    assert drop_inner_boxes(as_boxes([])).tolist() == []


def test_shared_areas():
    box = np.array([0, 0, 10, 10])
    others = np.array([[0, 0, 10, 10], [5, 5, 10, 10], [20, 0, 5, 5]])
    assert shared_areas(box, others).tolist() == [1, 0.25, 0]


def test_a_face_has_its_centre_in_the_picture():
    boxes = np.array([[-4, 0, 10, 10], [-6, 0, 10, 10], [96, 0, 10, 10]])
    assert inside(boxes, 100, 100).tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("box", "margin", "image_shape", "frame"),
    [
        ([40, 50, 100, 100], 0.1, (48, 48), (30, 40, 120, 120)),
        ([40, 50, 60, 100], 0, (48, 48), (20, 50, 100, 100)),
        ([40, 50, 100, 100], -0.25, (48, 48), (65, 75, 50, 50)),
        ([40, 50, 100, 80], 0.1, (60, 48), (30, 15, 120, 150)),
        ([40, 50, 100, 80], 0.1, (48, 60), (15, 30, 150, 120)),
    ],
)
def test_the_frame_keeps_the_centre_and_adds_the_margin(
    box, margin, image_shape, frame
):
    assert frame_of_face(np.array(box), margin, image_shape) == frame


def test_beyond_the_border_the_border_repeats():
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    cut = cut_frame(grey, -1, -1, 3, 3)
    assert cut.tolist() == [[0, 0, 1], [0, 0, 1], [4, 4, 5]]
    assert cut_frame(grey, 2, 1, 4, 4)[-1].tolist() == [10, 11, 11, 11]
    assert cut_frame(grey, 1, 0, 2, 3).tolist() == [[1, 2], [5, 6], [9, 10]]
