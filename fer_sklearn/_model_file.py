"""The model file: a zip of metadata.json and weights.safetensors.

It is written and read without torch, and reading it runs no code. Both members are
stored, not compressed: then neither can be larger than the file itself, whatever the
file says.
"""

import json
import math
import os
import struct
import zipfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import safetensors.numpy

from ._files import write_atomically
from .exceptions import ModelFileError

FORMAT = 1
METADATA = "metadata.json"
WEIGHTS = "weights.safetensors"

MAX_FILE_BYTES = 2**31 - 1
MAX_METADATA_BYTES = 4 * 2**20
MAX_HEADER_BYTES = 4 * 2**20
MAX_SIDE = 4096

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

# The end of a zip without a comment: two entries in a directory of a few bytes. What
# lies before is read only if this is right, so a hostile directory costs nothing.
_END = struct.Struct("<4sHHHHIIH")
_MAX_DIRECTORY_BYTES = 1024


def write_model_file(path, metadata: dict, weights: dict[str, np.ndarray]) -> None:
    """Write a model file, atomically.

    Parameters
    ----------
    path : path-like
        The file.
    metadata : dict
        Plain values; the format number is added.
    weights : dict of str to ndarray
        Tensors by name.

    Raises
    ------
    ModelFileError
        If the weights are not finite or too large for a model file.
    """
    broken = [name for name, array in weights.items() if not _is_finite(array)]
    if broken:
        raise ModelFileError(
            f"The weights {broken[0]!r} are not finite, so the model is of no use. If "
            "they are finite in memory, save with dtype='float32'."
        )
    text = json.dumps({"format": FORMAT, **metadata}, allow_nan=False, indent=1)
    tensors = safetensors.numpy.save(
        {name: np.asarray(array, order="C") for name, array in weights.items()}
    )
    if len(text) > MAX_METADATA_BYTES or len(tensors) > MAX_FILE_BYTES // 2:
        raise ModelFileError(
            f"The model is too large for a model file: {len(tensors)} bytes of weights "
            f"and {len(text)} of metadata. Pickle it instead."
        )

    def write(file):
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            # A fixed date: the same model makes the same file.
            archive.writestr(zipfile.ZipInfo(METADATA), text)
            archive.writestr(zipfile.ZipInfo(WEIGHTS), tensors)

    write_atomically(path, write)


def _is_finite(array) -> bool:
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


@contextmanager
def _blaming(path):
    """Turn whatever goes wrong with a file's bytes into a ModelFileError."""
    try:
        yield
    except ModelFileError:
        raise
    except OSError as error:
        if error.errno is not None and error.filename is not None:
            raise ModelFileError(f"{path} cannot be opened: {error.strerror}.") from (
                error
            )
        raise _broken(path, error) from error
    except Exception as error:
        raise _broken(path, error) from error


def _broken(path, error):
    return ModelFileError(
        f"{path} is damaged or not a model file of fer_sklearn "
        f"({type(error).__name__}: {error}). Fetch or save it again."
    )


@contextmanager
def open_model_file(path):
    """Open a model file and check all of it but the weights' values.

    Parameters
    ----------
    path : path-like
        The file.

    Yields
    ------
    ModelFile
        Its metadata and tensors' shapes; weights are read on request.

    Raises
    ------
    ModelFileError
        If it is not a model file, damaged, or of a newer format.
    """
    path = Path(path)
    with _blaming(path):
        file = open(path, "rb")
    with file:
        with _blaming(path):
            _check_end(path, file)
            archive = zipfile.ZipFile(file)
            _check_members(path, archive)
            metadata = _read_metadata(path, archive)
            tensors = _read_header(path, archive)
        yield ModelFile(path, archive, metadata, tensors)


def _check_end(path, file):
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END.size))
    end = file.read(_END.size)
    file.seek(0)
    if len(end) < _END.size or not end.startswith(b"PK\x05\x06"):
        raise ModelFileError(
            f"{path} is not a model file of fer_sklearn, or is cut short: {size} bytes "
            "that are not a whole zip. Give a file that save_model wrote."
        )
    _, disk, _, here, entries, directory_bytes, start, comment = _END.unpack(end)
    sound = disk == comment == 0 and here == entries == 2
    if not sound or directory_bytes > _MAX_DIRECTORY_BYTES or start > size:
        raise ModelFileError(
            f"{path} is not a model file of fer_sklearn: a zip of {entries} members, "
            f"expected {METADATA} and {WEIGHTS}. Give a file that save_model wrote."
        )
    if size > MAX_FILE_BYTES:
        raise ModelFileError(
            f"{path} has {size} bytes; a model file has at most {MAX_FILE_BYTES}."
        )


def _check_members(path, archive):
    names = [member.filename for member in archive.infolist()]
    if sorted(names) != [METADATA, WEIGHTS]:
        raise ModelFileError(
            f"{path} is not a model file of fer_sklearn: a zip of {names}, expected "
            f"{METADATA} and {WEIGHTS}. Give a file that save_model wrote."
        )
    for member in archive.infolist():
        if (
            member.compress_type != zipfile.ZIP_STORED
            or member.compress_size != member.file_size
            or member.flag_bits & 1
        ):
            raise ModelFileError(
                f"{path} has a compressed or encrypted {member.filename}; a model file "
                "stores its members as they are. Save it again with save_model."
            )


def _read_member(path, archive, name, limit):
    size = archive.getinfo(name).file_size
    if size > limit:
        raise ModelFileError(
            f"{path} has {size} bytes of {name}; a model file has at most {limit}."
        )
    with archive.open(name) as member:
        data = member.read(size + 1)
    if len(data) != size:
        raise ModelFileError(f"{path}: {name} is cut short. Fetch or save it again.")
    return data


def _refuse_constant(name):
    raise ValueError(f"{name} is not a number")


def _read_metadata(path, archive):
    data = _read_member(path, archive, METADATA, MAX_METADATA_BYTES)
    metadata = json.loads(data.decode("utf-8"), parse_constant=_refuse_constant)
    if not isinstance(metadata, dict):
        raise ModelFileError(f"{path}: {METADATA} holds no object.")
    number = metadata.get("format")
    if type(number) is not int or number < 1:
        raise ModelFileError(
            f"{path} is not a model file of fer_sklearn: {METADATA} has no format "
            "number. Give a file that save_model wrote."
        )
    if number > FORMAT:
        raise ModelFileError(
            f"{path} has format {number}; this version of fer_sklearn reads formats "
            f"up to {FORMAT}. Install a newer one: pip install -U fer-sklearn"
        )
    check_metadata(path, metadata)
    return metadata


def check_metadata(path, metadata: dict) -> None:
    """Check what every model file says, so that readers can rely on it.

    Raises
    ------
    ModelFileError
        If an entry is missing or of another form; the message names it.
    """
    for name, (is_right, expected) in _ENTRIES.items():
        if name not in metadata or not is_right(metadata[name]):
            raise ModelFileError(
                f"{path}: {name!r} in {METADATA} is {_shown(metadata.get(name))}, "
                f"expected {expected}. The file is damaged; save the model again."
            )
    n_names = metadata["class_names"]
    if n_names is not None and len(n_names) != len(metadata["classes"]["values"]):
        raise ModelFileError(f"{path}: class_names and classes differ in length.")


def _shown(value):
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _is_number(value):
    return type(value) in (int, float) and math.isfinite(value)


def _is_dict_of_str(value):
    return isinstance(value, dict) and all(type(v) is str for v in value.values())


def _is_class_list(value):
    if not isinstance(value, dict) or not isinstance(value.get("values"), list):
        return False
    kinds = {type(label) for label in value["values"]}
    return (
        type(value.get("dtype")) is str
        and len(value["values"]) >= 2
        and len(kinds) == 1
        and kinds <= {int, float, bool, str}
    )


def _is_class_names(value):
    return value is None or (
        isinstance(value, list) and all(type(name) is str for name in value)
    )


def _is_image_shape(value):
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(type(n) is int and 1 <= n <= MAX_SIDE for n in value)
    )


def _is_network(value):
    return (
        isinstance(value, dict)
        and type(value.get("name")) is str
        and type(value.get("custom")) is bool
        and type(value.get("n_parameters")) is int
    )


def _is_normalization(value):
    return (
        isinstance(value, dict)
        and value.keys() == {"per_image", "mean", "std"}
        and type(value["per_image"]) is bool
        and _is_number(value["mean"])
        and _is_number(value["std"])
        and value["std"] > 0
    )


def _is_steps(value):
    return isinstance(value, list) and all(
        isinstance(step, dict)
        and type(step.get("name")) is str
        and type(step.get("type")) is str
        and isinstance(step.get("params"), dict)
        for step in value
    )


def _is_training(value):
    return (
        isinstance(value, dict)
        and type(value.get("stop_reason")) is str
        and type(value.get("n_iter")) is int
        and isinstance(value.get("history"), list)
        and all(_is_history_row(row) for row in value["history"])
    )


def _is_history_row(row):
    return isinstance(row, dict) and all(
        value is None or type(value) in (int, float, bool, str)
        for value in row.values()
    )


# Entry of the metadata -> whether a value is right, and what right is.
_ENTRIES = {
    "kind": (lambda v: v in ("pipeline", "classifier"), "'pipeline' or 'classifier'"),
    "classes": (_is_class_list, "a dtype and two labels or more"),
    "class_names": (_is_class_names, "a list of names or null"),
    "network": (_is_network, "name, custom and n_parameters"),
    "image_shape": (_is_image_shape, f"height and width, 1 to {MAX_SIDE} pixels"),
    "normalization": (_is_normalization, "per_image, mean and a positive std"),
    "temperature": (lambda v: _is_number(v) and v > 0, "a number above 0"),
    "feature_names": (_is_class_names, "a list of names or null"),
    "steps": (_is_steps, "a list of steps with name, type and params"),
    "training": (_is_training, "history, n_iter and stop_reason"),
    "versions": (_is_dict_of_str, "versions of libraries"),
    "weights_dtype": (lambda v: v in ("float32", "float16"), "float32 or float16"),
}


def _read_header(path, archive):
    """Read names, dtypes and shapes of the tensors, not the tensors."""
    size = archive.getinfo(WEIGHTS).file_size
    with archive.open(WEIGHTS) as member:
        length = int.from_bytes(member.read(8), "little")
        if length > min(MAX_HEADER_BYTES, size):
            raise ModelFileError(
                f"{path}: {WEIGHTS} has a header of {length} bytes, which is too much."
                " The file is damaged; save the model again."
            )
        header = json.loads(member.read(length).decode("utf-8"))
    header.pop("__metadata__", None)
    tensors, n_bytes = {}, 0
    for name, entry in header.items():
        dtype, shape = entry["dtype"], entry["shape"]
        if dtype not in DTYPES or not all(type(n) is int and n >= 0 for n in shape):
            raise ModelFileError(
                f"{path}: the tensor {name!r} is of {dtype} and shape {shape}, which "
                "a model file does not hold."
            )
        tensors[name] = (np.dtype(DTYPES[dtype]), tuple(shape))
        n_bytes += math.prod(shape) * np.dtype(DTYPES[dtype]).itemsize
    if n_bytes + length + 8 != size:
        raise ModelFileError(
            f"{path}: {WEIGHTS} has {size} bytes, its header says "
            f"{n_bytes + length + 8}. The file is damaged; save the model again."
        )
    return tensors


class ModelFile:
    """An open model file whose metadata and tensor shapes are checked.

    Parameters
    ----------
    path : Path
        The file.
    archive : zipfile.ZipFile
        The open file.
    metadata : dict
        Checked metadata.
    tensors : dict of str to (dtype, shape)
        What the weights are, by name.
    """

    def __init__(self, path, archive, metadata, tensors):
        self.path = path
        self.metadata = metadata
        self.tensors = tensors
        self._archive = archive

    def check_tensors(self, expected: dict, network: str, *, without=()) -> None:
        """Compare the tensors with those of a network.

        Parameters
        ----------
        expected : dict of str to (dtype, shape)
            The network's tensors.
        network : str
            What to call the network in the message.
        without : collection of str
            Tensors that may differ.

        Raises
        ------
        ModelFileError
            If a tensor is missing, left over, or of another shape or kind.
        """
        for name in sorted({*expected, *self.tensors}.difference(without)):
            here, there = expected.get(name), self.tensors.get(name)
            if here is None or there is None or not _matches(here, there):
                raise ModelFileError(
                    f"{self.path} does not hold weights of {network}: {name} is "
                    f"{_described(there)} in the file and {_described(here)} in the "
                    "network. Give the network, and its parameters, that were saved."
                )

    def read_weights(self) -> dict[str, np.ndarray]:
        """Read all tensors.

        Raises
        ------
        ModelFileError
            If their bytes are damaged, or they are not finite.
        """
        with _blaming(self.path):
            data = _read_member(self.path, self._archive, WEIGHTS, MAX_FILE_BYTES)
            weights = safetensors.numpy.load(data)
        for name, array in weights.items():
            if not _is_finite(array):
                raise ModelFileError(
                    f"{self.path}: the weights {name!r} are not finite, so the model "
                    "is of no use. Save another one."
                )
        return weights


def _matches(expected, stored):
    same_kind = expected[0] == stored[0] or expected[0].kind == stored[0].kind == "f"
    return same_kind and expected[1] == stored[1]


def _described(tensor):
    return "missing" if tensor is None else f"{tensor[0]} of shape {tensor[1]}"
