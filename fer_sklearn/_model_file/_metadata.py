"""What the metadata of every model file says."""

import json
import math

from ..exceptions import ModelFileError
from ._archive import METADATA

MAX_METADATA_BYTES = 4 * 2**20
MAX_SIDE = 4096


def write_metadata(metadata: dict) -> bytes:
    """Give metadata as JSON, after the checks that a reader will make."""
    check_metadata("The model", metadata)
    data = json.dumps(metadata, allow_nan=False, indent=1).encode("utf-8")
    if len(data) > MAX_METADATA_BYTES:
        raise ModelFileError(
            f"The model has {len(data)} bytes of metadata; a model file has at most "
            f"{MAX_METADATA_BYTES}. Shorten its parameters, or pickle it."
        )
    return data


def parse_metadata(path, data: bytes, format_number: int) -> dict:
    """Read and check metadata.

    Raises
    ------
    ModelFileError
        If it is no metadata, of a newer format, or an entry is wrong.
    """
    metadata = json.loads(data.decode("utf-8"), parse_constant=_refuse_constant)
    number = metadata.get("format") if isinstance(metadata, dict) else None
    if type(number) is not int or number < 1:
        raise ModelFileError(
            f"{path} is not a model file of fer_sklearn: {METADATA} has no format "
            "number. Give a file that save_model wrote."
        )
    if number > format_number:
        raise ModelFileError(
            f"{path} has format {number}; this version of fer_sklearn reads formats "
            f"up to {format_number}. Open it with a newer version."
        )
    check_metadata(path, metadata)
    return metadata


def _refuse_constant(name):
    raise ValueError(f"{name} is not a number")


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
                f"expected {expected}. Save the model again."
            )
    lengths = {
        "class_names": len(metadata["classes"]["values"]),
        "feature_names": math.prod(metadata["image_shape"]),
    }
    for name, length in lengths.items():
        if metadata[name] is not None and len(metadata[name]) != length:
            raise ModelFileError(
                f"{path}: {name!r} in {METADATA} has {len(metadata[name])} names, "
                f"expected {length}. Save the model again."
            )


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
