"""Drawing of simple faces: array functions on whole batches, no random draws.

A face lives in its own coordinates: `u` to the right and `v` downwards, 0 at the
middle of the head, about 1 at the chin. Every shape is a coverage between 0 and 1
with an edge one pixel wide, so pictures of any size are smooth without oversampling.
Parameters come as arrays of shape (n, 1, 1), one number a face.
"""

import numpy as np

__all__ = ["draw_faces"]


def draw_faces(look, image_size):
    """Draw one face for each row of parameters.

    Parameters
    ----------
    look : mapping of str to float32 array of shape (n, 1, 1)
        What each face looks like; `_faces` draws these and says what they mean.
    image_size : int
        Height and width of a picture in pixels.

    Returns
    -------
    array of shape (n, image_size, image_size), float32
        Light between 0 and about 1, without noise.
    """
    u, v, edge = _head_coordinates(look, image_size)
    picture = look["backdrop"] + look["backdrop_slope"] * v
    picture = _draw_head(picture, u, v, edge, look)
    u, v = _turn_head(u, v, look)
    for draw in (_draw_nose, _draw_eyes, _draw_brows, _draw_folds, _draw_mouth):
        picture = draw(picture, u, v, edge, look)
    light = 1 + look["light_u"] * u + look["light_v"] * v
    return picture * np.clip(light, 0.25, 1.8)


def _head_coordinates(look, image_size):
    """Coordinates of every pixel on each face, and the width of a pixel there."""
    edge = 2.2 / image_size
    axis = ((np.arange(image_size, dtype=np.float32) + 0.5) * edge) - 1.1
    x = axis[None, None, :] - look["shift_x"]
    y = axis[None, :, None] - look["shift_y"]
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
    """Distance from an ellipse round the origin, exact enough near its border."""
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
    """Wrinkles: between the brows, beside the nose, from the nose to the mouth."""
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
