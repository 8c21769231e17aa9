"""Saving and opening models.

What imports torch or scikit-learn is imported where it is needed.
"""

import math
from contextlib import contextmanager

import numpy as np

from ._model_format import (
    ONNX_SUFFIXES,
    find_model,
    open_model_file,
    pack_classes,
    pack_value,
    pretrained_names,
    unpack_classes,
    unpack_value,
    write_model_file,
)
from ._utils import torch_needed
from .exceptions import ModelFileError

__all__ = ["image_shape", "load_model", "load_pretrained", "save_model"]

_PASSTHROUGH = "passthrough"

# Parameters that belong to the place of a training. They are not stored, and refused
# in a file: it must not choose what a later training reads and writes.
_NOT_STORED = {"callbacks", "checkpoint", "pretrained"}

# Parameters of a classifier that describe the model; the rest is how to train one.
_DESCRIBING = {
    "device",
    "network",
    "network_params",
    "normalization",
    "temperature",
    "test_time_flip",
}


def image_shape(model) -> tuple[int, int]:
    """Height and width, in pixels, of the faces that a fitted model takes.

    Parameters
    ----------
    model : estimator
        A `FERClassifier` or an ONNX model, a pipeline that has a step of that kind
        or a `PixelStringTransformer`, or a search over one.

    Returns
    -------
    tuple of two int
        (48, 48) if the model does not say.
    """
    model = getattr(model, "best_estimator_", model)
    steps = [step for _, step in getattr(model, "steps", [("", model)])]
    for name in ("image_shape_", "image_shape"):
        for step in steps:
            shape = getattr(step, name, None)
            if shape is not None and shape != "auto":
                return int(shape[0]), int(shape[1])
    return 48, 48


# -- saving ------------------------------------------------------------------------


def save_model(model, path, *, dtype="float32"):
    """Save a fitted pipeline or classifier as a file that is safe to open.

    The file is a safetensors file: weights, and a description of the model (what
    `read_model_metadata` gives) in its metadata. It holds what prediction needs and a
    summary of the training: no faces, no state of the optimizer, no callbacks and no
    code. It is written under a temporary name and then moved into place, so that a
    full disk leaves an older file as it was.

    The file also holds the model's parameters, for a later `fit`. That `fit` starts
    from scratch. If the model was trained with ``pretrained=``, the settings of the
    training are therefore not stored, and the defaults take their place.

    Parameters
    ----------
    model : Pipeline, FERClassifier or a search over one
        Fitted; a pipeline as `make_fer_pipeline` makes it, with or without
        ``"augment"``. Of a search such as `GridSearchCV`, its ``best_estimator_`` is
        saved.
    path : path-like
        The file; its usual suffix is ``.fer``.
    dtype : {"float32", "float16"}, default="float32"
        Type of the stored weights. ``"float16"`` halves the file and changes
        probabilities in the third or fourth digit.

    Raises
    ------
    ModelFileError
        If the model has other steps, parameters that are not plain values, faces of
        more than 262,144 pixels, or names with control characters.
    NotFittedError
        If the model is not fitted.

    See Also
    --------
    load_model : Open the file again.

    Examples
    --------
    >>> import tempfile
    >>> from fer_sklearn import load_model, make_faces, make_fer_pipeline, save_model
    >>> faces = make_faces(70, image_shape=(16, 16), random_state=0)
    >>> pipe = make_fer_pipeline("nano", image_shape=(16, 16), max_epochs=1)
    >>> pipe = pipe.fit(faces.data, faces.target)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(pipe, f"{folder}/emotions.fer")
    ...     again = load_model(f"{folder}/emotions.fer")
    >>> bool((again.predict_proba(faces.data) == pipe.predict_proba(faces.data)).all())
    True
    """
    if dtype not in ("float32", "float16"):
        raise ModelFileError(f"dtype must be 'float32' or 'float16', got {dtype!r}.")
    from sklearn.utils.validation import check_is_fitted

    from ._pipeline import storable_steps
    from ._training.checkpoint import library_versions, pack_net

    model = getattr(model, "best_estimator_", model)
    steps = storable_steps(model)
    classifier = steps[-1][1]
    check_is_fitted(classifier)
    if classifier._made_from != (classifier.network, classifier.network_params):
        raise ModelFileError(
            "network or network_params were changed after fit, so they no longer "
            f"describe the weights. Set them back to {classifier._made_from}, or fit."
        )
    packed = pack_net(classifier.net_, keep_optimizer=False)
    # Names of columns, where the first step saw a data frame of them.
    columns = [getattr(step, "feature_names_in_", None) for _, step in steps]
    columns = next((names for names in columns if names is not None), None)
    metadata = {
        "kind": "classifier" if model is classifier else "pipeline",
        "classes": pack_classes(classifier.classes_),
        "class_names": list(classifier.class_names_),
        "network": _describe_network(classifier),
        "image_shape": list(image_shape(classifier)),
        "normalization": packed["normalizer"],
        "temperature": float(classifier.temperature_),
        "feature_names": None if columns is None else list(map(str, columns)),
        "steps": [
            _pack_step(name, step, tuned=classifier.pretrained is not None)
            for name, step in steps
        ],
        "training": {
            "n_iter": classifier.n_iter_,
            "stop_reason": classifier.stop_reason_,
            "history": [_finite_values(epoch) for epoch in packed["history"]],
        },
        "versions": library_versions(),
        "weights_dtype": dtype,
    }
    # Weights beyond half precision become infinite, which is refused by name later.
    with np.errstate(over="ignore"):
        weights = {
            name: array.astype(dtype) if array.dtype.kind == "f" else array
            for name, array in packed["weights"].items()
        }
    write_model_file(path, metadata, weights)


def _describe_network(classifier):
    network, name = classifier.network, classifier.network
    if not isinstance(network, str):
        # A partial function has no name of its own.
        named = network if hasattr(network, "__qualname__") else type(network)
        name = f"{named.__module__}.{named.__qualname__}"
    parameters = classifier.net_.module_.network.parameters()
    return {
        "name": name,
        "custom": name is not network,
        "n_parameters": sum(weights.numel() for weights in parameters),
    }


def _finite_values(epoch):
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in epoch.items()
    }


def _pack_step(name, step, *, tuned):
    if step is None or isinstance(step, str):
        return {"name": name, "type": _PASSTHROUGH, "params": {}}
    kind, params = type(step).__name__, step.get_params(deep=False)
    if tuned:
        # The model that the training started from is not in the file, so a later `fit`
        # starts from scratch: there the defaults do better than a few epochs at a low
        # learning rate.
        kept = {"RandomAffineAugmenter": set(), "FERClassifier": _DESCRIBING}
        params = {k: params[k] for k in params.keys() & kept.get(kind, params.keys())}
    packed = {
        key: pack_value(f"{name}__{key}", params[key])
        for key in sorted(params.keys() - _NOT_STORED)
        if not (key == "network" and callable(params[key]))
    }
    # The device it was trained on need not be there; the CPU is.
    if packed.get("device", "cpu") != "cpu":
        packed["device"] = "auto"
    return {"name": name, "type": kind, "params": packed}


# -- opening -----------------------------------------------------------------------


def load_pretrained(name="compact", *, runtime="torch"):
    """Load a trained model that comes with the package; needs no internet.

    Parameters
    ----------
    name : str, default="compact"
        ``"compact"`` suits most purposes. ``"large"`` is the most accurate, and takes
        four times as long; ``"nano"`` is ten times as fast. The error for an unknown
        name lists the names that exist.
    runtime : {"torch", "onnx", "onnx-int8"}, default="torch"
        What computes the predictions. ``"onnx"`` is onnxruntime: without torch
        the model opens sooner, needs less memory and predicts faster, but cannot be
        trained. The probabilities are equal to within 1e-5.
        ``"onnx-int8"`` opens a file of 8-bit weights, which takes less than half of
        that time; ``"large"`` has none. On 97 % of the faces it predicts the same
        emotion; the accuracy on PublicTest is lower by 0.001 for ``"compact"`` and by
        0.003 for ``"nano"``.

    Returns
    -------
    model : Pipeline or OnnxClassifier
        Fitted, from pixel strings or faces of 48x48 grey levels to the emotions 0 to
        6, named by `fer_sklearn.EMOTIONS`. The training parameters of the pipeline are
        the defaults, so that fitting a clone trains the same network from scratch; the
        model's card says how it was trained.

    Raises
    ------
    ModelFileError
        If there is no such model or runtime.
    MissingExtraError
        If torch is not installed, or onnxruntime for the other runtimes.

    See Also
    --------
    make_fer_pipeline : Start a training from such a model with ``pretrained=``.
    load_model : Open these and all other models.
    load_onnx : Open other ONNX files.

    Examples
    --------
    >>> from fer_sklearn import load_pretrained
    >>> load_pretrained("gigantic")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    fer_sklearn.exceptions.ModelFileError: There is no pretrained model 'gigantic'. \
There are: ...
    """
    if name not in (names := pretrained_names()):
        raise ModelFileError(
            f"There is no pretrained model {str(name)!r}. There are: "
            f"{', '.join(names) or 'none in this installation'}. Files are opened by "
            "load_model."
        )
    if runtime == "torch":
        return load_model(name)
    if runtime not in ONNX_SUFFIXES:
        raise ModelFileError(
            f"runtime must be 'torch', 'onnx' or 'onnx-int8', got {runtime!r}."
        )
    from ._onnx import OnnxClassifier
    from ._onnx_model import open_pretrained_onnx

    return open_pretrained_onnx(name, runtime, cls=OnnxClassifier)


def load_model(model, *, network=None):
    """Open a model: a file, a run folder or one that comes with the package.

    No code in the file is run, and its sizes are checked before anything is built.

    Parameters
    ----------
    model : str or path-like
        The name of a model that comes with the package, such as ``"compact"``; a file
        that `save_model` wrote; a folder that ``fer-sklearn train`` wrote; or an ONNX
        file that `to_onnx` wrote, with the suffix ``.onnx``. A string that is such a
        name never means a file: ``"./compact"`` does.
    network : callable, default=None
        The class (or function) of the network, for models whose network is not one
        of `fer_sklearn.networks.NETWORKS`: the file holds weights, not classes.

    Returns
    -------
    model : Pipeline, FERClassifier or OnnxClassifier
        Fitted. Its probabilities equal those of the saved model bit for bit on the
        same machine, if it was saved as float32.

    Raises
    ------
    ModelFileError
        If there is no such model, or the file is not a model file, is damaged, has
        another format number, or holds another network than the given one.
    MissingExtraError
        If torch is not installed, or onnxruntime for an ONNX file.

    Warns
    -----
    UserWarning
        If the file was saved with another version of torch, skorch, scikit-learn,
        numpy or this package. A version that differs in the patch alone, such as
        2.13.0 and 2.13.1, counts as the same.

    See Also
    --------
    save_model : Write such a file, with an example.
    load_onnx : Open an ONNX file with another number of threads.
    read_model_metadata : See what is inside without torch.

    Examples
    --------
    >>> from fer_sklearn import load_model, make_faces
    >>> pipe = load_model("compact")
    >>> pipe.predict(make_faces(2, random_state=0).data).shape
    (2,)
    >>> load_model("emotions.fer")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    fer_sklearn.exceptions.ModelFileError: emotions.fer does not exist. Give a model \
file, a run folder or the name of a pretrained model (...).
    """
    path = find_model(model)
    if path.suffix == ".onnx":
        from ._onnx import load_onnx

        return load_onnx(path)
    with torch_needed():
        from ._training.checkpoint import warn_of_other_versions
    with open_model_file(path) as file:
        fitted = _build(file, network)
        # Those in the package are tested with every supported version.
        if model not in pretrained_names():
            warn_of_other_versions(file.metadata["versions"], "model file")
    return fitted


def _build(file, network):
    """Build the fitted model that an open file describes."""
    from sklearn.pipeline import Pipeline

    from ._pipeline import storable_steps

    metadata = file.metadata
    steps = [
        (step["name"], _build_step(file, step, network)) for step in metadata["steps"]
    ]
    with _restoring(file, "the pipeline"):
        names = [name for name, _ in steps]
        if len(set(names)) < len(names):
            raise ValueError(f"Two steps have the same name: {names}.")
        if metadata["kind"] == "classifier" and len(steps) != 1:
            raise ValueError("A classifier has one step.")
        storable_steps(Pipeline(steps))
    classifier = steps[-1][1]
    with _restoring(file, "the classifier"):
        _restore(file, classifier)
    _fit_transformers(file, steps[:-1])
    return classifier if metadata["kind"] == "classifier" else Pipeline(steps)


@contextmanager
def _restoring(file, what):
    """Turn what goes wrong while a model is built into a ModelFileError."""
    try:
        yield
    # A missing folder for temporary files or a full disk says nothing about the file.
    except (ModelFileError, OSError):
        raise
    except Exception as error:
        raise ModelFileError(
            f"{file.path}: {what} cannot be restored: {error} The file is damaged or "
            f"was written by another version of fer_sklearn "
            f"({file.metadata['versions'].get('fer_sklearn')})."
        ) from error


def _build_step(file, step, network):
    from ._pipeline import STORABLE

    if step["type"] == _PASSTHROUGH:
        return _PASSTHROUGH
    with _restoring(file, f"step {step['name']!r}"):
        known = {cls.__name__: cls for cls in STORABLE}
        if step["type"] not in known:
            raise ValueError(f"{step['type']} is not a step that a model file holds.")
        params = {key: unpack_value(item) for key, item in step["params"].items()}
        if _NOT_STORED & params.keys():
            raise ValueError(f"It holds {sorted(_NOT_STORED & params.keys())}.")
        if params.get("device", "cpu") not in ("auto", "cpu"):
            raise ValueError(f"device is {params['device']!r}, not 'auto' or 'cpu'.")
        if step["type"] == "FERClassifier":
            params["network"] = _choose_network(file, params.get("network"), network)
        estimator = known[step["type"]](**params)
        if hasattr(estimator, "_validate_params"):
            estimator._validate_params()
    return estimator


def _choose_network(file, stored, given):
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


def _restore(file, classifier):
    """Give a classifier what it had learnt, tensors last."""
    from ._training.module import network_specs

    metadata = file.metadata
    height, width = metadata["image_shape"]
    fitted = {
        "classes_": unpack_classes(metadata["classes"]),
        "class_names_": metadata["class_names"],
        "image_shape_": (height, width),
        "n_features_in_": height * width,
        "temperature_": metadata["temperature"],
        "stop_reason_": metadata["training"]["stop_reason"],
    }
    if metadata["feature_names"] is not None and metadata["kind"] == "classifier":
        names = np.array(metadata["feature_names"], dtype=object)
        fitted["feature_names_in_"] = names
    network = classifier.network
    specs = network_specs(
        network,
        params=classifier.network_params,
        n_classes=len(fitted["classes_"]),
        image_shape=(height, width),
    )
    file.check_specs(specs, getattr(network, "__name__", str(network)))
    packed = {
        "normalizer": metadata["normalization"],
        "weights": file.read_weights(),
        "history": metadata["training"]["history"],
        "optimizer": None,
    }
    classifier._restore(fitted, packed)


def _fit_transformers(file, steps):
    """Show them one face: they learn its size, and the names of columns, no more."""
    faces = np.zeros((1, *file.metadata["image_shape"]), dtype=np.uint8)
    if file.metadata["feature_names"] is not None:
        import pandas as pd

        names = file.metadata["feature_names"]
        faces = pd.DataFrame(faces.reshape(1, -1), columns=names)
    for name, step in steps:
        with _restoring(file, f"step {name!r}"):
            if step != _PASSTHROUGH:
                faces = step.fit(faces).transform(faces)
