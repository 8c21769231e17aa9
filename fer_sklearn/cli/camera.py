"""``fer-sklearn predict --camera``: a window with the emotions of the moment."""

import os
import sys
from functools import partial
from time import perf_counter

import numpy as np

from .. import photos
from .._models import image_shape
from ..datasets import class_names
from ..exceptions import FERError
from ..photos._crop import crop_faces
from ..photos._haar import import_opencv
from .run_folder import DEFAULT_MODEL, open_model

_TITLE = "fer-sklearn (q closes the window)"
_SMOOTH = 0.5  # seconds, unless --smooth is given
_ESCAPE = 27


def run(args):
    """Show the camera's picture with boxes and emotions until its window is closed.

    Parameters
    ----------
    args : argparse.Namespace
        With `camera`, `model`, `smooth`, `min_confidence`, `runtime`, `threads` and
        `quiet`; the other options of ``fer-sklearn predict`` must not be given.

    Returns
    -------
    status : int
        0.
    """
    _check(args)
    cv2 = import_opencv()
    _open_window(cv2)
    try:
        model = open_model(
            args.model or DEFAULT_MODEL,
            runtime=args.runtime,
            threads=args.threads,
            quiet=args.quiet,
        )
        start, n_frames = perf_counter(), 0
        for picture in _annotated_frames(model, args):
            cv2.imshow(_TITLE, np.asarray(picture)[:, :, ::-1])
            n_frames += 1
            if _is_closed(cv2):
                break
    finally:
        cv2.destroyAllWindows()
    if not args.quiet:
        rate = f"{n_frames / (perf_counter() - start):.0f} per second"
        print(f"fer-sklearn: {n_frames:,} frames, {rate}", file=sys.stderr)
    return 0


def _check(args):
    given = [
        *(["INPUT"] if args.inputs else []),
        *(f"--{name}" for name in ("out", "annotate", "every") if getattr(args, name)),
        *(["--cropped"] if args.cropped else []),
    ]
    if given:
        raise FERError(
            f"--camera shows a window and writes no file; leave out {', '.join(given)}."
        )


def _open_window(cv2):
    """Open the window before a model is loaded; say what to do if there is none."""
    # Without a display, OpenCV's window library ends the process.
    displays = os.environ.get("DISPLAY"), os.environ.get("WAYLAND_DISPLAY")
    if sys.platform == "linux" and not any(displays):
        raise FERError(
            "There is no display for the window of --camera. Use fer-sklearn serve and "
            "open its page in a browser, which has a camera as well."
        )
    try:
        cv2.namedWindow(_TITLE, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)
    except cv2.error as error:
        raise FERError(
            "This OpenCV has no windows. Install the one that has: pip uninstall "
            "opencv-python-headless, then pip install opencv-python. Or use "
            "fer-sklearn serve and open its page in a browser, which has a camera as "
            "well."
        ) from error


def _annotated_frames(model, args):
    """Yield the frames, mirrored, with the faces and their smoothed emotions."""
    shape, names = image_shape(model), class_names(model)
    smooth = _SMOOTH if args.smooth is None else args.smooth
    tracker = photos.FaceTracker(smooth=smooth)
    detector = photos.VideoFaceDetector()
    for frame in photos.read_camera(args.camera):
        mirrored = frame.image[:, ::-1].copy()
        detect = partial(detector, seconds=frame.seconds)
        crops = crop_faces(
            [mirrored], image_shape=shape, detector=detect, cropped=False
        )
        faces = tracker.follow(crops.boxes, frame.seconds)
        y_prob = []
        if len(crops):
            y_prob = model.predict_proba(crops.images)
            y_prob = tracker.average(faces, frame.seconds, y_prob)
        yield photos.annotate(
            mirrored, crops.boxes, y_prob, names, min_confidence=args.min_confidence
        )


def _is_closed(cv2):
    """Handle the events of the window; whether it was closed, by a key or the mouse."""
    key = cv2.waitKey(1) & 0xFF
    return key in (ord("q"), _ESCAPE) or (
        cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) < 1
    )
