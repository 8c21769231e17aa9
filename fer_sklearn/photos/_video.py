"""The frames of a video, one by one."""

import os
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from time import perf_counter

import numpy as np

from ..exceptions import FERError, ImageFileError
from ._haar import import_opencv


@dataclass(frozen=True, eq=False)
class VideoFrame:
    """One frame of a video.

    Parameters
    ----------
    index : int
        Number of the frame in the video, from 0; skipped frames count.
    seconds : float
        Time of the frame since the start of the video.
    image : ndarray of shape (height, width, 3), dtype uint8
        The picture, RGB.

    See Also
    --------
    read_video : Makes it.

    Examples
    --------
    >>> import numpy as np
    >>> from fer_sklearn.photos import VideoFrame
    >>> VideoFrame(0, 0.0, np.zeros((48, 64, 3), dtype=np.uint8)).image.shape
    (48, 64, 3)
    """

    index: int
    seconds: float
    image: np.ndarray


def read_video(path, *, every=None):
    """Read a video frame by frame; one frame is in memory at a time.

    Parameters
    ----------
    path : path-like
        A file in a format that OpenCV reads: mp4, avi, mov, mkv, webm, ...
    every : float, default=None
        Seconds between two frames that are returned; those in between are skipped.
        None gives every frame.

    Yields
    ------
    frame : VideoFrame
        `index`, `seconds` and `image`, RGB.

    Raises
    ------
    ImageFileError
        If the file is not a video that OpenCV reads.
    FileNotFoundError
        If there is no such file.
    MissingExtraError
        If OpenCV is not installed.

    See Also
    --------
    read_photo : Read one photograph.
    read_camera : The frames of a camera.
    VideoFaceDetector : Finds the faces in the frames.

    Examples
    --------
    >>> from fer_sklearn.photos import read_video
    >>> for frame in read_video("holiday.mp4", every=0.5):  # doctest: +SKIP
    ...     print(frame.seconds, len(detect_faces(frame.image)))
    """
    if every is not None and not (isinstance(every, Real) and every > 0):
        raise FERError(f"every is {every!r}, expected seconds above 0, or None.")
    cv2 = import_opencv()
    # OpenCV also accepts addresses and numbers of cameras; only files are allowed here.
    path = Path(path).resolve()
    if not path.is_file():
        raise FileNotFoundError(2, os.strerror(2), str(path))
    return _frames(cv2, _open(cv2, path), every)


def read_camera(number=0):
    """Read the frames of a camera, until the loop over them ends.

    Parameters
    ----------
    number : int, default=0
        Which camera, as OpenCV counts them.

    Yields
    ------
    frame : VideoFrame
        `index`, `seconds` since the first frame, and `image`, RGB.

    Raises
    ------
    FERError
        If the camera cannot be opened, or gives no more pictures.
    MissingExtraError
        If OpenCV is not installed.

    See Also
    --------
    read_video : The same for a file.

    Examples
    --------
    >>> from fer_sklearn.photos import VideoFaceDetector, read_camera
    >>> detector = VideoFaceDetector()  # doctest: +SKIP
    >>> for frame in read_camera():  # doctest: +SKIP
    ...     boxes, scores = detector(frame.image, frame.seconds)
    """
    if not (isinstance(number, Integral) and number >= 0):
        raise FERError(f"The camera is {number!r}, expected a number of at least 0.")
    cv2 = import_opencv()
    camera = cv2.VideoCapture(int(number))
    try:
        start, index = perf_counter(), 0
        whole, image = camera.read()
        if not whole:
            raise FERError(
                f"Camera {number} cannot be opened. Check that it is connected, that "
                "no other program uses it, and that this program may use it."
            )
        while whole:
            rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
            yield VideoFrame(index, perf_counter() - start, rgb)
            whole, image = camera.read()
            index += 1
    finally:
        camera.release()
    raise FERError(f"Camera {number} gives no more pictures; is it disconnected?")


def _open(cv2, path):
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not video.isOpened() or not video.grab():
        video.release()
        raise ImageFileError(
            f"{path} is not a video that OpenCV reads. Convert it, for example with: "
            f"ffmpeg -i {path.name} {path.stem}.mp4"
        )
    return video


def _frames(cv2, video, every):
    rate = video.get(cv2.CAP_PROP_FPS)
    rate = rate if np.isfinite(rate) and rate > 0 else 25.0
    index, due, grabbed = 0, 0.0, True
    try:
        while grabbed:
            seconds = index / rate
            # Half a frame: 0.2 s at 10 a second is every second frame, not every third.
            if every is None or seconds >= due - 0.5 / rate:
                whole, image = video.retrieve()
                if whole:
                    rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
                    yield VideoFrame(index, seconds, rgb)
                due += every or 0.0
            index += 1
            grabbed = video.grab()
    finally:
        video.release()
