"""make_faces: drawn faces with seven expressions, for tests, examples and docs."""

import numpy as np
import pandas as pd
from sklearn.utils import Bunch, check_random_state

from ..exceptions import FERError
from ._emotions import EMOTIONS
from ._face_drawing import draw_faces
from ._pixel_text import write_pixel_strings

__all__ = ["make_faces"]

_SMALLEST = 12
_FACES_AT_ONCE = 16

# One row an emotion, in the order of EMOTIONS. Lengths are parts of half a head.
_EXPRESSION_COLUMNS = (
    "brow_inner brow_outer brow_arch eye_open squint mouth_width smile mouth_top "
    "mouth_bottom teeth mouth_skew frown wrinkle fold"
).split()
_EXPRESSIONS = np.array(
    [
        [-0.15, 0.10, 0.00, 0.075, 0.6, 0.28, -0.07, 0.02, 0.03, 0.9, 0.0, 0.9, 0, 0.2],
        [-0.09, 0.00, 0.02, 0.050, 0.0, 0.27, -0.09, 0.10, 0.00, 0.9, 0.12, 0, 0.9, 1],
        [0.15, 0.06, 0.00, 0.135, 0.0, 0.36, -0.05, 0.05, 0.07, 0.6, 0.0, 0, 0, 0],
        [0.02, 0.02, 0.05, 0.065, -0.2, 0.40, 0.16, 0.00, 0.15, 1.0, 0.0, 0, 0, 0.8],
        [0.13, -0.07, 0.00, 0.055, -0.7, 0.27, -0.13, 0.00, 0.00, 0.0, 0.0, 0.2, 0, 0],
        [0.14, 0.14, 0.07, 0.140, 0.0, 0.20, 0.00, 0.11, 0.20, 0.0, 0.0, 0, 0, 0],
        [0.00, 0.00, 0.03, 0.085, 0.0, 0.29, 0.00, 0.00, 0.00, 0.0, 0.0, 0, 0, 0],
    ]
)
_NEUTRAL = _EXPRESSIONS[EMOTIONS.index("neutral")]
_EXPRESSION_SPREAD = np.array(
    [0.02, 0.02, 0.02, 0.01, 0.1, 0.025, 0.015, 0.01, 0.01, 0.1, 0.015, 0.1, 0.1, 0.1]
)

# Everything else about a face, uniform between two bounds. Angles in radians.
_LOOK_RANGES = {
    "shift_x": (-0.12, 0.12),
    "shift_y": (-0.12, 0.12),
    "tilt": (-0.22, 0.22),
    "size": (1.0, 1.2),
    "breadth": (0.9, 1.08),
    "yaw": (-0.12, 0.12),
    "pitch": (-0.08, 0.08),
    "gaze": (-0.05, 0.05),
    "skin": (0.35, 0.85),
    "hair": (0.05, 0.5),
    "iris": (0.03, 0.2),
    "lips": (0.6, 0.85),
    "hairline": (0.58, 0.8),
    "hair_volume": (0.0, 0.18),
    "parting": (-0.2, 0.2),
    "backdrop": (0.05, 0.95),
    "backdrop_slope": (-0.25, 0.25),
    "light_u": (-0.35, 0.35),
    "light_v": (-0.3, 0.2),
}

_DESCR = """\
Drawn faces
-----------
{n_samples} grey-scale drawings of {size}x{size} pixels, seven expressions in equal
shares, made by fer_sklearn.datasets.make_faces. Head, brows, eyes and mouth follow
the expression; identity, pose, light and noise vary. No person is shown.
"""


def make_faces(
    n_samples=100,
    *,
    image_size=48,
    noise=0.05,
    random_state=None,
    return_X_y=False,
):
    """Draw faces with seven expressions, as a stand-in for FER2013.

    The same kind of Bunch as `load_fer2013` gives, without a file: good for tests,
    examples and a first look. Pose, light and identity vary enough that a linear
    model on the pixels stays clearly behind a small convolutional network.

    Parameters
    ----------
    n_samples : int, default=100
        Number of faces. The seven emotions come in equal shares, in random order.
    image_size : int, default=48
        Height and width of a face in pixels, at least 12.
    noise : float, default=0.05
        Standard deviation of the noise on each pixel, as a fraction of the range
        from black to white. 0 gives clean drawings.
    random_state : int, RandomState instance or None, default=None
        Seed of all draws; with an int the same faces every time.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    Bunch
        With the attributes

        data : Series of shape (n_samples,), str
            A string of ``image_size * image_size`` grey levels 0 to 255 a face.
        target : array of shape (n_samples,), int64
            0 to 6, the place of the emotion in `target_names`.
        target_names : list of str
            `EMOTIONS`: angry, disgust, fear, happy, sad, surprise, neutral.
        usage : Series of shape (n_samples,), str
            The first 80 % of rows are "Training", then 10 % "PublicTest" and
            10 % "PrivateTest", as in FER2013.
        DESCR : str
            What these faces are.
    (data, target) : tuple
        If `return_X_y` is True.

    Raises
    ------
    FERError
        If `n_samples`, `image_size` or `noise` is out of range.

    See Also
    --------
    load_fer2013 : Read the photographs that these faces stand for.

    Examples
    --------
    >>> from fer_sklearn.datasets import make_faces
    >>> faces = make_faces(70, image_size=16, random_state=0)
    >>> faces.data.shape, len(faces.data[0].split())
    ((70,), 256)
    >>> faces.target_names[faces.target[0]]
    'surprise'
    """
    _check_request(n_samples, image_size, noise)
    rng = check_random_state(random_state)
    target = rng.permutation(np.arange(n_samples) % len(EMOTIONS))
    look = _draw_looks(target, rng)
    images = np.empty((n_samples, image_size, image_size), dtype=np.uint8)
    for start in range(0, n_samples, _FACES_AT_ONCE):
        rows = slice(start, start + _FACES_AT_ONCE)
        light = draw_faces({k: x[rows] for k, x in look.items()}, image_size)
        light += noise * rng.standard_normal(light.shape)
        images[rows] = np.clip(np.rint(255 * light), 0, 255)
    data = pd.Series(write_pixel_strings(images), name="pixels", dtype=_text_dtype())
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        target_names=list(EMOTIONS),
        usage=_usage_of_rows(n_samples),
        DESCR=_DESCR.format(n_samples=n_samples, size=image_size),
    )


def _check_request(n_samples, image_size, noise):
    for name, value, low in (
        ("n_samples", n_samples, 1),
        ("image_size", image_size, _SMALLEST),
    ):
        if not isinstance(value, (int, np.integer)) or value < low:
            raise FERError(
                f"{name} must be an integer of at least {low}, got {value!r}."
            )
    if not noise >= 0:
        raise FERError(f"noise must be 0 or more, got {noise!r}.")


def _draw_looks(target, rng):
    """Draw every parameter of every face: arrays of shape (n_samples, 1, 1)."""
    n = len(target)
    intensity = rng.uniform(0.6, 1.1, size=(n, 1))
    expression = _NEUTRAL + intensity * (_EXPRESSIONS[target] - _NEUTRAL)
    expression += _EXPRESSION_SPREAD * rng.standard_normal(expression.shape)
    # Wrinkles and teeth are strengths, openings are lengths: none is below zero.
    floor = np.where(_EXPRESSIONS.min(axis=0) < 0, -np.inf, 0)
    expression = np.maximum(expression, floor)
    look = dict(zip(_EXPRESSION_COLUMNS, expression.T, strict=True))
    for name, (low, high) in _LOOK_RANGES.items():
        look[name] = rng.uniform(low, high, size=n)
    # Hair stands out from the face but follows its tone a little.
    look["hair"] *= look["skin"] / 0.85
    return {k: x.astype(np.float32)[:, None, None] for k, x in look.items()}


def _usage_of_rows(n_samples):
    names = np.array(["Training", "PublicTest", "PrivateTest"], dtype=object)
    place = np.searchsorted([0.8, 0.9], np.arange(n_samples) / n_samples, side="right")
    return pd.Series(names[place], name="Usage", dtype=_text_dtype())


def _text_dtype():
    """Return the dtype that pandas itself gives a column of text."""
    return pd.Series(["text"]).dtype
