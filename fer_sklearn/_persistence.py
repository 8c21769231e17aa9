"""Models as files that run no code when they are opened."""

import math
from contextlib import contextmanager
from numbers import Integral, Real
from pathlib import PurePath

import numpy as np

from ._model_file import open_model_file, write_model_file
from .exceptions import ModelFileError

__all__ = ["load_model", "read_model_metadata", "save_model"]

# Parameters that tell about the place of a training, not about the model.
_LEFT_BEHIND = {"callbacks", "checkpoint"}
_PASSTHROUGH = "passthrough"
_CLASS_DTYPES = {
    **{f"int{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    "float32": "float32",
    "float64": "float64",
    "bool": "bool",
    "str": str,
    "object": object,
}


def save_model(model, path, *, dtype="float32"):
    """Save a fitted pipeline or classifier as a file that is safe to open.

    The file is a zip of ``metadata.json`` (what `read_model_metadata` gives) and
    ``weights.safetensors``. It holds what prediction needs and a summary of the
    training: no faces, no state of the optimizer, no callbacks and no code. It is
    written beside its place and then moved there, so that a full disk leaves an older
    file as it was.

    Parameters
    ----------
    model : Pipeline or FERClassifier
        Fitted; a pipeline as `make_fer_pipeline` makes it, with or without
        ``"augment"``.
    path : path-like
        The file; its usual suffix is ``.fer``.
    dtype : {"float32", "float16"}, default="float32"
        Type of the stored weights. ``"float16"`` halves the file and changes
        probabilities in the third or fourth digit.

    Raises
    ------
    ModelFileError
        If the model has other steps, or parameters that are not plain values.
    NotFittedError
        If the model is not fitted.

    See Also
    --------
    load_model : Open the file again.

    Examples
    --------
    >>> import tempfile
    >>> from fer_sklearn import load_model, make_faces, make_fer_pipeline, save_model
    >>> faces = make_faces(70, image_size=16, random_state=0)
    >>> pipe = make_fer_pipeline("nano", image_shape=(16, 16), max_epochs=1)
    >>> pipe = pipe.fit(faces.data, faces.target)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(pipe, f"{folder}/emotions.fer")
    ...     again = load_model(f"{folder}/emotions.fer")
    >>> bool((again.predict_proba(faces.data) == pipe.predict_proba(faces.data)).all())
    True
    """
    from sklearn.utils.validation import check_is_fitted

    from ._training import library_versions, pack_net

    if dtype not in ("float32", "float16"):
        raise ModelFileError(f"dtype must be 'float32' or 'float16', got {dtype!r}.")
    steps = _steps_of(model)
    classifier = steps[-1][1]
    check_is_fitted(classifier)
    packed = pack_net(classifier.net_, keep_optimizer=False)
    metadata = {
        "kind": "classifier" if model is classifier else "pipeline",
        "classes": _pack_classes(classifier.classes_),
        "class_names": class_names(classifier.classes_),
        "network": _describe_network(classifier),
        "image_shape": [int(n) for n in classifier.image_shape_],
        "normalization": packed["normalizer"],
        "temperature": float(classifier.temperature_),
        "feature_names": _feature_names(classifier),
        "steps": [_pack_step(name, step) for name, step in steps],
        "training": {
            "n_iter": classifier.n_iter_,
            "stop_reason": classifier.stop_reason_,
            "history": [_finite_row(row) for row in packed["history"]],
        },
        "versions": library_versions(),
        "weights_dtype": dtype,
    }
    weights = {
        name: array.astype(dtype) if array.dtype.kind == "f" else array
        for name, array in packed["weights"].items()
    }
    write_model_file(path, metadata, weights)


def load_model(path, *, network=None):
    """Open a model file; no code in it is run.

    Parameters
    ----------
    path : path-like
        A file that `save_model` wrote. Opening checks its size, members, metadata
        and the tensors' names, types and shapes before it builds anything.
    network : callable, default=None
        The class (or function) of the network, for models whose network is not one
        of `fer_sklearn.networks.NETWORKS`: the file holds weights, not classes.

    Returns
    -------
    model : Pipeline or FERClassifier
        Fitted. Its probabilities equal those of the saved model bit for bit on the
        same machine, if it was saved as float32.

    Raises
    ------
    ModelFileError
        If the file is not a model file, damaged, of a newer format, or of another
        network than the given one.

    Warns
    -----
    UserWarning
        If the file was saved under other versions of torch, skorch, scikit-learn,
        numpy or this package.

    See Also
    --------
    save_model : Write such a file, with an example.
    read_model_metadata : See what is inside without torch.

    Examples
    --------
    >>> from fer_sklearn import load_model
    >>> load_model("emotions.txt")
    Traceback (most recent call last):
    ...
    fer_sklearn.exceptions.ModelFileError: emotions.txt cannot be opened: No such file \
or directory.
    """
    with open_model_file(path) as file:
        return _build(file, network)


def read_model_metadata(path):
    """Read what a model file says about its model; needs no torch.

    Parameters
    ----------
    path : path-like
        A file that `save_model` wrote.

    Returns
    -------
    metadata : dict
        ``format``, ``kind``, ``classes``, ``class_names``, ``network``,
        ``image_shape``, ``normalization``, ``temperature``, ``steps`` with their
        parameters, ``training`` (history, number of epochs, why it ended),
        ``versions`` and ``weights_dtype``.

    Raises
    ------
    ModelFileError
        If the file is not a model file, damaged, or of a newer format.
    """
    with open_model_file(path) as file:
        return file.metadata


def class_names(classes):
    """Names of FER2013's seven classes, or None if `classes` are others."""
    from .datasets import EMOTIONS

    labels = np.asarray(classes)
    if labels.dtype.kind in "iu" and np.array_equal(labels, range(len(EMOTIONS))):
        return list(EMOTIONS)
    return None


# -- saving ------------------------------------------------------------------------


def _step_types():
    from ._augmentation import RandomAffineAugmenter
    from ._classifier import FERClassifier
    from ._pixels import PixelStringTransformer

    types = (PixelStringTransformer, RandomAffineAugmenter, FERClassifier)
    return {cls.__name__: cls for cls in types}


def _steps_of(model):
    """Give the steps of a model, after checking that a file can hold them."""
    from sklearn.pipeline import Pipeline

    types = _step_types()
    classifier = types.pop("FERClassifier")
    steps = model.steps if type(model) is Pipeline else [("cnn", model)]
    if type(steps[-1][1]) is not classifier:
        cure = (
            "Save its best_estimator_."
            if hasattr(model, "best_estimator_")
            else "Pickle it, for people who trust you."
        )
        raise ModelFileError(
            "A model file holds a FERClassifier or a pipeline that ends with one, got "
            f"{type(steps[-1][1]).__name__}. {cure}"
        )
    for name, step in steps[:-1]:
        plain = step is None or (isinstance(step, str) and step == _PASSTHROUGH)
        if not plain and type(step) not in types.values():
            raise ModelFileError(
                f"Step {name!r} of the pipeline is a {type(step).__name__}; before the "
                f"classifier a model file holds {' and '.join(types)} only. Save "
                f"pipe[-1] alone, or pickle the pipeline for people who trust you."
            )
    return steps


def _pack_classes(classes):
    dtype = {"U": "str", "O": "object"}.get(classes.dtype.kind, classes.dtype.name)
    packed = {"dtype": dtype, "values": classes.tolist()}
    if dtype not in _CLASS_DTYPES or len({type(v) for v in packed["values"]}) > 1:
        raise ModelFileError(
            f"The classes {packed['values'][:5]} are of {dtype}; a model file holds "
            "whole numbers, floats, booleans or strings. Fit on such labels."
        )
    return packed


def _describe_network(classifier):
    network = classifier.network
    custom = not isinstance(network, str)
    module = classifier.net_.module_.network
    name = f"{network.__module__}.{network.__qualname__}" if custom else network
    return {
        "name": name,
        "custom": custom,
        "n_parameters": sum(p.numel() for p in module.parameters()),
    }


def _feature_names(classifier):
    names = getattr(classifier, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def _finite_row(row):
    return {
        name: value if not isinstance(value, float) or math.isfinite(value) else None
        for name, value in row.items()
    }


def _pack_step(name, step):
    if step is None or isinstance(step, str):
        return {"name": name, "type": _PASSTHROUGH, "params": {}}
    params = {
        key: _pack_value(f"{name}__{key}", value)
        for key, value in step.get_params(deep=False).items()
        if key not in _LEFT_BEHIND and not (key == "network" and callable(value))
    }
    # The device it was trained on need not be there; the CPU is.
    if params.get("device", "cpu") != "cpu":
        params["device"] = "auto"
    return {"name": name, "type": type(step).__name__, "params": params}


def _pack_value(name, value):
    """Give a parameter as JSON; tuples and dictionaries come back as they were."""
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
        return [_pack_value(name, item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [_pack_value(name, item) for item in value]}
    if isinstance(value, dict):
        pairs = [[_pack_value(name, item) for item in pair] for pair in value.items()]
        return {"dict": pairs}
    raise ModelFileError(
        f"The parameter {name} holds {value!r}; a model file holds numbers, strings, "
        "lists and dictionaries of them. Put what it stands for into a network class "
        "of your own, or pickle the model for people who trust you."
    )


# -- loading -----------------------------------------------------------------------


def _build(file, network):
    from sklearn.pipeline import Pipeline

    from ._training import warn_of_other_versions

    metadata = file.metadata
    steps = [
        (step["name"], _build_step(file, step, network)) for step in metadata["steps"]
    ]
    _check_steps(file, steps)
    classifier = steps[-1][1]
    _restore(file, classifier)
    image_shape = tuple(metadata["image_shape"])
    for _, step in steps[:-1]:
        if hasattr(step, "fit"):
            step.fit(np.zeros((1, *image_shape), dtype=np.uint8))
    warn_of_other_versions(metadata["versions"], "model file")
    return classifier if metadata["kind"] == "classifier" else Pipeline(steps)


@contextmanager
def _blaming(file, what):
    """Turn what goes wrong while a model is built into a ModelFileError."""
    try:
        yield
    except ModelFileError:
        raise
    except Exception as error:
        raise ModelFileError(
            f"{file.path}: {what} cannot be restored: {error} The file is damaged or "
            f"was written by another version of fer_sklearn "
            f"({file.metadata['versions'].get('fer_sklearn')})."
        ) from error


def _unpack_value(value):
    if isinstance(value, list):
        return [_unpack_value(item) for item in value]
    if isinstance(value, dict):
        ((kind, items),) = value.items()
        if kind == "tuple":
            return tuple(_unpack_value(item) for item in items)
        if kind == "dict":
            return {_unpack_value(key): _unpack_value(item) for key, item in items}
        raise ValueError(f"{kind!r} is no kind of value.")
    return value


def _build_step(file, step, network):
    if step["type"] == _PASSTHROUGH:
        return _PASSTHROUGH
    types = _step_types()
    with _blaming(file, f"step {step['name']!r}"):
        if step["type"] not in types:
            raise ValueError(f"{step['type']} is no step that a model file holds.")
        params = {key: _unpack_value(item) for key, item in step["params"].items()}
        # A foreign file must not choose where a later training writes.
        if _LEFT_BEHIND & params.keys():
            raise ValueError(f"It holds {sorted(_LEFT_BEHIND & params.keys())}.")
        if step["type"] == "FERClassifier":
            params["network"] = _network(file, params.get("network"), network)
        estimator = types[step["type"]](**params)
        if hasattr(estimator, "_validate_params"):
            estimator._validate_params()
    return estimator


def _network(file, stored, given):
    described = file.metadata["network"]
    name = described["name"]
    if described["custom"]:
        if given is None:
            raise ModelFileError(
                f"{file.path} holds the weights of a network of the user's own, {name}."
                f" Name its class: load_model(path, network={name.rpartition('.')[2]})"
            )
        return given
    if given is not None:
        raise ModelFileError(
            f"{file.path} holds the network {name!r} of fer_sklearn. Leave network= "
            "out."
        )
    if stored != name:
        raise ValueError(f"network is {stored!r}, but the weights are of {name!r}.")
    return name


def _check_steps(file, steps):
    from sklearn.pipeline import Pipeline

    with _blaming(file, "the pipeline"):
        names = [name for name, _ in steps]
        if len(set(names)) < len(names):
            raise ValueError(f"Two steps have the same name: {names}.")
        if file.metadata["kind"] == "classifier" and len(steps) != 1:
            raise ValueError("A classifier has one step.")
        _steps_of(Pipeline(steps))


def _restore(file, classifier):
    """Fill a classifier with what it had learnt."""
    from ._training import network_specs

    metadata = file.metadata
    height, width = metadata["image_shape"]
    fitted = {
        "classes_": _unpack_classes(file, metadata["classes"]),
        "image_shape_": (height, width),
        "n_features_in_": height * width,
        "temperature_": metadata["temperature"],
        "stop_reason_": metadata["training"]["stop_reason"],
    }
    if metadata["feature_names"] is not None:
        names = np.array(metadata["feature_names"], dtype=object)
        fitted["feature_names_in_"] = names
    with _blaming(file, "the classifier"):
        specs = network_specs(
            classifier.network,
            params=classifier.network_params,
            n_classes=len(fitted["classes_"]),
            image_shape=(height, width),
        )
        file.check_tensors(specs, metadata["network"]["name"])
        packed = {
            "normalizer": metadata["normalization"],
            "weights": file.read_weights(),
            "history": metadata["training"]["history"],
            "optimizer": None,
        }
        classifier._restore(fitted, packed)


def _unpack_classes(file, packed):
    values, dtype = packed["values"], packed["dtype"]
    with _blaming(file, "classes_"):
        if dtype not in _CLASS_DTYPES:
            raise ValueError(f"{dtype!r} is no type of classes.")
        classes = np.array(values, dtype=_CLASS_DTYPES[dtype])
        if classes.tolist() != values or not np.array_equal(np.unique(classes), values):
            raise ValueError(f"{values[:5]} are no sorted labels of {dtype}.")
    return classes
