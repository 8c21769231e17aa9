"""``fer-sklearn predict --camera``, with a camera and windows that are not real."""

import numpy as np
import pytest

from fer_sklearn.cli import main
from fer_sklearn.photos import make_photo

cv2 = pytest.importorskip("cv2", reason="needs the extra [photos]")


class Camera:
    """Gives three photographs, then nothing."""

    def __init__(self, number):
        self.frames = (
            [make_photo(random_state=0)[:, :, ::-1]] * 3 if number == 1 else []
        )

    def read(self):
        return (True, self.frames.pop()) if self.frames else (False, None)

    def release(self):
        pass


@pytest.fixture
def shown(monkeypatch):
    """The pictures that were shown; the second one is closed with a key."""
    shown = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    monkeypatch.setattr(cv2, "namedWindow", lambda title, flags: None)
    monkeypatch.setattr(cv2, "imshow", lambda title, image: shown.append(image))
    monkeypatch.setattr(cv2, "waitKey", lambda wait: ord("q") if shown[1:] else -1)
    monkeypatch.setattr(cv2, "getWindowProperty", lambda title, which: 1.0)
    monkeypatch.setattr(cv2, "destroyAllWindows", lambda: shown.append("closed"))
    return shown


def test_the_window_shows_faces_until_a_key_is_pressed(run, shown, capsys):
    assert main(["predict", "--camera", "1", "--model", str(run)]) == 0
    first, second, closed = shown
    assert closed == "closed"
    plain = make_photo(random_state=0)[:, ::-1, ::-1]  # mirrored, BGR
    assert first.shape == second.shape == plain.shape
    # There are a box and a label around the face, and nothing else is changed.
    changed = (first != plain).any(axis=2)
    assert 0 < changed.mean() < 0.5
    assert "fer-sklearn: 2 frames, " in capsys.readouterr().err


def test_the_window_can_be_closed_with_the_mouse(run, shown, monkeypatch):
    monkeypatch.setattr(cv2, "waitKey", lambda wait: -1)
    monkeypatch.setattr(cv2, "getWindowProperty", lambda title, which: 0.0)
    assert main(["predict", "--camera", "1", "--model", str(run), "--quiet"]) == 0
    assert len(shown) == 2


def test_a_camera_that_is_disconnected(run, shown, monkeypatch, capsys):
    monkeypatch.setattr(cv2, "waitKey", lambda wait: -1)
    assert main(["predict", "--camera", "1", "--model", str(run)]) == 1
    assert "Camera 1 gives no more pictures" in capsys.readouterr().err
    assert [type(picture) for picture in shown] == [*[np.ndarray] * 3, str]


def test_no_camera(run, shown, capsys):
    assert main(["predict", "--camera", "--model", str(run)]) == 1
    assert "Camera 0 cannot be opened. Check that" in capsys.readouterr().err
    assert shown == ["closed"]


def test_an_opencv_without_windows(run, shown, monkeypatch, capsys):
    def fail(title, flags):
        raise cv2.error("The function is not implemented.")

    monkeypatch.setattr(cv2, "namedWindow", fail)
    assert main(["predict", "--camera", "1", "--model", str(run)]) == 1
    error = capsys.readouterr().err
    assert "pip install opencv-python" in error
    assert "fer-sklearn serve" in error


def test_no_display(run, shown, monkeypatch, capsys):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert main(["predict", "--camera", "1", "--model", str(run)]) == 1
    assert "There is no display" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["photo.jpg"], "INPUT"),
        (["--out", "faces.csv", "--cropped"], "--out, --cropped"),
        (["--every", "1s"], "--every"),
    ],
)
def test_options_of_files_are_refused(options, named, shown, capsys):
    assert main(["predict", *options, "--camera"]) == 1
    assert f"leave out {named}." in capsys.readouterr().err


def test_nothing_to_predict(capsys):
    assert main(["predict"]) == 1
    assert (
        "Say what to predict: files or folders, or --camera" in capsys.readouterr().err
    )
