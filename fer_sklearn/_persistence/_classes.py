"""Class labels as JSON, and back; needs no torch."""

import numpy as np

from ..exceptions import ModelFileError

_DTYPES = {
    **{f"int{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    "float32": "float32",
    "float64": "float64",
    "bool": "bool",
    "str": str,
    "object": object,
}


def pack_classes(classes) -> dict:
    """Give labels as a dtype and plain values.

    Raises
    ------
    ModelFileError
        If they are neither numbers, booleans nor strings.
    """
    dtype = {"U": "str", "O": "object"}.get(classes.dtype.kind, classes.dtype.name)
    values = classes.tolist()
    kinds = {type(value) for value in values}
    if dtype not in _DTYPES or len(kinds) > 1 or not kinds <= {int, float, bool, str}:
        raise ModelFileError(
            f"The classes {values[:5]} are of {dtype}; a model file holds whole "
            "numbers, floats, booleans or strings. Fit on such labels."
        )
    return {"dtype": dtype, "values": values}


def unpack_classes(packed):
    """Undo `pack_classes`.

    Raises
    ------
    ValueError
        If these are no labels, in order and each once.
    """
    values, dtype = packed["values"], packed["dtype"]
    if dtype not in _DTYPES:
        raise ValueError(f"{dtype!r} is no type of classes.")
    classes = np.array(values, dtype=_DTYPES[dtype])
    if classes.tolist() != values or np.unique(classes).tolist() != values:
        raise ValueError(f"{values[:5]} are no sorted labels of {dtype}.")
    return classes
