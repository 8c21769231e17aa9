"""Answers to well-formed requests, the model's facts, counters, and OpenAPI."""

import json
import logging
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from fastapi import FastAPI
from PIL import Image
from serving_helpers import encode, probabilities, send, serving, serving_app
from sklearn.dummy import DummyClassifier

from fer_sklearn.datasets import EMOTIONS, write_pixel_strings
from fer_sklearn.exceptions import FERError
from fer_sklearn.serving import Limits, create_app


def test_one_picture(client, pipe, pictures):
    answer = send(client, ("Anna.png", encode(pictures[0])))
    expected = pipe.predict_proba(pictures[:1])[0]
    (picture,) = answer.json()["pictures"]
    assert picture["name"] == "Anna.png"
    assert (picture["width"], picture["height"]) == (48, 48)
    (face,) = picture["faces"]
    assert face["box"] is None
    assert face["emotion"] == EMOTIONS[expected.argmax()]
    assert face["confidence"] == pytest.approx(expected.max())
    assert list(face["probabilities"]) == list(EMOTIONS)
    np.testing.assert_allclose(probabilities(answer), [expected])


def test_uncertain_below_a_confidence(pipe, pictures):
    with serving(pipe, min_confidence=1.0) as client:
        answer = send(client, encode(pictures[0]))
    (face,) = answer.json()["pictures"][0]["faces"]
    assert face["emotion"] == "uncertain"
    expected = pipe.predict_proba(pictures[:1])[0]
    assert face["confidence"] == pytest.approx(expected.max())
    np.testing.assert_allclose(probabilities(answer), [expected])


def test_many_pictures_in_order(client, pipe, pictures):
    answer = send(client, *map(encode, pictures))
    np.testing.assert_allclose(probabilities(answer), pipe.predict_proba(pictures))
    names = [picture["name"] for picture in answer.json()["pictures"]]
    assert names == [f"{index}.png" for index in range(len(pictures))]


def test_picture_as_the_body(client, pipe, pictures):
    answer = client.post(
        "/predict", content=encode(pictures[0]), headers={"Content-Type": "image/png"}
    )
    np.testing.assert_allclose(probabilities(answer), pipe.predict_proba(pictures[:1]))
    assert answer.json()["pictures"][0]["name"] is None


@pytest.mark.parametrize("as_array", [False, True], ids=["strings", "arrays"])
def test_faces_as_json(client, pipe, pictures, as_array):
    faces = pictures.tolist() if as_array else write_pixel_strings(pictures)
    many = client.post("/predict", json={"faces": faces})
    np.testing.assert_allclose(probabilities(many), pipe.predict_proba(pictures))
    one = client.post("/predict", json={"faces": faces[0]})
    np.testing.assert_allclose(probabilities(one), pipe.predict_proba(pictures[:1]))


def test_json_mixes_strings_and_arrays(client, pipe, pictures):
    faces = [write_pixel_strings(pictures[:1])[0], pictures[1].tolist()]
    answer = client.post("/predict", json={"faces": faces})
    np.testing.assert_allclose(probabilities(answer), pipe.predict_proba(pictures[:2]))


def odd_pictures(face):
    """Files that are easily misread, and the face in each."""
    grey = Image.fromarray(face)
    half = np.repeat(np.array([255, 0], np.uint8), 24)[:, None].repeat(48, 1)
    on_paper = np.where(half, face, 255).astype(np.uint8)
    alpha = Image.merge("LA", [grey, Image.fromarray(half)])
    other = [Image.fromarray(255 - face)]
    upside_down = Image.Exif()
    upside_down[0x0112] = 3
    large = grey.resize((480, 480), Image.Resampling.NEAREST)
    return {
        "cmyk.tif": (encode(grey.convert("CMYK"), "TIFF"), face),
        "deep.png": (encode(Image.fromarray(face.astype(np.uint16) * 257)), face),
        "alpha.png": (encode(alpha), on_paper),
        "moving.gif": (encode(grey, "GIF", save_all=True, append_images=other), face),
        "turned.png": (encode(grey.rotate(180), exif=upside_down), face),
        "colours.png": (encode(grey.convert("RGB")), face),
        "large.png": (encode(large), face),
    }


@pytest.mark.parametrize("name", list(odd_pictures(np.zeros((48, 48), np.uint8))))
def test_odd_pictures_are_read_properly(client, pipe, pictures, name):
    data, face = odd_pictures(pictures[0])[name]
    expected = pipe.predict_proba(face[None])
    # Resizing and colours change the grey levels a little, and so the probabilities.
    np.testing.assert_allclose(
        probabilities(send(client, (name, data))), expected, atol=0.03
    )


@pytest.mark.parametrize("name", ["", "Ä 脸.png", "a" * 300 + ".png", "folder/a.png"])
def test_names_are_labels(client, pictures, name):
    answer = send(client, (name or "x", encode(pictures[0])))
    assert answer.status_code == 200
    if len(name) < 250 and name:
        assert answer.json()["pictures"][0]["name"] == name.rpartition("/")[2]


def test_labels_other_than_fer2013(pictures):
    model = DummyClassifier(strategy="prior").fit(
        pictures[:3, 0], ["calm", "wild"] * 1 + ["wild"]
    )
    with serving(model, detect=None) as client:
        face = send(client, encode(pictures[0])).json()["pictures"][0]["faces"][0]
        assert face["emotion"] == "wild"
        assert client.get("/model").json()["emotions"] == ["calm", "wild"]


def test_class_names(pictures):
    model = DummyClassifier().fit(pictures[:2, 0], [3, 9])
    with serving(model, detect=None, class_names=["yes", "no"]) as client:
        assert client.get("/model").json()["emotions"] == ["yes", "no"]
    model.class_names_ = ["calm", "tense"]  # as a trained model has them
    with serving(model, detect=None) as client:
        assert client.get("/model").json()["emotions"] == ["calm", "tense"]
    with pytest.raises(FERError, match="class_names has 1 names, the model has 2"):
        create_app(model, class_names=["yes"])


def test_model_and_health(client):
    facts = client.get("/model").json()
    assert facts == {
        "name": "stand-in",
        "emotions": list(EMOTIONS),
        "image_shape": [48, 48],
        "detects_faces": False,
        "card": {"accuracy": 0.5},
    }
    assert client.get("/health").json() == {"status": "ok"}


def test_metrics_count(pipe, pictures):
    with serving(pipe, detect=None) as client:
        send(client, *map(encode, pictures[:3]))
        send(client, b"no picture")
        client.get("/made/up")
        text = client.get("/metrics").text
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
    assert lines['fer_requests_total{path="/predict",status="200"}'] == "1.0"
    assert lines['fer_requests_total{path="/predict",status="422"}'] == "1.0"
    assert lines['fer_requests_total{path="other",status="404"}'] == "1.0"
    assert lines["fer_batch_faces_sum"] == "3.0"
    assert lines["fer_held_bytes"] == lines["fer_waiting_faces"] == "0.0"
    faces = [float(v) for k, v in lines.items() if k.startswith("fer_faces_total")]
    assert sum(faces) == 3
    assert "/made/up" not in text


def test_mounted_in_another_application(pipe, pictures):
    """Its server runs only its own lifespan."""
    main = FastAPI()
    main.mount("/fer", create_app(pipe, detect=None))
    with serving_app(main) as client:
        assert client.get("/fer/health").status_code == 200
        client.base_url = client.base_url.join("/fer/")
        answer = send(client, encode(pictures[0]))
        np.testing.assert_allclose(
            probabilities(answer), pipe.predict_proba(pictures[:1])
        )
        html = client.get("").text
        for path in re.findall(r'(?:src|href)="([^"#]+)"', html):
            assert client.get(path).status_code == 200, path
        text = client.get("metrics").text
    # Counted under its own path, not as a made-up one.
    assert 'fer_requests_total{path="/predict",status="200"} 1.0' in text


def test_unfitted_model_is_refused():
    with pytest.raises(FERError, match="DummyClassifier, has no predict_proba or is"):
        create_app(DummyClassifier())


def test_model_that_gives_nan_is_refused(pictures):
    class Broken(DummyClassifier):
        def predict_proba(self, X):
            return np.full((len(X), 2), np.nan)

    with pytest.raises(FERError, match="expected finite ones of"):
        create_app(Broken().fit(pictures[:2, 0], [0, 1]))


def test_failing_model_is_a_500_that_tells_nothing(pictures):
    class Failing(DummyClassifier):
        def predict_proba(self, X):
            if len(X) > 1:
                raise RuntimeError("secret")
            return super().predict_proba(X)

    with serving(Failing().fit(pictures[:2, 0], [0, 1]), detect=None) as client:
        answer = send(client, *map(encode, pictures[:2]))
        assert answer.status_code == 500
        assert answer.json() == {
            "detail": "The service failed on this request; see its log."
        }
        assert send(client, encode(pictures[0])).status_code == 200


def test_openapi_tells_the_forms(client):
    schema = client.get("/openapi.json").json()
    body = schema["paths"]["/predict"]["post"]["requestBody"]["content"]
    assert set(body) == {"multipart/form-data", "application/json", "image/*"}
    assert "422" in schema["paths"]["/predict"]["post"]["responses"]
    assert "HTTPValidationError" not in json.dumps(schema)


def test_limits_are_positive():
    with pytest.raises(ValueError, match="faces is -1, expected a number above 0"):
        Limits(faces=-1)


@pytest.mark.parametrize("token", [None, "secret"], ids=["open", "token"])
def test_fuzzing_finds_nothing(pipe, tmp_path, token):
    """Requests that are generated from the service's own OpenAPI, valid and not."""
    pytest.importorskip("schemathesis", reason="needs schemathesis")
    examples = os.environ.get("FER_SKLEARN_FUZZ_EXAMPLES", "5")
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run"),
        *("--max-examples", examples, "--seed", "0", "--no-color"),
        *("--request-timeout", "20", "--max-time", "20"),
        *("--suppress-health-check", "all", "--generation-database", "none"),
        # A schema cannot say which bytes are a picture, so what it allows may be
        # refused.
        *("--exclude-checks", "positive_data_acceptance"),
    ]
    if token is not None:
        command += ["--header", f"Authorization: Bearer {token}"]
    with serving(pipe, detect=None, token=token) as client:
        address = client.base_url.join("openapi.json")
        found = subprocess.run(
            [*command, str(address)],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=180,
        )
        assert client.get("/health").status_code == 200
    summary = found.stdout[found.stdout.rfind("= FAILURES =") :]
    assert found.returncode == 0, f"{summary[:3000]}\n...\n{found.stdout[-2000:]}"
    assert "5 selected / 5 total" in found.stdout


def test_no_picture_is_logged(pipe, pictures, capfd, caplog):
    """Neither the levels of a face nor the name of a file, also if something fails."""

    class Failing:
        classes_ = pipe.classes_
        n_calls = 0

        def predict_proba(self, X):
            self.n_calls += 1
            if self.n_calls > 1:  # the first call comes from create_app
                raise RuntimeError("no more memory")
            return pipe.predict_proba(X)

    face = pictures[0].copy()
    face[:4] = [[171], [205], [239], [173]]  # a pattern that no log has by chance
    (string,) = write_pixel_strings(face[None])
    bad = string.replace("205", "20five")
    rows = face.tolist()
    rows[3][-1] = 1739
    png = encode(face)
    caplog.set_level(logging.DEBUG)
    for model, status in ((pipe, 200), (Failing(), 500)):
        with serving(model, detect=None) as client:
            assert client.post("/predict", json={"faces": string}).status_code == status
            assert send(client, ("anna_marker.png", png)).status_code == status
            answers = [
                send(client, ("anna_marker.png", png[:-40])),
                client.post("/predict", json={"faces": bad}),
                client.post("/predict", json={"faces": rows}),
                client.post("/predict", json={"faces": string, "more": 1}),
            ]
            assert {answer.status_code for answer in answers} == {422}
    out = "".join(capfd.readouterr()) + caplog.text
    assert "no more memory" in out  # it is the log of the service
    # An answer names the one value that is wrong, and no others.
    for text in (out, *(answer.text for answer in answers)):
        for levels in ("171 171", "171, 171", "205 205", "205, 205", "239, 239"):
            assert levels not in text
        assert repr(png[60:70])[2:-1] not in text
    assert "anna_marker" not in out
