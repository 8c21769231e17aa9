"""Eight-bit ONNX models."""

import logging
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from .._utils import require
from ._classifier import INPUT

# The picture's own arithmetic (mean, contrast) and the softmax stay in float32.
QUANTIZED = ["Conv", "Gemm", "MatMul", "Add", "MaxPool", "GlobalAveragePool"]
BATCH = 128


class _Batches:
    """Calibration faces in batches, as onnxruntime asks for them."""

    def __init__(self, faces):
        self._starts = iter(range(0, len(faces), BATCH))
        self._faces = faces

    def get_next(self):
        start = next(self._starts, None)
        if start is None:
            return None
        return {INPUT: np.ascontiguousarray(self._faces[start : start + BATCH])}


def quantize(content: bytes, faces) -> bytes:
    """Quantise weights (a scale a channel) and activations of an ONNX model.

    Parameters
    ----------
    content : bytes
        The float32 model.
    faces : ndarray of uint8 of shape (n_samples, height, width)
        Faces whose activations set the ranges.

    Returns
    -------
    bytes
        The model in QDQ form: integers with a scale between its layers.
    """
    quantization = require("onnxruntime.quantization", extra="onnx")
    with tempfile.TemporaryDirectory() as folder, _quiet():
        before, after = Path(folder, "float32.onnx"), Path(folder, "int8.onnx")
        before.write_bytes(content)
        quantization.quantize_static(
            before,
            after,
            _Batches(faces),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            op_types_to_quantize=QUANTIZED,
        )
        return after.read_bytes()


@contextmanager
def _quiet():
    """Keep onnxruntime's advice on how to quantise off the root logger."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(level)
