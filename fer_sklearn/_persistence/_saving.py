"""From a fitted model to what a model file holds."""

import math

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._augmentation import RandomAffineAugmenter
from .._classifier import FERClassifier
from .._model_file import pack_value
from .._training.checkpoint import library_versions, pack_net
from ..datasets import class_names
from ..exceptions import ModelFileError
from ._classes import pack_classes
from ._steps import LEFT_BEHIND, PASSTHROUGH, best_of, steps_of

# What a classifier's parameters say of the model. The others say how to train one.
_DESCRIBING = {
    "device",
    "network",
    "network_params",
    "normalization",
    "temperature",
    "test_time_flip",
}


def pack_model(model, dtype: str) -> tuple[dict, dict]:
    """Give metadata and weights of a fitted model."""
    if dtype not in ("float32", "float16"):
        raise ModelFileError(f"dtype must be 'float32' or 'float16', got {dtype!r}.")
    model = best_of(model)
    steps = steps_of(model)
    classifier = steps[-1][1]
    check_is_fitted(classifier)
    if classifier._made_from != (classifier.network, classifier.network_params):
        raise ModelFileError(
            "network or network_params were changed after fit, so they no longer "
            f"describe the weights. Set them back to {classifier._made_from}, or fit."
        )
    packed = pack_net(classifier.net_, keep_optimizer=False)
    metadata = {
        "kind": "classifier" if model is classifier else "pipeline",
        "classes": pack_classes(classifier.classes_),
        "class_names": class_names(classifier),
        "network": _describe_network(classifier),
        "image_shape": [int(n) for n in classifier.image_shape_],
        "normalization": packed["normalizer"],
        "temperature": float(classifier.temperature_),
        "feature_names": _feature_names(steps),
        "steps": [
            _pack_step(name, step, tuned=classifier.pretrained is not None)
            for name, step in steps
        ],
        "training": {
            "n_iter": classifier.n_iter_,
            "stop_reason": classifier.stop_reason_,
            "history": [_finite_row(row) for row in packed["history"]],
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
    return metadata, weights


def _describe_network(classifier):
    network = classifier.network
    custom = not isinstance(network, str)
    module = classifier.net_.module_.network
    if custom:
        # A partial function has no name of its own.
        named = network if hasattr(network, "__qualname__") else type(network)
        name = f"{named.__module__}.{named.__qualname__}"
    else:
        name = network
    return {
        "name": name,
        "custom": custom,
        "n_parameters": sum(p.numel() for p in module.parameters()),
    }


def _feature_names(steps):
    """Names of columns, where the first step saw a data frame of them."""
    for _, step in steps:
        if hasattr(step, "feature_names_in_"):
            return [str(name) for name in step.feature_names_in_]
    return None


def _finite_row(row):
    return {
        name: value if not isinstance(value, float) or math.isfinite(value) else None
        for name, value in row.items()
    }


def _pack_step(name, step, *, tuned):
    if step is None or isinstance(step, str):
        return {"name": name, "type": PASSTHROUGH, "params": {}}
    params = {
        key: pack_value(f"{name}__{key}", value)
        for key, value in _params_to_keep(step, tuned).items()
        if key not in LEFT_BEHIND and not (key == "network" and callable(value))
    }
    # The device it was trained on need not be there; the CPU is.
    if params.get("device", "cpu") != "cpu":
        params["device"] = "auto"
    return {"name": name, "type": type(step).__name__, "params": params}


def _params_to_keep(step, tuned):
    """Leave out how a model was tuned that started from another.

    The other model is not in the file, so a later `fit` starts from scratch: there the
    defaults do better than a few epochs at a low learning rate.
    """
    params = step.get_params(deep=False)
    params.pop("pretrained", None)
    if tuned and isinstance(step, RandomAffineAugmenter):
        return {}
    if tuned and isinstance(step, FERClassifier):
        return {key: value for key, value in params.items() if key in _DESCRIBING}
    return params
