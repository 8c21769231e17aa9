"""From the body of a request to faces for the model."""

import asyncio
import json
import math
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from time import monotonic

import numpy as np
from PIL import Image
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import FormParser, parse_options_header

from .._pixel_strings import read_faces
from ..datasets._image_files import SAFE_FORMATS, open_image
from ..exceptions import FERError, ImageFileError, PixelStringError
from ..photos._crop import crop_faces
from ..photos._detection import default_detector, find_near
from .limits import Refusal, busy

# The field of a form that holds the pictures.
FIELD = "files"

# A grey level in JSON takes up to four bytes, "255,"; the rest is room for spaces.
_BYTES_PER_LEVEL = 8

_NO_DETECTOR = (
    "This server does not detect faces: the middle of the picture was treated as one "
    "face."
)
_WHOLE = (
    "No face was found in this picture. It is small or nearly square, so its middle "
    "was treated as one face."
)
_NO_FACE = (
    "No face was found. If the picture shows one cropped face, send it with "
    "cropped=true."
)


@dataclass
class DecodedPicture:
    """A picture to be answered.

    `faces` is a uint8 array (n, height, width), `boxes` has a dict or None for each
    face, and `note` is what a person should know about the answer.
    """

    name: str | None
    width: int
    height: int
    faces: np.ndarray
    boxes: list
    note: str | None = None


class Inputs:
    """Reads the three forms of ``POST /predict``: a form, one picture, or JSON.

    Parameters
    ----------
    image_shape : tuple of int
        Height and width of a face.
    limits : Limits
        What a request may cost.
    detect : "auto", None or callable
        As for `create_app`.
    """

    def __init__(self, image_shape, limits, detect):
        height, width = image_shape
        if height != width:
            raise FERError(
                f"The model takes faces of {height}x{width}; the service needs square "
                "ones."
            )
        if not (detect in ("auto", None) or callable(detect)):
            raise FERError(
                f"detect is {detect!r}, expected 'auto', None or a callable."
            )
        self.image_shape = image_shape
        self.held = 0  # bytes of bodies in memory
        self._limits = limits
        self._detector = default_detector() if detect == "auto" else detect
        self.detects_faces = detect is not None
        self._warm()

    def _warm(self):
        """Read one picture and one string, so that no request waits for imports.

        If the detector is missing, this is where it is noticed, and not in a request.
        """
        Image.init()  # the readers of all formats
        file = BytesIO()
        # Too large to be taken for a face, so that the detector runs.
        Image.new("L", (200, 100)).save(file, "PNG")
        self._read_picture("", file.getvalue(), 0, cropped=False)
        _from_string(0, "0 " * math.prod(self.image_shape), self.image_shape)

    @asynccontextmanager
    async def body(self, request):
        """Receive the body of a request and hold it while the block runs.

        It stays in memory, and is counted while it arrives: a request gets its 408,
        413, 415 or 503 as soon as that is certain.
        """
        limit, body = self._check_head(request), bytearray()
        try:
            await self._receive(request, body, limit)
            yield body
        finally:
            self.held -= len(body)

    async def _receive(self, request, body, limit):
        seconds = self._limits.body_seconds
        try:
            async with asyncio.timeout(seconds):
                async for chunk in request.stream():
                    if len(body) + len(chunk) > limit:
                        raise _too_large(limit)
                    if self.held + len(chunk) > self._limits.held_bytes:
                        raise busy("Too many uploads at once; try again in a second.")
                    self.held += len(chunk)
                    body += chunk
        except TimeoutError:
            raise Refusal(
                408, f"The body did not arrive within {seconds:g} seconds."
            ) from None

    def _check_head(self, request):
        """Refuse what the head shows to be wrong; return the most bytes of a body."""
        kind = _kind(request.headers.get("content-type", ""))
        limit = self._limits.body_bytes
        if kind == "application/json":
            # Parsed JSON takes many times its size in memory, so a body may be only as
            # large as the largest number of faces needs.
            levels = self._limits.files * math.prod(self.image_shape)
            limit = min(limit, levels * _BYTES_PER_LEVEL)
        elif kind != "multipart/form-data" and not kind.startswith("image/"):
            raise Refusal(
                415,
                f"The Content-Type is {kind[:80]!r}; send pictures as "
                "multipart/form-data or image/*, or faces as application/json.",
            )
        encoding = request.headers.get("content-encoding", "identity").lower()
        if encoding != "identity":
            raise Refusal(415, "Send the body uncompressed, without Content-Encoding.")
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > limit:
            raise _too_large(limit)
        return limit

    def read(self, content_type, body, cropped, near=()):
        """Decode a body into a list of `DecodedPicture`; slow, so call it in a thread.

        With `cropped` no faces are searched for: every picture is one face. With the
        boxes `near` of the frame before, faces are searched near them first.
        """
        if not body:
            raise Refusal(400, "The body is empty; send pictures or faces.")
        kind = _kind(content_type)
        if kind == "application/json":
            height, width = self.image_shape
            return [
                DecodedPicture(None, width, height, face[None], [None])
                for face in self._read_json(body)
            ]
        if kind == "multipart/form-data":
            files = read_form(content_type, body, self._limits.files)
        else:
            files = [(None, bytes(body))]
        return self._read_files(files, cropped, near)

    def _read_files(self, files, cropped, near):
        pictures, n_faces = [], 0
        deadline = monotonic() + self._limits.answer_seconds
        for index, (name, data) in enumerate(files):
            # By now the client has its 503, but a thread can only stop by itself.
            if monotonic() > deadline:
                raise busy("The pictures took too long; send fewer at once.")
            pictures.append(self._read_picture(name, data, index, cropped, near))
            n_faces += len(pictures[-1].faces)
            if n_faces > self._limits.faces:
                raise Refusal(
                    422,
                    f"The pictures show more than {self._limits.faces} faces, the "
                    "limit of a request; send fewer at once.",
                )
        return pictures

    def _read_picture(self, name, data, index, cropped, near=()):
        file = BytesIO(data)
        file.name = repr(name) if name else f"Picture {index}"
        try:
            image = open_image(
                file, max_pixels=self._limits.pixels, formats=SAFE_FORMATS
            )
        except ImageFileError as error:
            raise Refusal(422, error) from None
        crops = crop_faces(
            [image],
            image_shape=self.image_shape,
            detector=partial(self._find, near=near),
            cropped="auto" if self.detects_faces and not cropped else True,
        )
        boxes = [
            None
            if is_whole
            else dict(zip(("x", "y", "width", "height"), box.tolist(), strict=True))
            for box, is_whole in zip(crops.boxes, crops.is_whole, strict=True)
        ]
        note = None
        if not cropped:
            if not self.detects_faces:
                note = _NO_DETECTOR
            elif not boxes:
                note = _NO_FACE
            elif boxes == [None]:
                note = _WHOLE
        return DecodedPicture(name, *image.size, crops.images, boxes, note)

    def _find(self, image, near):
        found = find_near(image, self._detector, near) if near else None
        return found or self._detector(image)

    def _read_json(self, body):
        faces = parse_json(body, self._limits.files)
        X = np.empty((len(faces), *self.image_shape), dtype=np.uint8)
        for index, face in enumerate(faces):
            read = _from_string if isinstance(face, str) else _from_rows
            X[index] = read(index, face, self.image_shape)
        return X


def _kind(content_type):
    """Drop the parameters of a media type: ``"image/png"``."""
    return content_type.partition(";")[0].strip().lower()


def _too_large(limit):
    size = f"{limit / 2**20:g} MiB" if limit >= 2**20 else f"{limit} bytes"
    return Refusal(413, f"The body is larger than {size}, the limit.")


def read_form(content_type, body, max_files):
    """Take the files out of a multipart form, as a list of (name, bytes).

    Nothing is written to disk; Starlette's own reader of forms would spool files
    above a megabyte.
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise Refusal(400, "The Content-Type multipart/form-data has no boundary.")
    files, ended = [], []

    def on_field(field):
        raise _wrong_field(field)

    def on_file(file):
        if file.field_name != FIELD.encode():
            raise _wrong_field(file)
        if len(files) == max_files:
            raise Refusal(422, f"The form has more than {max_files} files, the limit.")
        name = file_name(file.file_name.decode("utf-8", "replace"))
        files.append((name, file.file_object.getvalue()))

    parser = FormParser(
        "multipart/form-data",
        on_field,
        on_file,
        on_end=lambda: ended.append(True),
        boundary=boundary,
        config={"MAX_MEMORY_FILE_SIZE": math.inf},
    )
    try:
        parser.write(bytes(body))
    except FormParserError:
        raise Refusal(400, "The body is not a well-formed multipart form.") from None
    if not ended:
        raise Refusal(400, "The multipart form ends in the middle.")
    if not files:
        raise Refusal(422, f"The form has no file; send pictures as {FIELD!r}.")
    return files


def _wrong_field(field):
    # A part without a file name is a text field, even if it is called "files".
    name = (field.field_name or b"").decode("utf-8", "replace")
    return Refusal(
        422,
        f"The form field {name[:80]!r} is not a file of {FIELD!r}; send pictures as "
        f"files in the field {FIELD!r}.",
    )


def file_name(name):
    """Make a label of a file name, and refuse one that leads out of its folder.

    ``"holiday/anna.png"`` becomes ``"anna.png"``, an empty name becomes None, and
    ``"../anna.png"``, ``"/etc/passwd"`` and ``"C:anna.png"`` are refused. The label
    stands in the answer; it is never used as a path.
    """
    parts = re.split(r"[/\\]", name)
    if ".." in parts or (len(parts) > 1 and not parts[0]) or ":" in parts[0]:
        raise Refusal(400, f"The file name {name[:80]!r} is a path; send a plain name.")
    if not name.isprintable():
        raise Refusal(400, f"The file name {name[:80]!r} has control characters.")
    return parts[-1][:200] or None


def parse_json(body, max_faces):
    """Take the faces out of ``{"faces": ...}``, which holds one face or a list.

    A face is a pixel string, ``"70 80 ..."``, or a list of rows, ``[[70, 80, ...],
    ...]``. So a list of lists of numbers is one face, and a list of lists of lists of
    numbers is a list of faces. The grey levels themselves are not checked here.
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
            422, f'"faces" has {len(faces)} faces, more than {max_faces}, the limit.'
        )
    return faces


def _no_constant(name):
    # Python's reader takes NaN and Infinity, which JSON does not have.
    raise ValueError(f"{name} is not a JSON number")


def _is_face(value):
    if isinstance(value, str):
        return True
    # The first value of each row is enough to tell rows of numbers from faces.
    return (
        isinstance(value, list)
        and len(value) > 0
        and all(
            isinstance(row, list) and not (row and isinstance(row[0], list | str))
            for row in value
        )
    )


def _from_string(index, text, image_shape):
    n_levels = math.prod(image_shape)
    # Three digits and a space are four characters; the rest is room for more spaces.
    if len(text) > 16 * n_levels:
        raise Refusal(
            422,
            f"Face {index} is a string of {len(text)} characters, too long for "
            f"{n_levels} grey levels.",
        )
    try:
        return read_faces([text], image_shape)[0]
    except PixelStringError as error:
        # The cure in the message is for callers in Python.
        raise Refusal(422, f"Face {index} {error.reason}.") from None


def _from_rows(index, rows, image_shape):
    height, width = image_shape
    lengths = {len(row) for row in rows}
    if len(rows) != height or lengths != {width}:
        # A face whose rows differ in length is shown as "48x1/48".
        found = f"{len(rows)}x{'/'.join(map(str, sorted(lengths)[:3]))}"
        raise Refusal(422, f"Face {index} is {found}, expected {height}x{width}.")
    for row in rows:
        for value in row:
            # true and false are integers in Python, but not in JSON.
            if type(value) is not int or not 0 <= value <= 255:
                raise Refusal(
                    422,
                    f"Face {index} has the value {str(value)[:40]!r}, expected whole "
                    "numbers from 0 to 255.",
                )
    return np.array(rows, dtype=np.uint8)
