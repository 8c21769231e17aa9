"""From a picture as it was sent to the faces in it."""

from dataclasses import dataclass
from io import BytesIO

import numpy as np


@dataclass
class Picture:
    name: str | None
    width: int
    height: int
    faces: np.ndarray
    boxes: list
    note: str | None = None


class PictureReader:
    def __init__(self, image_shape, detect):
        self.detects_faces = False

    def read(self, upload, index, cropped):
        from ..datasets import read_face_image

        face = read_face_image(BytesIO(upload.data))
        return Picture(upload.name, 48, 48, face[None], [None])
