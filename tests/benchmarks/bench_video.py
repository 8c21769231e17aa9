"""Frames of a video per second, with one face of 130 pixels in 640x480 pixels."""

from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from fer_sklearn import load_pretrained
from fer_sklearn.photos import FaceTracker, VideoFaceDetector, YuNetFaceDetector
from fer_sklearn.photos._crop import crop_faces

from ._timing import speed_up

PHOTO = Path(__file__).parents[2] / "docs" / "images" / "astronaut.jpg"
N_FRAMES = 50
RATE = 25


def rows(rounds):
    """Detect, follow and predict, beside a search of each frame as a whole."""
    frames = moving_face()
    model = load_pretrained("nano", runtime="onnx").set_params(n_threads=1)
    alone = YuNetFaceDetector()

    def ours():
        detector, tracker = VideoFaceDetector(), FaceTracker(smooth=0.5)
        for index, frame in enumerate(frames):
            seconds = index / RATE
            crops = crop_faces([frame], detector=partial(detector, seconds=seconds))
            faces = tracker.follow(crops.boxes, seconds)
            tracker.average(faces, seconds, model.predict_proba(crops.images))

    def theirs():
        for frame in frames:
            alone(frame)

    yield speed_up(
        "one face in a video of 640x480 pixels: found, followed, predicted by `nano` "
        "in onnxruntime",
        "`YuNetFaceDetector` alone, on each frame",
        ours,
        theirs,
        items=N_FRAMES,
        rounds=rounds,
    )


def moving_face():
    """Give the frames of a photograph that moves to and fro."""
    photo = np.asarray(Image.open(PHOTO).convert("RGB").resize((640, 640)))
    frames = []
    for index in range(N_FRAMES):
        top, left = int(40 + 30 * np.sin(index / 12)), int(40 * np.sin(index / 20))
        frames.append(np.roll(photo[top : top + 480], left, axis=1))
    return frames
