"""From a picture as it was sent to the faces in it."""

from dataclasses import dataclass
from io import BytesIO

import numpy as np

from .._extras import require
from ..datasets._image_files import open_image
from ..exceptions import FERError, ImageFileError
from ..photos import FaceCropper
from ._problems import Refusal

_NOT_WANTED = (
    "Faces are not searched for on this server: the middle of the picture was taken as "
    "one face."
)
_WHOLE = (
    "No face was found in this picture; it is small or about square, so its middle was "
    "taken as one."
)
_NOBODY = (
    "No face was found. If the picture is a face already, send it with cropped=true."
)


@dataclass
class Picture:
    """A picture as it is answered.

    `faces` is a uint8 array (n, height, width), `boxes` has a dict or None for each
    of them, `note` tells what a person should know.
    """

    name: str | None
    width: int
    height: int
    faces: np.ndarray
    boxes: list
    note: str | None = None


class PictureReader:
    """Opens pictures safely and cuts the faces out.

    Parameters
    ----------
    image_shape : tuple of int
        Height and width of a face.
    detect : "auto", None or callable
        As for `create_app`.
    max_pixels : int
        Largest picture.

    Raises
    ------
    FERError
        If `detect` is something else, or faces are not square.
    MissingExtraError
        If `detect` is "auto" and OpenCV is not installed.
    """

    def __init__(self, image_shape, detect, max_pixels):
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
        self._size = height
        self._max_pixels = max_pixels
        self._detector = detect if callable(detect) else None
        self.detects_faces = detect is not None
        if detect == "auto":
            # Before the first photograph, which would be refused.
            require("cv2", extra="photos")

    def read(self, upload, index, cropped):
        """Open one picture.

        Parameters
        ----------
        upload : Upload
            The file.
        index : int
            Its number, for messages about files without a name.
        cropped : bool
            Whether it is a face already.

        Returns
        -------
        picture : Picture
            With its faces.

        Raises
        ------
        Refusal
            If the file is no picture, broken or too large.
        """
        file = BytesIO(upload.data)
        file.name = repr(upload.name) if upload.name else f"Picture {index}"
        try:
            image = open_image(file, max_pixels=self._max_pixels)
        except ImageFileError as error:
            raise Refusal(422, error) from None
        return self._cut(image, upload.name, cropped)

    def _cut(self, image, name, cropped):
        whole = cropped or not self.detects_faces
        cropper = FaceCropper(
            image_size=self._size,
            detector=self._detector,
            cropped=True if whole else "auto",
        )
        crops = cropper.crop([image])
        boxes = [
            None if is_whole else _box(box)
            for box, is_whole in zip(crops.boxes, crops.is_whole, strict=True)
        ]
        note = None if cropped else self._explain(boxes)
        return Picture(name, *image.size, crops.images, boxes, note)

    def _explain(self, boxes):
        if not self.detects_faces:
            return _NOT_WANTED
        if not boxes:
            return _NOBODY
        return _WHOLE if boxes == [None] else None


def _box(box):
    names = ("x", "y", "width", "height")
    return dict(zip(names, box.tolist(), strict=True))
