r"""Model files: what is in one, and which file a name or a path means; needs no torch.

A model file is a safetensors file with a description in its own metadata::

    8 bytes    length of the header
    header     {"__metadata__": {"fer_sklearn": "{\"format\": 2, \"kind\": ..."},
                "network.logits.bias": {"dtype": "F16", "shape": [7], ...}, ...}
    the rest   the tensors, one after the other

Opening one runs no code, and reads no tensor before the whole header has been checked:
the safetensors library compares the sizes with the file, `check_metadata` the
description, and `ModelFile.check_specs` names, types and shapes with the network.
"""

import json
import math
import os
import zlib
from contextlib import ExitStack, contextmanager
from numbers import Integral, Real
from pathlib import Path, PurePath

import numpy as np
import safetensors.numpy

from ._utils import write_atomically
from .exceptions import ModelFileError, printable

FORMAT = 2
SUFFIX = ".fer"
# Of the pretrained models for onnxruntime, by what `load_pretrained` calls them. The
# first has the graph alone; its weights are those of the model file.
ONNX_SUFFIXES = {"onnx": ".graph.onnx", "onnx-int8": ".int8.onnx"}

# What a run folder of `fer-sklearn train` holds.
MODEL = f"model{SUFFIX}"
CONFIG = "config.json"

MAX_HEADER_BYTES = 4 * 2**20
MAX_PIXELS = 512 * 512

_KEY = "fer_sklearn"  # in the metadata of the safetensors file

_DTYPES = {
    "F64": np.dtype(np.float64),
    "F32": np.dtype(np.float32),
    "F16": np.dtype(np.float16),
    "I64": np.dtype(np.int64),
    "I32": np.dtype(np.int32),
    "I16": np.dtype(np.int16),
    "I8": np.dtype(np.int8),
    "U8": np.dtype(np.uint8),
    "BOOL": np.dtype(np.bool_),
}

_CLASS_DTYPES: dict[str, type | str] = {
    **{name: name for name in "int8 int16 int32 int64 float32 float64 bool".split()},
    **{name: name for name in "uint8 uint16 uint32 uint64".split()},
    "str": str,
    "object": object,
}


# -- which file --------------------------------------------------------------------


def weights_folder() -> Path:
    """Folder of the models that come with the package, each next to its card."""
    return Path(__file__).parent / "weights"


def pretrained_names() -> list[str]:
    """Names of the models that come with the package, sorted."""
    return sorted(path.stem for path in weights_folder().glob(f"*{SUFFIX}"))


def onnx_file(name: str, runtime: str) -> Path:
    """Path of the ONNX file of a pretrained model, by ``runtime=``."""
    return weights_folder() / (name + ONNX_SUFFIXES[runtime])


def find_model(model) -> Path:
    """Find the file that the name or path of a model means.

    The rule, for Python and the command line:

    1. A string that is one of `pretrained_names` means that model, wherever the
       program runs. A file or folder of the same name is opened as ``"./compact"``.
    2. A run folder means the ``model.fer`` in it.
    3. Everything else is the path of a file.

    Parameters
    ----------
    model : str or path-like
        Name or path.

    Returns
    -------
    Path
        An existing file.

    Raises
    ------
    ModelFileError
        If there is no such model.
    """
    path, names = Path(model), pretrained_names()
    if isinstance(model, str) and model in names:
        return weights_folder() / f"{model}{SUFFIX}"
    if os.path.isdir(path):
        return _find_in_folder(path)
    if os.path.isfile(path):
        return path
    if os.path.exists(path):
        raise ModelFileError(f"{path} is a device or a pipe. Name a model file.")
    is_name = isinstance(model, str) and os.path.basename(model) == model
    if is_name and not path.suffix:
        raise ModelFileError(
            f"There is no pretrained model {model!r}. There are: "
            f"{', '.join(names) or 'none in this installation'}; or give the path of "
            "a model file, such as 'emotions.fer'."
        )
    raise ModelFileError(
        f"{path} does not exist. Give a model file, a run folder or the name of a "
        f"pretrained model ({', '.join(names)})."
    )


def _find_in_folder(path):
    if (path / MODEL).is_file():
        return path / MODEL
    if (path / CONFIG).is_file():
        raise ModelFileError(
            f"{path} has no {MODEL}. If its training was interrupted, resume it: "
            f"fer-sklearn train --resume {path}"
        )
    runs = sorted(str(file.parent) for file in path.glob(f"*/{MODEL}"))
    cure = f"Do you mean {runs[-1]}?" if runs else "Name a folder that train made."
    raise ModelFileError(f"{path} is not a run folder: it has no {MODEL}. {cure}")


# -- writing and opening -----------------------------------------------------------


def write_model_file(path, metadata: dict, weights: dict[str, np.ndarray]) -> None:
    """Write a model file, whole or not at all.

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
        If `metadata` is not what a reader will accept, or the weights are not finite
        or of a type that the file cannot hold.
    """
    check_metadata("The model", metadata)
    for name, array in weights.items():
        if array.dtype not in _DTYPES.values():
            raise ModelFileError(
                f"The weights {name!r} are of {array.dtype}, which a model file cannot "
                "hold. Convert the network to float32, or pickle the model."
            )
        if not _is_finite(array):
            raise ModelFileError(
                f"The weights {name!r} are not finite as {array.dtype}, so the model "
                "cannot predict. Save it with dtype='float32', or train it again with "
                "a lower lr."
            )
    metadata = {"format": FORMAT, **metadata}
    metadata["checksum"] = _checksum(metadata, weights)
    # One key, because safetensors does not keep the order of several: the same model
    # makes the same file.
    content = safetensors.numpy.save(
        {name: np.asarray(array, order="C") for name, array in weights.items()},
        metadata={_KEY: json.dumps(metadata, allow_nan=False)},
    )
    length = int.from_bytes(content[:8], "little")
    if length > MAX_HEADER_BYTES:
        raise ModelFileError(
            f"The description of the model has {length} bytes; a model file has at "
            f"most {MAX_HEADER_BYTES}. Shorten its parameters, or pickle it."
        )
    write_atomically(path, lambda file: file.write(content))


@contextmanager
def open_model_file(model):
    """Open a model file and check its description.

    Parameters
    ----------
    model : str or path-like
        Name or path, see `find_model`.

    Yields
    ------
    ModelFile
        Its metadata; weights are read on request.

    Raises
    ------
    ModelFileError
        If it is not a model file, is damaged, or has another format number.
    """
    path = find_model(model)
    with ExitStack() as stack:
        with _blaming(path):
            with open(path, "rb") as file:
                length = int.from_bytes(file.read(8), "little")
            # This refuses other kinds of files, too: the first eight bytes of a zip or
            # a csv, read as a length, are exabytes. The library alone would read a
            # header of up to 100 MB.
            if length > MAX_HEADER_BYTES:
                raise _not_ours(path)
            tensors = stack.enter_context(safetensors.safe_open(path, framework="np"))
            metadata = _parse(path, (tensors.metadata() or {}).get(_KEY))
        yield ModelFile(path, metadata, tensors)


def read_model_metadata(path):
    """Read what a model file says about its model; needs no torch.

    Parameters
    ----------
    path : str or path-like
        A file that `save_model` wrote, a run folder or the name of a pretrained model.

    Returns
    -------
    metadata : dict
        ``format``, ``checksum``, ``kind``, ``classes``, ``class_names``, ``network``,
        ``image_shape``, ``normalization``, ``temperature``, ``feature_names``,
        ``steps`` with their parameters, ``training`` (history, number of epochs, why
        it ended), ``versions`` and ``weights_dtype``.

    Raises
    ------
    ModelFileError
        If the file is not a model file, is damaged, or has another format number.

    See Also
    --------
    load_model : Open the model itself.

    Examples
    --------
    >>> import tempfile
    >>> from fer_sklearn import make_faces, make_fer_pipeline
    >>> from fer_sklearn import read_model_metadata, save_model
    >>> faces = make_faces(70, image_shape=(16, 16), random_state=0)
    >>> pipe = make_fer_pipeline("nano", image_shape=(16, 16), max_epochs=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(pipe.fit(faces.data, faces.target), f"{folder}/emotions.fer")
    ...     metadata = read_model_metadata(f"{folder}/emotions.fer")
    >>> metadata["image_shape"], metadata["training"]["n_iter"]
    ([16, 16], 1)
    """
    with open_model_file(path) as file:
        return file.metadata


class ModelFile:
    """An open model file whose description has been checked.

    Parameters
    ----------
    path : Path
        The file.
    metadata : dict
        Checked metadata.
    tensors : safetensors.safe_open
        The open file.
    """

    def __init__(self, path, metadata, tensors):
        self.path = path
        self.metadata = metadata
        self._tensors = tensors

    def check_specs(self, expected: dict, network: str, *, without=()) -> None:
        """Compare the tensors with those of a network, before any is read.

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
        stored = set(self._tensors.keys())
        # Names first: only tensors of the network are looked at more closely, however
        # many a file has.
        for name in sorted(stored.symmetric_difference(expected).difference(without)):
            where = "in the file" if name in stored else "in the network"
            raise self._does_not_fit(network, f"it has {name!r} only {where}")
        for name in sorted(stored.intersection(expected).difference(without)):
            tensor, (dtype, shape) = self._tensors.get_slice(name), expected[name]
            stored_dtype = _DTYPES.get(tensor.get_dtype())
            both_float = "f" == dtype.kind == getattr(stored_dtype, "kind", None)
            if tuple(tensor.get_shape()) != shape or not (
                both_float or stored_dtype == dtype
            ):
                raise self._does_not_fit(
                    network,
                    f"{name!r} is {tensor.get_dtype()} of shape "
                    f"{tuple(tensor.get_shape())} in the file and {dtype} of shape "
                    f"{shape} in the network",
                )

    def _does_not_fit(self, network, difference):
        return ModelFileError(
            f"{self.path} does not hold weights of {network}: {difference}. Give the "
            "network, and its parameters, that were saved."
        )

    def read_weights(self) -> dict[str, np.ndarray]:
        """Read all tensors, and compare the checksum; call `check_specs` first.

        Raises
        ------
        ModelFileError
            If the file is damaged, or they are not finite.
        """
        with _blaming(self.path):
            weights = {
                name: self._tensors.get_tensor(name) for name in self._tensors.keys()
            }
        if _checksum(self.metadata, weights) != self.metadata["checksum"]:
            raise ModelFileError(
                f"{self.path} is damaged: its checksum is wrong. Download it or save "
                "it again."
            )
        for name, array in weights.items():
            if not _is_finite(array):
                raise ModelFileError(
                    f"{self.path}: the weights {name!r} are not finite, so the model "
                    "cannot predict. Save it again from a model that can."
                )
        return weights


def _checksum(metadata, weights) -> int:
    """CRC-32 of the description, without its checksum, and of all tensors.

    safetensors has none: a flipped bit would go into the predictions unnoticed.
    """
    described = {name: metadata[name] for name in metadata if name != "checksum"}
    crc = zlib.crc32(json.dumps(described).encode())
    for name in sorted(weights):
        crc = zlib.crc32(weights[name].tobytes(), crc)
    return crc


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
        reason = error.strerror or error
        raise ModelFileError(f"{path} cannot be opened: {reason}.") from error
    except Exception as error:
        raise ModelFileError(
            f"{path} is damaged or not a model file of fer_sklearn "
            f"({type(error).__name__}: {printable(str(error))}). Download it or save "
            "it again."
        ) from error


def _not_ours(path):
    return ModelFileError(
        f"{path} is not a model file of fer_sklearn. Give a file that save_model wrote."
    )


def _parse(path, text):
    if text is None:
        raise _not_ours(path)
    metadata = json.loads(
        text,
        parse_constant=_parse_float,
        parse_float=_parse_float,
        parse_int=_parse_int,
    )
    number = metadata.get("format") if isinstance(metadata, dict) else None
    if type(number) is not int:
        raise _not_ours(path)
    if number != FORMAT:
        raise ModelFileError(
            f"{path} has format {number}; this version of fer_sklearn reads format "
            f"{FORMAT}. Open it with the version that wrote it."
        )
    check_metadata(path, metadata)
    if type(metadata.get("checksum")) is not int:
        raise _wrong_entry(path, "checksum", "is missing")
    return metadata


def _parse_float(text):
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is not a finite number")
    return value


def _parse_int(text):
    # Chosen larger integers can all have one hash, which makes a dict of them slow.
    if not -(2**63) <= (value := int(text)) < 2**64:
        raise ValueError(f"{text[:20]}... has more than 64 bits")
    return value


# -- what the description says -----------------------------------------------------


def _between(low, high):
    return lambda value: type(value) in (int, float) and low <= value <= high


def _is_image_shape(value):
    # At most 512x512 pixels, or a row of as many features: predicting one face of a
    # stranger's model must not take seconds, or gigabytes.
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(type(side) is int and side >= 1 for side in value)
        and math.prod(value) <= MAX_PIXELS
    )


def _is_versions(value):
    return isinstance(value, dict) and all(type(v) is str for v in value.values())


def _is_epoch(row):
    # A history of skorch keeps its batches under that name.
    return (
        isinstance(row, dict)
        and "batches" not in row
        and all(value is None or type(value) in _SCALARS for value in row.values())
    )


_SCALARS = {int, float, bool, str}

# Entry -> what it must be, and how a message calls that. A rule is a type, a set of
# values, a list with the rule of each item, a dict with the rules of its entries, or a
# function. Neither pydantic (190 ms of CPU time to import, with these rules as models)
# nor jsonschema (80 ms) is worth it: the whole of a file is read in less.
_RULES = {
    "kind": ({"classifier", "pipeline"}, "'pipeline' or 'classifier'"),
    "classes": (
        {"dtype": set(_CLASS_DTYPES), "values": [lambda v: type(v) in _SCALARS]},
        f"labels, and their dtype, one of {', '.join(_CLASS_DTYPES)}",
    ),
    "class_names": ([str], "a list of names"),
    "network": (
        {"name": str, "custom": bool, "n_parameters": int},
        "name, custom and n_parameters",
    ),
    "image_shape": (
        _is_image_shape,
        f"height and width in pixels, at most {MAX_PIXELS} (512x512) in all",
    ),
    "normalization": (
        {"per_image": bool, "mean": _between(-1e9, 1e9), "std": _between(1e-9, 1e9)},
        "per_image, mean (-1e9 to 1e9) and std (1e-9 to 1e9)",
    ),
    "temperature": (_between(1e-3, 1e3), "a number from 0.001 to 1000"),
    "feature_names": (
        lambda v: v is None or _fits(v, [str]),
        "a list of names or null",
    ),
    "steps": (
        [{"name": str, "type": str, "params": dict}],
        "a list of steps with name, type and params",
    ),
    "training": (
        {"n_iter": int, "stop_reason": str, "history": [_is_epoch]},
        "history, n_iter and stop_reason",
    ),
    "versions": (_is_versions, "versions of libraries"),
    "weights_dtype": ({"float32", "float16"}, "'float32' or 'float16'"),
}


def _fits(value, rule) -> bool:
    if isinstance(rule, type):
        return type(value) is rule
    if isinstance(rule, set):
        return type(value) is str and value in rule
    if isinstance(rule, list):
        return isinstance(value, list) and all(_fits(item, rule[0]) for item in value)
    if isinstance(rule, dict):
        return (
            isinstance(value, dict)
            and value.keys() == rule.keys()
            and all(_fits(value[name], rule[name]) for name in rule)
        )
    return rule(value)


def check_metadata(path, metadata: dict, entries=tuple(_RULES)) -> None:
    """Check what a model file says, so that readers can rely on it.

    Parameters
    ----------
    path : path-like
        What to call the file in messages.
    metadata : dict
        Plain values, as JSON gives them.
    entries : collection of str
        The entries to check; an ONNX model has some of them.

    Raises
    ------
    ModelFileError
        If an entry is missing, of another form or out of range; the message names it.
    """
    for name in entries:
        rule, expected = _RULES[name]
        if not _fits(metadata.get(name), rule):
            shown = repr(metadata.get(name))
            shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
            raise _wrong_entry(path, name, f"is {shown}, expected {expected}")
    classes, names = metadata["classes"], metadata["class_names"]
    try:
        unpack_classes(classes)
    except (OverflowError, ValueError) as error:
        raise _wrong_entry(path, "classes", f"is wrong: {error}") from error
    if len(names) != len(classes["values"]):
        wrong = f"has {len(names)} names, expected {len(classes['values'])}"
        raise _wrong_entry(path, "class_names", wrong)
    columns = metadata.get("feature_names")
    n_pixels = math.prod(metadata["image_shape"])
    if columns is not None and len(columns) != n_pixels:
        wrong = f"has {len(columns)} names, expected {n_pixels}"
        raise _wrong_entry(path, "feature_names", wrong)
    for name in entries:
        # Labels come back as they were; names are what is shown of them.
        if name != "classes" and (text := _find_unprintable(metadata[name])):
            wrong = f"has control characters: {text[:60]!r}"
            raise _wrong_entry(path, name, wrong)


def _wrong_entry(path, name, what):
    return ModelFileError(
        f"{path}: {name!r} in the description of the model {what}. Correct the model "
        "and save it again."
    )


def _find_unprintable(value):
    """Find a string that could do something to a terminal; None if there is none."""
    if isinstance(value, str):
        return None if printable(value) == value else value
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        return next(filter(None, map(_find_unprintable, value)), None)
    return None


# -- values as JSON ----------------------------------------------------------------


def pack_classes(classes) -> dict:
    """Turn labels into a dtype and plain values.

    Raises
    ------
    ModelFileError
        If they are neither numbers, booleans nor strings.
    """
    dtype = {"U": "str", "O": "object"}.get(classes.dtype.kind, classes.dtype.name)
    values = classes.tolist()
    kinds = {type(value) for value in values}
    if dtype not in _CLASS_DTYPES or len(kinds) > 1 or not kinds <= _SCALARS:
        raise ModelFileError(
            f"The classes {values[:5]} are of {dtype}; a model file holds whole "
            "numbers, floats, booleans or strings. Fit on such labels."
        )
    return {"dtype": dtype, "values": values}


def unpack_classes(packed: dict) -> np.ndarray:
    """Undo `pack_classes`.

    Raises
    ------
    ValueError
        If these are not at least two labels of one type, sorted and each once.
    """
    values, dtype = packed["values"], packed["dtype"]
    if len(values) < 2 or len({type(value) for value in values}) > 1:
        raise ValueError(f"{values[:5]} are not two or more labels of one type")
    classes = np.array(values, dtype=_CLASS_DTYPES[dtype])
    if classes.tolist() != values or np.unique(classes).tolist() != values:
        raise ValueError(f"{values[:5]} are not sorted labels of {dtype}")
    return classes


def pack_value(name: str, value):
    """Turn a parameter of an estimator into JSON.

    JSON has lists and dictionaries with string keys only. So that all come back as
    they were, ``(32, 0.4)`` becomes ``{"tuple": [32, 0.4]}`` and ``{0: 2.0}`` becomes
    ``{"dict": [[0, 2.0]]}``.

    Parameters
    ----------
    name : str
        What to call the parameter in the message.
    value : object
        Its value.

    Returns
    -------
    object
        None, a bool, number, string, list or dictionary.

    Raises
    ------
    ModelFileError
        If the value is not plain.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real) and math.isfinite(value):
        return float(value)
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, np.random.RandomState):
        return None  # the state of a generator means nothing in another program
    if isinstance(value, list):
        return [pack_value(name, item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [pack_value(name, item) for item in value]}
    if isinstance(value, dict) and not any(isinstance(key, tuple) for key in value):
        pairs = [[pack_value(name, item) for item in pair] for pair in value.items()]
        return {"dict": pairs}
    raise ModelFileError(
        f"The parameter {name} holds {value!r}; a model file holds numbers, strings, "
        "lists and dictionaries of them. Give the network a class or function of your "
        "own that needs no such parameter, or pickle the model for people who trust "
        "you."
    )


def unpack_value(value):
    """Undo `pack_value`.

    Raises
    ------
    TypeError, ValueError
        If the value was not packed by it.
    """
    if isinstance(value, list):
        return [unpack_value(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1:
        raise ValueError(f"{value!r} is neither a tuple nor a dictionary.")
    ((kind, items),) = value.items()
    if kind == "tuple":
        return tuple(unpack_value(item) for item in items)
    if kind == "dict":
        # Keys are plain: of tuples, too, one can choose many that have one hash.
        return {key: unpack_value(item) for key, item in items}
    raise ValueError(f"{kind!r} is neither 'tuple' nor 'dict'.")
