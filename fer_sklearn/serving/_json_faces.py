"""Faces out of JSON: pixel strings, or rows of grey levels."""

import json

import numpy as np

from .._pixels import PixelStringTransformer
from ..exceptions import PixelStringError
from ._problems import Refusal


def parse_json(body, max_faces):
    """Take the faces out of ``{"faces": ...}``: one of them or a list.

    Parameters
    ----------
    body : bytes-like
        The whole body, in UTF-8.
    max_faces : int
        Most faces.

    Returns
    -------
    faces : list
        Each a str, or a list of rows, which are lists of whatever was sent.

    Raises
    ------
    Refusal
        If it is no JSON, has other members, no face or too many.
    """
    try:
        document = json.loads(bytes(body).decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"The body is not JSON: {error}.") from None
    if not isinstance(document, dict) or list(document) != ["faces"]:
        raise Refusal(422, 'The JSON has to be {"faces": ...} and nothing else.')
    faces = document["faces"]
    if _is_face(faces):
        faces = [faces]
    if not isinstance(faces, list) or not all(_is_face(face) for face in faces):
        raise Refusal(
            422,
            '"faces" has to be a face or a list of faces; a face is a pixel string or '
            "a list of rows of grey levels.",
        )
    if not faces:
        raise Refusal(422, '"faces" is empty; send at least one face.')
    if len(faces) > max_faces:
        raise Refusal(
            422, f'"faces" has {len(faces)} faces, more than the {max_faces} taken.'
        )
    return faces


def grey_levels(faces, image_shape):
    """Put the faces into one array.

    Parameters
    ----------
    faces : list
        As from `parse_json`.
    image_shape : tuple of int
        Height and width of a face.

    Returns
    -------
    X : ndarray of shape (n, height, width), dtype uint8
        Grey levels.

    Raises
    ------
    Refusal
        If a face has another shape or other values; the sentence counts from 0.
    """
    X = np.empty((len(faces), *image_shape), dtype=np.uint8)
    for index, face in enumerate(faces):
        if isinstance(face, str):
            X[index] = _from_string(index, face, image_shape)
        else:
            X[index] = _from_rows(index, face, image_shape)
    return X


def _is_face(value):
    if isinstance(value, str):
        return True
    return (
        isinstance(value, list)
        and len(value) > 0
        and all(isinstance(row, list) and not _holds(row, list | str) for row in value)
    )


def _holds(values, types):
    return bool(values) and isinstance(values[0], types)


def _no_constant(name):
    raise ValueError(f"{name} is not a JSON number")


def _from_string(index, text, image_shape):
    height, width = image_shape
    # Three digits and a space would do; the rest is room for other spacing.
    if len(text) > 16 * height * width:
        raise Refusal(
            422,
            f"Face {index} is a string of {len(text)} characters, too long for "
            f"{height * width} grey levels.",
        )
    try:
        return PixelStringTransformer(image_shape=image_shape).transform([text])[0]
    except PixelStringError as error:
        # The cure is for callers in Python.
        raise Refusal(422, f"Face {index} {error.reason}.") from None


def _from_rows(index, rows, image_shape):
    height, width = image_shape
    lengths = {len(row) for row in rows}
    if len(rows) != height or lengths != {width}:
        found = f"{len(rows)}x{'/'.join(map(str, sorted(lengths)[:3]))}"
        raise Refusal(422, f"Face {index} is {found}, expected {height}x{width}.")
    for row in rows:
        for value in row:
            # bool is an int in Python and none in JSON.
            if type(value) is not int or not 0 <= value <= 255:
                raise Refusal(
                    422,
                    f"Face {index} holds {str(value)[:40]!r}, expected whole numbers "
                    "from 0 to 255.",
                )
    return np.array(rows, dtype=np.uint8)
