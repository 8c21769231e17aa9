import numpy as np
import pytest

from fer_sklearn.exceptions import FERError, ImageFileError, MissingExtraError
from fer_sklearn.photos import VideoFrame, read_video


@pytest.fixture
def video(tmp_path):
    """Ten frames, ten a second, each redder than the last."""
    cv2 = pytest.importorskip("cv2", reason="needs the extra photos")
    path = tmp_path / "film.avi"
    code = cv2.VideoWriter_fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(path), code, 10, (64, 48))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no MJPG")
    for index in range(10):
        frame = np.zeros((48, 64, 3), dtype=np.uint8)
        frame[:, :, 2] = 25 * index
        writer.write(frame)
    writer.release()
    return path


def redness(frames):
    return [frame.image[:, :, 0].mean() for frame in frames]


def test_every_frame_in_order(video):
    frames = list(read_video(video))
    assert all(isinstance(frame, VideoFrame) for frame in frames)
    assert [frame.index for frame in frames] == list(range(10))
    assert np.allclose([frame.seconds for frame in frames], np.arange(10) / 10)
    assert frames[0].image.shape == (48, 64, 3)
    assert frames[0].image.dtype == np.uint8
    assert np.allclose(redness(frames), 25 * np.arange(10), atol=6)


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        (0.2, [0, 2, 4, 6, 8]),
        (0.3, [0, 3, 6, 9]),
        (0.25, [0, 2, 5, 7]),
        (5, [0]),
        (0.01, list(range(10))),
    ],
)
def test_every_so_many_seconds(video, every, expected):
    frames = list(read_video(str(video), every=every))
    assert [frame.index for frame in frames] == expected
    assert np.allclose(redness(frames), 25 * np.array(expected), atol=6)


def test_the_rest_need_not_be_read(video):
    frames = read_video(video)
    assert next(frames).index == 0
    frames.close()


@pytest.mark.parametrize("content", [b"", b"no video", bytes(10_000)])
def test_what_is_no_video_is_refused(tmp_path, content):
    pytest.importorskip("cv2", reason="needs the extra photos")
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    with pytest.raises(ImageFileError, match="is not a video that OpenCV reads"):
        read_video(path)


@pytest.mark.parametrize("path", ["gone.mp4", "http://127.0.0.1:9/film.mp4", "0"])
def test_files_alone_are_opened(path, tmp_path, monkeypatch):
    pytest.importorskip("cv2", reason="needs the extra photos")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_video(path)


@pytest.mark.parametrize("every", [0, -1, "second", float("nan")])
def test_every_is_checked(every):
    with pytest.raises(FERError, match="every is"):
        read_video("film.mp4", every=every)


def test_without_opencv_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    with pytest.raises(MissingExtraError, match=r'pip install "opencv-python-headless'):
        read_video(tmp_path)
