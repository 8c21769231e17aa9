"""Readers of files and requests, as functions of bytes, with seeds to mutate.

Each target answers bytes with a result or with the errors that it documents. Any other
exception is a finding, and so is an answer that takes more than a few seconds or more
than 2 GB.
"""

import io
import tempfile
from contextlib import suppress
from json import dumps, loads
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

from fer_sklearn import (
    FERClassifier,
    PixelStringTransformer,
    _model_format,
    load_model,
    save_model,
)
from fer_sklearn._training.checkpoint import FORMAT, read_checkpoint
from fer_sklearn.datasets import load_fer2013, make_faces
from fer_sklearn.exceptions import FERError

SIDE = 16
FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-"))


def _faces():
    faces = make_faces(14, image_shape=(SIDE, SIDE), random_state=0)
    X = PixelStringTransformer(image_shape=(SIDE, SIDE)).transform(faces.data)
    return faces, X


def _on_file(name, read):
    """Make a target out of a reader of files."""
    path = FOLDER / name

    def target(data):
        path.write_bytes(data)
        with suppress(FERError):
            read(path)

    return target


def _model():
    """A model file in parts: its header, the bytes of its weights, its description."""
    _, X = _faces()
    path = FOLDER / "seed.fer"
    save_model(FERClassifier("nano", max_epochs=1).fit(X, np.arange(14) % 2), path)
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    metadata = _model_format.read_model_metadata(path)
    # The checksum of a mutant would never be right.
    _model_format._checksum = lambda *parts: metadata["checksum"]

    def read(path):
        load_model(path).predict_proba(X[:1])

    def on_header(header):
        length = len(header).to_bytes(8, "little")
        return _on_file("model.fer", read)(length + header + content[start:])

    return content[8:start], metadata, on_header


def model():
    """The header of a model file: names, types and places of its weights."""
    header, _, on_header = _model()
    return on_header, [header]


def description():
    """The description in a model file, as JSON."""
    header, metadata, on_header = _model()
    document = loads(header)

    def target(data):
        text = data.decode("utf-8", "replace")
        document["__metadata__"] = {_model_format._KEY: text}
        on_header(dumps(document).encode())

    return target, [dumps(metadata).encode()]


def checkpoint():
    """A checkpoint of a training."""
    _, X = _faces()
    path = FOLDER / "seed.ckpt"
    FERClassifier("nano", max_epochs=1, checkpoint=path).fit(X, np.arange(14) % 2)
    small = io.BytesIO()
    state = {"settings": {"random_state": 0}, "stop_reason": None, "history": []}
    torch.save({"format": FORMAT, **state}, small)
    return _on_file("a.ckpt", read_checkpoint), [path.read_bytes(), small.getvalue()]


def csv():
    """A csv of faces."""
    faces, _ = _faces()
    table = pd.DataFrame({"emotion": faces.target, "pixels": faces.data})
    table["Usage"] = "Training"
    seeds = [table[:3].to_csv(index=False), table[["pixels"]][:3].to_csv()]
    return _on_file("faces.csv", load_fer2013), [seed.encode() for seed in seeds]


def _service():
    from fer_sklearn.serving import Limits
    from fer_sklearn.serving.inputs import Inputs

    return Inputs((SIDE, SIDE), Limits(), None)


def _on_body(content_type):
    from fer_sklearn.serving.limits import Refusal

    inputs = _service()

    def target(data):
        with suppress(Refusal):
            inputs.read(content_type, data, True)

    return target


def _picture(format):
    file = io.BytesIO()
    Image.fromarray(_faces()[1][0]).save(file, format)
    return file.getvalue()


def multipart():
    """A form of pictures."""
    head = (
        b'--B\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n'
        b"Content-Type: image/png\r\n\r\n"
    )
    parts = [head + _picture(format) + b"\r\n" for format in ("PNG", "JPEG", "GIF")]
    seeds = [b"".join([*parts[:n], b"--B--\r\n"]) for n in (1, 3)]
    return _on_body("multipart/form-data; boundary=B"), seeds


def picture():
    """One picture."""
    formats = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")
    return _on_body("image/png"), [_picture(format) for format in formats]


def json():
    """Faces as JSON."""
    faces, X = _faces()
    seeds = [f'{{"faces": {X[:1].tolist()}}}', f'{{"faces": ["{faces.data[0]}"]}}']
    return _on_body("application/json"), [seed.encode() for seed in seeds]
