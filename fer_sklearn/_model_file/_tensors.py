"""Names, types and shapes of tensors in a safetensors file, without the tensors."""

import json
import math

import numpy as np

from ..exceptions import ModelFileError
from ._archive import WEIGHTS

MAX_HEADER_BYTES = 4 * 2**20

DTYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U8": np.uint8,
    "BOOL": np.bool_,
}


def read_specs(path, archive) -> dict[str, tuple]:
    """Read dtype and shape of each tensor.

    Raises
    ------
    ModelFileError
        If a tensor is of a foreign type, or the sizes do not add up.
    """
    size = archive.getinfo(WEIGHTS).file_size
    with archive.open(WEIGHTS) as member:
        length = int.from_bytes(member.read(8), "little")
        if length > min(MAX_HEADER_BYTES, size):
            raise ModelFileError(
                f"{path}: {WEIGHTS} has a header of {length} bytes, which is too much. "
                "The file is damaged; fetch it or save it again."
            )
        header = json.loads(member.read(length).decode("utf-8"))
    header.pop("__metadata__", None)
    specs = {name: _spec(path, name, entry) for name, entry in header.items()}
    n_bytes = sum(dtype.itemsize * math.prod(shape) for dtype, shape in specs.values())
    if n_bytes + length + 8 != size:
        raise ModelFileError(
            f"{path}: {WEIGHTS} has {size} bytes, its header says "
            f"{n_bytes + length + 8}. The file is damaged; fetch it or save it again."
        )
    return specs


def _spec(path, name, entry):
    dtype, shape = entry["dtype"], entry["shape"]
    if dtype not in DTYPES or not all(type(n) is int and n >= 0 for n in shape):
        raise ModelFileError(
            f"{path}: the tensor {name!r} is of {dtype} and shape {shape}, which a "
            "model file does not hold. Save the model again."
        )
    return np.dtype(DTYPES[dtype]), tuple(shape)
