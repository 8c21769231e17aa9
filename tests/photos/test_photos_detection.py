import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from fer_sklearn.exceptions import FERError, MissingExtraError
from fer_sklearn.photos import HaarFaceDetector, detect_faces, make_photo

BLACK = np.zeros((100, 200, 3), dtype=np.uint8)

SLOW_CV2 = """
import sys, time, types
module = sys.modules["cv2"]
sys.modules["cv2"] = types.ModuleType("cv2")  # its binary part
time.sleep(0.5)
sys.modules["cv2"] = module
major = 4
"""
IMPORT_IN_THREADS = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from fer_sklearn.photos._haar import import_opencv

sys.path.insert(0, sys.argv[1])

def major(number):
    time.sleep(number / 40)
    return getattr(import_opencv(), "major", None)

with ThreadPoolExecutor(8) as pool:
    print(list(pool.map(major, range(8))))
"""


def middle(boxes):
    return boxes[:, :2] + boxes[:, 2:] / 2


def test_a_detector_sees_rgb():
    seen = []

    def detector(image):
        seen.append(image)
        return []

    red = Image.new("RGB", (30, 20), "red")
    boxes = detect_faces(red, detector=detector)
    assert boxes.shape == (0, 4)
    assert seen[0].shape == (20, 30, 3)
    assert seen[0].dtype == np.uint8
    assert seen[0][0, 0].tolist() == [255, 0, 0]


def test_boxes_come_largest_first_with_their_scores():
    found = [[0, 0, 20, 20], [50, 0, 30, 30]], [0.5, 0.9]
    boxes, scores = detect_faces(BLACK, detector=lambda _: found, return_scores=True)
    assert boxes.tolist() == [[50, 0, 30, 30], [0, 0, 20, 20]]
    assert scores.tolist() == [0.9, 0.5]


def test_without_scores_they_are_nan():
    # Two boxes in a tuple, as some detectors give them, are not boxes and scores.
    found = (0, 0, 20, 20), (50, 0, 30, 30)
    boxes, scores = detect_faces(BLACK, detector=lambda _: found, return_scores=True)
    assert len(boxes) == 2
    assert np.isnan(scores).all()


@pytest.mark.parametrize("nothing", [None, [], (), ([], []), np.zeros((0, 4))])
def test_nothing_found(nothing):
    boxes, scores = detect_faces(BLACK, detector=lambda _: nothing, return_scores=True)
    assert boxes.shape == (0, 4)
    assert scores.shape == (0,)


def test_small_boxes_and_boxes_beside_the_photo_are_left_out():
    found = [[0, 0, 20, 20], [0, 0, 19, 19], [195, 0, 20, 20]]
    boxes = detect_faces(BLACK, detector=lambda _: found, min_face_size=20)
    assert boxes.tolist() == [[0, 0, 20, 20]]


@pytest.mark.parametrize(
    ("found", "match"),
    [
        ([[0, 0, 900, 20]], "in a photo of 200x100 pixels"),
        (([[0, 0, 9, 9]], [1, 2]), "1 boxes and 2 scores"),
        ([0, 0, 9, 9], r"have shape \(4,\)"),
    ],
)
def test_a_wrong_detector_is_told_so(found, match):
    with pytest.raises(FERError, match=match):
        detect_faces(BLACK, detector=lambda _: found)


@pytest.mark.parametrize("size", [0, -5, 2.5, "large"])
def test_min_face_size_is_checked(size):
    with pytest.raises(FERError, match="min_face_size is"):
        detect_faces(BLACK, detector=lambda _: [], min_face_size=size)


def test_without_opencv_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingExtraError, match=r'pip install "opencv-python-headless'):
        detect_faces(BLACK)


def test_the_module_needs_no_opencv_to_be_imported():
    code = "import sys, fer_sklearn.photos; print('cv2' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert out.stdout == "False\n"


class TestHaar:
    @pytest.fixture(autouse=True)
    def opencv(self):
        pytest.importorskip("cv2", reason="needs the extra photos")

    def test_threads_that_import_opencv_at_once_wait_for_each_other(self, tmp_path):
        """An OpenCV whose import is as slow and as odd as the real one's."""
        (tmp_path / "cv2.py").write_text(SLOW_CV2)
        out = subprocess.run(
            [sys.executable, "-c", IMPORT_IN_THREADS, tmp_path],
            capture_output=True,
            text=True,
        )
        assert out.stdout == "[4, 4, 4, 4, 4, 4, 4, 4]\n", out.stderr

    @pytest.mark.parametrize("n_faces", [1, 2, 3])
    def test_it_finds_synthetic_faces(self, n_faces):
        photo, drawn = make_photo(n_faces, random_state=1, return_boxes=True)
        boxes, scores = detect_faces(photo, return_scores=True)
        boxes = boxes[np.argsort(boxes[:, 0])]
        assert len(boxes) == n_faces
        assert (np.abs(middle(boxes) - middle(drawn)) < drawn[:, 2:] / 6).all()
        assert (scores >= 3).all()

    def test_boxes_of_a_large_photo_are_in_its_pixels(self):
        photo, drawn = make_photo(1, random_state=1, return_boxes=True)
        large = np.asarray(Image.fromarray(photo).resize((2400, 1800)))
        boxes = detect_faces(large)
        assert np.abs(middle(boxes) - 5 * middle(drawn)).max() < 100

    def test_a_photo_from_a_phone_is_searched_upright(self, tmp_path):
        photo = make_photo(1, random_state=1, image_shape=(160, 200))
        exif = Image.Exif()
        exif[0x0112] = 8
        Image.fromarray(np.rot90(photo, -1)).save(tmp_path / "phone.png", exif=exif)
        expected = detect_faces(photo)
        assert detect_faces(tmp_path / "phone.png").tolist() == expected.tolist()

    def test_min_face_size_leaves_small_faces_out(self):
        photo = make_photo(3, random_state=1)
        assert len(detect_faces(photo, min_face_size=200)) == 0

    def test_threads_find_the_same(self):
        shape = (160, 200)
        photos = [make_photo(random_state=i, image_shape=shape) for i in range(3)] * 3
        expected = [detect_faces(photo).tolist() for photo in photos]
        with ThreadPoolExecutor(4) as pool:
            found = [boxes.tolist() for boxes in pool.map(detect_faces, photos)]
        assert found == expected

    def test_it_pickles(self):
        detector = HaarFaceDetector(min_neighbors=4, min_face_size=30)
        photo = make_photo(1, random_state=1)
        boxes, _ = detector(photo)
        copy = pickle.loads(pickle.dumps(detector))
        assert repr(copy) == repr(detector)
        assert copy(photo)[0].tolist() == boxes.tolist()

    @pytest.mark.parametrize(
        ("settings", "match"),
        [
            ({"scale_factor": 1}, "scale_factor is 1"),
            ({"min_neighbors": -1}, "min_neighbors is -1"),
            ({"min_face_size": 0}, "min_face_size is 0"),
        ],
    )
    def test_settings_are_checked(self, settings, match):
        with pytest.raises(FERError, match=match):
            HaarFaceDetector(**settings)

    def test_unknown_cascade(self):
        with pytest.raises(FERError, match=r"haarcascade_elbow\.xml does not exist"):
            HaarFaceDetector("haarcascade_elbow")(BLACK)

    def test_a_file_that_is_no_cascade(self, tmp_path):
        path = tmp_path / "cascade.xml"
        path.write_text("<a></a>")
        with pytest.raises(FERError, match="is not a cascade"):
            HaarFaceDetector(str(path))(BLACK)
