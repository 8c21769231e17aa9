"""Parameters of estimators as JSON, and back."""

import math
from numbers import Integral, Real
from pathlib import PurePath

import numpy as np

from ..exceptions import ModelFileError


def pack_value(name: str, value):
    """Give a parameter as JSON; tuples and dictionaries come back as they were.

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
        return None  # A generator's place in its sequence means nothing elsewhere.
    if isinstance(value, list):
        return [pack_value(name, item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [pack_value(name, item) for item in value]}
    if isinstance(value, dict):
        pairs = [[pack_value(name, item) for item in pair] for pair in value.items()]
        return {"dict": pairs}
    raise ModelFileError(
        f"The parameter {name} holds {value!r}; a model file holds numbers, strings, "
        "lists and dictionaries of them. Put what it stands for into a network class "
        "of your own, or pickle the model for people who trust you."
    )


def unpack_value(value):
    """Undo `pack_value`.

    Raises
    ------
    ValueError
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
        return {unpack_value(key): unpack_value(item) for key, item in items}
    raise ValueError(f"{kind!r} is no kind of value.")
