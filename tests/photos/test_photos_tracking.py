import numpy as np
import pytest

from fer_sklearn.exceptions import FERError
from fer_sklearn.photos import FaceTracker


def box(x, y=50, side=40):
    return [x, y, side, side]


def test_faces_keep_their_numbers_in_whatever_order_they_come():
    tracker = FaceTracker()
    assert tracker.follow([box(10), box(200)], 0.0).tolist() == [0, 1]
    assert tracker.follow([box(192), box(18)], 0.1).tolist() == [1, 0]
    assert tracker.follow([box(26), box(184), box(300)], 0.2).tolist() == [0, 1, 2]


def test_faces_that_pass_each_other_closely():
    """The pairs with the largest overlap in total, not the best one for each face."""
    tracker = FaceTracker()
    tracker.follow([box(100), box(120)], 0.0)
    # The first box overlaps more with face 1, which needs the second box.
    assert tracker.follow([box(112), box(135)], 0.1).tolist() == [0, 1]


def test_a_face_that_jumps_is_a_new_one():
    tracker = FaceTracker()
    assert tracker.follow([box(10)], 0.0).tolist() == [0]
    assert tracker.follow([box(50)], 0.1).tolist() == [1]


def test_a_face_is_gone_after_half_a_second():
    for gap, expected in ((0.4, 0), (0.6, 1)):
        tracker = FaceTracker()
        tracker.follow([box(10)], 0.0)
        assert tracker.follow([], 0.1).shape == (0,)
        tracker.follow([], 0.2)
        assert tracker.follow([box(12)], gap).tolist() == [expected]


def test_frames_may_be_seconds_apart():
    tracker = FaceTracker()
    tracker.follow([box(10)], 0.0)
    assert tracker.follow([box(12)], 5.0).tolist() == [0]


def test_probabilities_are_averaged_over_time():
    tracker = FaceTracker(smooth=2.0)
    ids = np.array([0])
    first, second = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    assert tracker.average(ids, 0.0, first).tolist() == [[1, 0]]
    weight = np.exp(-0.5 / 2)
    mean = tracker.average(ids, 0.5, second)
    assert mean == pytest.approx(np.array([[weight, 1 - weight]]))
    # The result does not depend on the number of frames in between.
    more = FaceTracker(smooth=2.0)
    more.average(ids, 0.0, first)
    for seconds in (0.1, 0.2, 0.3, 0.4, 0.5):
        last = more.average(ids, seconds, second)
    assert last == pytest.approx(mean)
    assert last.sum() == pytest.approx(1)


def test_each_face_has_its_own_mean():
    tracker = FaceTracker(smooth=1e15)
    tracker.average(np.array([0, 1]), 0.0, np.eye(2))
    mean = tracker.average(np.array([1, 0, 2]), 0.1, np.full((3, 2), 0.5))
    assert mean == pytest.approx(np.array([[0, 1], [1, 0], [0.5, 0.5]]))


def test_without_smooth_probabilities_stay_as_they_are():
    tracker = FaceTracker()
    tracker.average(np.array([0]), 0.0, np.array([[1.0, 0.0]]))
    y_prob = np.array([[0.0, 1.0]], dtype=np.float32)
    assert tracker.average(np.array([0]), 0.1, y_prob) is y_prob


@pytest.mark.parametrize("settings", [{"smooth": -1}, {"max_gap": "long"}])
def test_settings_are_checked(settings):
    (name,) = settings
    with pytest.raises(FERError, match=f"{name} is"):
        FaceTracker(**settings)


def test_boxes_are_checked():
    with pytest.raises(FERError, match="Boxes are rows of four numbers"):
        FaceTracker().follow([1, 2, 3, 4], 0.0)
