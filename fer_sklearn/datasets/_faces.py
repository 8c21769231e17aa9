"""make_faces: synthetic faces with seven expressions, for tests, examples and docs."""

from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.utils import Bunch, check_random_state

from ..exceptions import FERError
from ._emotions import EMOTIONS
from ._fer2013 import write_pixel_strings
from ._image_files import check_image_shape

__all__ = ["make_faces"]

_SMALLEST = 12
_FACES_AT_ONCE = 16

# One row per emotion, in the order of EMOTIONS. Lengths are fractions of half a head.
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

# Everything else about a face, uniform between two limits. Angles in radians.
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
Synthetic faces
---------------
{n_samples} grey-scale drawings of {height}x{width} pixels, seven expressions in equal
shares, made by fer_sklearn.datasets.make_faces. Head, brows, eyes and mouth follow
the expression; identity, pose, light and noise vary. No person is shown.
"""


def make_faces(
    n_samples=100,
    *,
    image_shape=(48, 48),
    noise=0.05,
    random_state=None,
    return_X_y=False,
):
    """Make synthetic faces with seven expressions, as a stand-in for FER2013.

    Gives the same kind of Bunch as `load_fer2013`, without a file: for tests, examples
    and a first look. Pose, light and identity vary enough that a linear model on the
    pixels is clearly worse than a small convolutional network.

    Parameters
    ----------
    n_samples : int, default=100
        Number of faces. The seven emotions come in equal shares, in random order.
    image_shape : tuple of two int, default=(48, 48)
        Height and width of a face in pixels, each at least 12. The head fills the
        shorter of the two.
    noise : float, default=0.05
        Standard deviation of the noise on each pixel, as a fraction of the range
        from black to white. 0 gives none.
    random_state : int, RandomState instance or None, default=None
        Seed of the faces. An int gives the same faces every time.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    Bunch
        With the attributes

        data : Series of shape (n_samples,), str
            One string per face, of ``height * width`` grey levels from 0 to 255.
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
        If `n_samples`, `image_shape` or `noise` is out of range.

    See Also
    --------
    load_fer2013 : Read the photographs that these faces imitate.

    Examples
    --------
    >>> from fer_sklearn.datasets import make_faces
    >>> faces = make_faces(70, image_shape=(16, 16), random_state=0)
    >>> faces.data.shape, len(faces.data[0].split())
    ((70,), 256)
    >>> faces.target_names[faces.target[0]]
    'surprise'
    """
    height, width = _check_request(n_samples, image_shape, noise)
    rng = check_random_state(random_state)
    target = rng.permutation(np.arange(n_samples) % len(EMOTIONS))
    look = _sample_looks(target, rng)
    images = np.empty((n_samples, height, width), dtype=np.uint8)
    for start in range(0, n_samples, _FACES_AT_ONCE):
        rows = slice(start, start + _FACES_AT_ONCE)
        light = _draw_faces({k: x[rows] for k, x in look.items()}, height, width)
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
        DESCR=_DESCR.format(n_samples=n_samples, height=height, width=width),
    )


def _check_request(n_samples, image_shape, noise):
    """Check the parameters of `make_faces`; give height and width."""
    if not isinstance(n_samples, Integral) or n_samples < 1:
        raise FERError(
            f"n_samples must be an integer of at least 1, got {n_samples!r}."
        )
    height, width = check_image_shape(image_shape, at_least=_SMALLEST)
    if not noise >= 0:
        raise FERError(f"noise must be 0 or more, got {noise!r}.")
    return height, width


def _sample_looks(target, rng):
    """Sample every parameter of every face: arrays of shape (n_samples, 1, 1)."""
    n = len(target)
    intensity = rng.uniform(0.6, 1.1, size=(n, 1))
    expression = _NEUTRAL + intensity * (_EXPRESSIONS[target] - _NEUTRAL)
    expression += _EXPRESSION_SPREAD * rng.standard_normal(expression.shape)
    # Wrinkles and teeth are strengths, openings are lengths: none can be negative.
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


# From here on, faces are drawn: functions of arrays, without random numbers.
#
# A face has its own coordinates: u to the right and v downwards, 0 in the middle of
# the head, about 1 at the chin. A shape is a function of (u, v) that is negative inside
# and measures the distance from its border. `_fill` turns it into a coverage between 0
# and 1 whose edge is one pixel wide, so faces of any size are smooth without
# oversampling. With pixels of 0.05, the points at distances -0.1, -0.0125, 0, 0.0125
# and 0.1 have the coverages 1, 0.75, 0.5, 0.25 and 0. `_paint` blends a tone into the
# picture by this coverage. Parameters are arrays of shape (n, 1, 1), one number per
# face; pictures have the shape (n, height, width).


def _draw_faces(look, height, width):
    """Draw one face for each row of parameters.

    Parameters
    ----------
    look : mapping of str to float32 array of shape (n, 1, 1)
        What each face looks like, from `_sample_looks`.
    height, width : int
        Size of a picture in pixels.

    Returns
    -------
    array of shape (n, height, width), float32
        Light between 0 and about 1, without noise.
    """
    u, v, edge = _head_coordinates(look, height, width)
    picture = look["backdrop"] + look["backdrop_slope"] * v
    picture = _draw_head(picture, u, v, edge, look)
    u, v = _turn_head(u, v, look)
    for draw in (_draw_nose, _draw_eyes, _draw_brows, _draw_folds, _draw_mouth):
        picture = draw(picture, u, v, edge, look)
    light = 1 + look["light_u"] * u + look["light_v"] * v
    return picture * np.clip(light, 0.25, 1.8)


def _head_coordinates(look, height, width):
    """Coordinates of every pixel on each face, and the width of a pixel there."""
    # The shorter side reaches from -1.1 to 1.1. In a picture of 12x24 a pixel is
    # 2.2 / 12 wide: its rows are at -1.01, ..., 1.01, its columns at -2.11, ..., 2.11.
    edge = 2.2 / min(height, width)
    x, y = (
        (np.arange(side, dtype=np.float32) + 0.5) * edge - side * edge / 2
        for side in (width, height)
    )
    x = x[None, None, :] - look["shift_x"]
    y = y[None, :, None] - look["shift_y"]
    cosine, sine = np.cos(look["tilt"]), np.sin(look["tilt"])
    u = (cosine * x + sine * y) / (look["size"] * look["breadth"])
    v = (cosine * y - sine * x) / look["size"]
    return u, v, edge / look["size"]


def _turn_head(u, v, look):
    """Move the features over the round head, as when it turns or nods."""
    bulge = np.sqrt(np.clip(1 - (u / 0.8) ** 2 - v**2, 0, 1))
    return u - look["yaw"] * bulge, v - look["pitch"] * bulge


def _paint(picture, coverage, tone):
    return picture + coverage * (tone - picture)


def _fill(distance, edge):
    """Coverage of the points with a negative distance from a shape's border."""
    return np.clip(0.5 - distance / edge, 0, 1)


def _ellipse(u, v, radius_u, radius_v):
    """Distance from an ellipse around the origin, accurate enough near its border."""
    radius = np.sqrt((u / radius_u) ** 2 + (v / radius_v) ** 2)
    return (radius - 1) * np.minimum(radius_u, radius_v)


def _stroke(across, thickness, edge, inside):
    """Coverage of a line: `across` is the distance from it, `inside` its extent."""
    # A line thinner than a pixel fades instead of vanishing between two pixels.
    half = np.maximum(thickness, edge) / 2
    strength = np.minimum(1, thickness / edge)
    return _fill(np.abs(across) - half, edge) * strength * _fill(-inside, edge)


def _draw_head(picture, u, v, edge, look):
    skin, hair = look["skin"], look["hair"]
    hairdo = _ellipse(u, v + 0.18, 0.82 + look["hair_volume"], 0.92)
    picture = _paint(picture, _fill(hairdo, edge), hair)
    neck = np.maximum(np.abs(u) - 0.38, 0.5 - v)
    picture = _paint(picture, _fill(neck, edge), 0.75 * skin)
    ears = _ellipse(np.abs(u) - 0.77, v, 0.1, 0.19)
    picture = _paint(picture, _fill(ears, edge), 0.85 * skin)
    head = _fill(_ellipse(u, v, 0.76, 1.0), edge)
    round_skin = skin * (1.06 - 0.3 * (u**2 + 0.5 * v**2))
    picture = _paint(picture, head, round_skin)
    fringe = v + look["hairline"] - 0.22 * u**2 - look["parting"] * u
    return _paint(picture, head * _fill(fringe, edge), hair)


def _draw_nose(picture, u, v, edge, look):
    skin = look["skin"]
    bridge = _stroke(u - 0.07 - 0.1 * v, 0.05, edge, _between(v, -0.12, 0.2))
    picture = _paint(picture, 0.6 * bridge, 0.72 * skin)
    nostrils = _ellipse(np.abs(u) - 0.09, v - 0.23, 0.055, 0.035)
    return _paint(picture, 0.9 * _fill(nostrils, edge), 0.4 * skin)


def _between(value, low, high):
    """Positive inside an interval: the distance from its nearer end."""
    return np.minimum(value - low, high - value)


def _draw_eyes(picture, u, v, edge, look):
    skin, opening = look["skin"], np.maximum(look["eye_open"], 0.015)
    x = np.abs(u) - 0.33
    y = v + 0.14 + 0.25 * look["squint"] * x
    outline = _ellipse(x, y, 0.18, opening)
    white = _fill(outline, edge)
    picture = _paint(picture, white, 0.25 + 0.7 * np.maximum(skin, 0.5))
    iris = _ellipse(x - look["gaze"] * np.sign(u), y, 0.085, 0.095)
    picture = _paint(picture, white * _fill(iris, edge), look["iris"])
    lid = _stroke(outline, 0.04, edge, 0.02 - y)
    return _paint(picture, lid, 0.3 * skin)


def _draw_brows(picture, u, v, edge, look):
    along = (np.abs(u) - 0.11) / 0.46
    arch = look["brow_arch"] * 4 * along * (1 - along)
    height = look["brow_inner"] * (1 - along) + look["brow_outer"] * along + arch
    brow = _stroke(v + 0.38 + height, 0.085, edge, 0.46 * _between(along, 0, 1))
    return _paint(picture, brow, 0.6 * look["hair"])


def _draw_folds(picture, u, v, edge, look):
    """Wrinkles: between the brows, next to the nose, from the nose to the mouth."""
    shadow = 0.55 * look["skin"]
    side = np.abs(u)
    frown = _stroke(side - 0.06, 0.03, edge, _between(v, -0.5, -0.26))
    picture = _paint(picture, frown * look["frown"], shadow)
    wrinkle = _stroke(v - 0.02 + 0.6 * side, 0.035, edge, _between(side, 0.06, 0.2))
    picture = _paint(picture, wrinkle * look["wrinkle"], shadow)
    fold = _stroke(side - 0.2 - 0.5 * (v - 0.2), 0.04, edge, _between(v, 0.18, 0.5))
    return _paint(picture, fold * look["fold"], shadow)


def _draw_mouth(picture, u, v, edge, look):
    x = u / look["mouth_width"]
    profile = np.sqrt(np.clip(1 - x**2, 0, 1))
    y = v - 0.54 + look["smile"] * (x**2 - 0.4) - look["mouth_skew"] * x
    upper, lower = look["mouth_top"] * profile, look["mouth_bottom"] * profile
    lips = np.maximum(-upper - 0.05 * profile - y, y - lower - 0.065 * profile)
    lips = np.maximum(lips, np.abs(u) - look["mouth_width"])
    picture = _paint(picture, _fill(lips, edge), look["lips"] * look["skin"])
    line = _stroke(y, 0.035, edge, look["mouth_width"] - np.abs(u))
    picture = _paint(picture, line, 0.3 * look["skin"])
    inner = np.maximum(-upper - y, y - lower)
    inside = _fill(inner, edge) * np.minimum(1, (upper + lower) / edge)
    picture = _paint(picture, inside, 0.12)
    teeth = inside * _fill(y - lower + 0.6 * (upper + lower), edge)
    return _paint(picture, teeth * look["teeth"], 0.9)
