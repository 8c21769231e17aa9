"""Prediction with an ONNX model; needs numpy and onnxruntime alone.

`fer-sklearn predict` and `serve` start in a fraction of the time that an import of
scikit-learn takes. `OnnxClassifier` is the same as a scikit-learn estimator.
"""

import json
import os
import threading
from pathlib import Path

import numpy as np

from ._model_format import (
    check_metadata,
    onnx_file,
    open_model_file,
    unpack_classes,
)
from ._pixel_strings import read_faces
from ._utils import require
from .exceptions import FERError, ModelFileError

__all__ = ["OnnxModel", "open_onnx", "open_pretrained_onnx"]

# onnxruntime 1.32 reports its use to Microsoft and writes a number for the machine into
# the home folder, unless this is set before it is imported. "0" lets it do so.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# Names inside an ONNX model: its input, its output, its metadata.
INPUT = "faces"
OUTPUT = "probabilities"
METADATA_KEY = "fer_sklearn"
DESCRIBED = ("classes", "class_names", "image_shape")
# Weights that are stored in half precision: the part of the model they belong to, and
# what is added to their names.
PREDICTOR, HALF = "predictor", "_half"


class OnnxModel:
    """What `OnnxClassifier` needs to predict, with its parameters and attributes."""

    def __init__(self, content, *, n_threads=None, batch_size=256):
        self.content = content
        self.n_threads = n_threads
        self.batch_size = batch_size

    def predict_proba(self, X):
        """Probabilities of the classes.

        Parameters
        ----------
        X : sequence of str of shape (n_samples,), or ndarray of int of shape \
(n_samples, height, width)
            Pixel strings, or grey levels from 0 to 255.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), float32
            Rows sum to 1; columns follow `classes_`.

        Raises
        ------
        FERError
            If the model gives probabilities that are not finite.
        """
        faces = read_faces(X, self.image_shape_)
        parts = [
            self._run(faces[start : start + self.batch_size])
            for start in range(0, len(faces), self.batch_size)
        ]
        y_prob = np.concatenate(parts)
        if not np.isfinite(y_prob).all():
            raise FERError(
                "The ONNX model gives probabilities that are not finite: its weights "
                "are broken. Use another file."
            )
        return y_prob

    def _run(self, faces):
        return self._session().run([OUTPUT], {INPUT: np.ascontiguousarray(faces)})[0]

    def _session(self):
        """Make onnxruntime's session at first use; several threads may share it."""
        made_for = self.content, self.n_threads
        made = getattr(self, "_made_session", (None, None))
        if made[0] != made_for:
            with _MAKING_A_SESSION:
                made = getattr(self, "_made_session", (None, None))
                if made[0] != made_for:
                    # One assignment: another thread sees both or neither.
                    made = self._made_session = made_for, _make_session(*made_for)
        return made[1]

    def __getstate__(self):
        state = super().__getstate__().copy()
        state.pop("_made_session", None)
        return state


_MAKING_A_SESSION = threading.Lock()


def _make_session(content, n_threads):
    onnxruntime = require("onnxruntime", extra="onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads or 0
    options.inter_op_num_threads = 1
    # A thread that waits for another sleeps instead of keeping its core busy. With
    # other work on the machine, one face took half the time.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Errors are raised anyway; a user can do nothing about the warnings.
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(
        content, options, providers=["CPUExecutionProvider"]
    )


def open_onnx(path, *, n_threads=None, cls=OnnxModel):
    """Open an ONNX model, as `load_onnx` does.

    Parameters
    ----------
    path : path-like
        The file.
    n_threads : int, default=None
        Threads of a prediction.
    cls : type, default=OnnxModel
        Class of the result.

    Returns
    -------
    OnnxModel

    Raises
    ------
    ModelFileError
        If the file cannot be read, or is not one of `to_onnx`.
    MissingExtraError
        If onnxruntime is not installed.
    """
    require("onnxruntime", extra="onnx")
    return _open(path, _read(path), n_threads, cls)


def open_pretrained_onnx(name, runtime, *, n_threads=None, cls=OnnxModel):
    """Open a model that comes with the package, as `load_pretrained` does.

    Parameters
    ----------
    name : str
        One of `pretrained_names`.
    runtime : {"onnx", "onnx-int8"}
        Which of its files.
    n_threads : int, default=None
        Threads of a prediction.
    cls : type, default=OnnxModel
        Class of the result.

    Returns
    -------
    OnnxModel

    Raises
    ------
    ModelFileError
        If a file is missing or damaged.
    MissingExtraError
        If onnxruntime is not installed.
    """
    require("onnxruntime", extra="onnx")
    path = onnx_file(name, runtime)
    if runtime == "onnx-int8" and not path.is_file():
        raise ModelFileError(
            f"There is no 8-bit file of {name!r} in the package, because of its size. "
            "Take the runtime 'onnx', or write one with to_onnx(load_pretrained("
            f"{name!r}), '{name}.int8.onnx', int8=True, calibration=faces)."
        )
    content = _read(path)
    if runtime == "onnx":
        with open_model_file(name) as file:
            content += _encode_weights(file.read_weights())
    return _open(path, content, n_threads, cls)


def _read(path):
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path} cannot be opened: {error.strerror}.") from error


def _encode_weights(weights):
    """Encode an ONNX model that has these weights, and nothing else.

    Appended to a model without weights, it completes it: Protocol Buffers that follow
    each other are read as one message. The numbers are those of the fields in ONNX's
    onnx.proto. So the package holds the weights once, and onnx, a large library, is
    not needed for reading them.
    """
    tensors = []
    for key, array in weights.items():
        if array.dtype == np.float16:
            tensor = [
                _field(1, map(_varint, array.shape)),  # dims
                _varint(2 << 3) + _varint(10),  # data_type, FLOAT16
                _field(8, [f"{PREDICTOR}.{key}{HALF}".encode()]),  # name
                _field(9, [array.astype("<f2").tobytes()]),  # raw_data
            ]
            tensors.append(_field(5, tensor))  # initializer
    return _field(7, tensors)  # graph


def _field(number, parts):
    content = b"".join(parts)
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number):
    """Encode a number, seven bits a byte, lowest first."""
    content = bytearray()
    while number > 127:
        content.append(number & 127 | 128)
        number >>= 7
    content.append(number)
    return bytes(content)


def _open(path, content, n_threads, cls):
    model = cls(content, n_threads=n_threads)
    try:
        metadata = model._session().get_modelmeta().custom_metadata_map
    except Exception as error:
        # onnxruntime has its own classes of errors, none of them public.
        raise ModelFileError(
            f"{path} is damaged or not an ONNX model ({type(error).__name__}: "
            f"{str(error).splitlines()[0]}). Write it again with to_onnx."
        ) from error
    try:
        described = json.loads(metadata[METADATA_KEY])
        check_metadata(path, described, DESCRIBED)
        model.classes_ = unpack_classes(described["classes"])
        model.class_names_ = described["class_names"]
        model.image_shape_ = tuple(described["image_shape"])
        blank = np.zeros((1, *model.image_shape_), dtype=np.uint8)
        if model._run(blank).shape != (1, len(model.classes_)):
            raise ValueError("It does not give one probability per class.")
    except ModelFileError:
        raise
    except Exception as error:
        raise ModelFileError(
            f"{path} is an ONNX model, but fer_sklearn did not write it. Give a file "
            "that to_onnx wrote."
        ) from error
    return model
