"""From the body of a request to faces for the model."""

from time import monotonic

from ._json_faces import grey_levels, parse_json
from ._multipart import Upload, parse_multipart
from ._pictures import Picture, PictureReader
from ._problems import Refusal, busy

# A grey level and its comma take four bytes; the rest is room for blanks.
_BYTES_A_LEVEL = 8


class InputReader:
    """Reads the three forms of ``POST /predict``: a form, a picture, JSON.

    Parameters
    ----------
    image_shape : tuple of int
        Height and width of a face.
    limits : Limits
        Of which `files`, `faces`, `pixels`, `body_bytes` and `answer_seconds` are used.
    detect : "auto", None or callable
        How faces are found in pictures.
    """

    def __init__(self, image_shape, limits, detect):
        self._image_shape = image_shape
        self._limits = limits
        self._pictures = PictureReader(image_shape, detect, limits.pixels)

    @property
    def detects_faces(self):
        """Whether faces are searched in pictures."""
        return self._pictures.detects_faces

    def body_limit(self, content_type):
        """Most bytes of a body of this type.

        Raises
        ------
        Refusal
            415 for a type that is none of the three.
        """
        kind = _kind(content_type)
        if kind == "application/json":
            # Parsed JSON takes many times its bytes, so it may have no more than the
            # most faces need.
            height, width = self._image_shape
            return self._limits.files * height * width * _BYTES_A_LEVEL
        if kind != "multipart/form-data" and not kind.startswith("image/"):
            raise Refusal(
                415,
                f"The Content-Type is {kind[:80]!r}; send pictures as "
                "multipart/form-data or image/*, or faces as application/json.",
            )
        return self._limits.body_bytes

    def read(self, content_type, body, cropped):
        """Decode a body; slow, for a thread.

        Parameters
        ----------
        content_type : str
            One that `body_limit` took.
        body : bytes-like
            The whole body.
        cropped : bool
            Whether each picture is a face already.

        Returns
        -------
        pictures : list of Picture
            In the order of the request.

        Raises
        ------
        Refusal
            If something in it is broken, or too much.
        """
        if not body:
            raise Refusal(400, "The body is empty; send pictures or faces.")
        kind = _kind(content_type)
        if kind == "application/json":
            return self._read_json(body)
        if kind == "multipart/form-data":
            uploads = parse_multipart(content_type, body, self._limits.files)
        else:
            uploads = [Upload(None, bytes(body))]
        return self._read_uploads(uploads, cropped)

    def _read_json(self, body):
        faces = parse_json(body, self._limits.files)
        height, width = self._image_shape
        return [
            Picture(None, width, height, face[None], [None])
            for face in grey_levels(faces, self._image_shape)
        ]

    def _read_uploads(self, uploads, cropped):
        pictures, n_faces = [], 0
        deadline = monotonic() + self._limits.answer_seconds
        for index, upload in enumerate(uploads):
            if monotonic() > deadline:
                # The client has had its answer; a thread can only stop by itself.
                raise busy("The pictures took too long; send fewer at once.")
            pictures.append(self._pictures.read(upload, index, cropped))
            n_faces += len(pictures[-1].faces)
            if n_faces > self._limits.faces:
                raise Refusal(
                    422,
                    f"The pictures have more than the {self._limits.faces} faces that "
                    "are taken; send fewer at once.",
                )
        return pictures


def _kind(content_type):
    return content_type.partition(";")[0].strip().lower()
