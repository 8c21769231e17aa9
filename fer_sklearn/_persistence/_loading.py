"""From an open model file to a fitted model."""

from contextlib import contextmanager

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from .._classifier import FERClassifier
from .._model_file import unpack_value
from .._training.checkpoint import warn_of_other_versions
from .._training.module import network_specs
from ..datasets._emotions import name_classes
from ..exceptions import ModelFileError
from ._classes import unpack_classes
from ._steps import LEFT_BEHIND, PASSTHROUGH, TRANSFORMERS, steps_of

_TYPES = {cls.__name__: cls for cls in (*TRANSFORMERS, FERClassifier)}


def build_model(file, network=None, *, compare_versions=True):
    """Give the fitted model of an open model file.

    Raises
    ------
    ModelFileError
        If the file does not describe a model of this package.
    """
    metadata = file.metadata
    steps = [
        (step["name"], _build_step(file, step, network)) for step in metadata["steps"]
    ]
    _check_steps(file, steps)
    classifier = steps[-1][1]
    _restore(file, classifier)
    _fit_transformers(file, steps[:-1])
    if compare_versions:
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


def _build_step(file, step, network):
    if step["type"] == PASSTHROUGH:
        return PASSTHROUGH
    with _blaming(file, f"step {step['name']!r}"):
        if step["type"] not in _TYPES:
            raise ValueError(f"{step['type']} is no step that a model file holds.")
        params = {key: unpack_value(item) for key, item in step["params"].items()}
        params.pop("pretrained", None)  # version 0.1 stored it: a path of its own
        # A foreign file must not choose where a later training writes.
        if LEFT_BEHIND & params.keys():
            raise ValueError(f"It holds {sorted(LEFT_BEHIND & params.keys())}.")
        if step["type"] == "FERClassifier":
            params["network"] = _network(file, params.get("network"), network)
        estimator = _TYPES[step["type"]](**params)
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
    with _blaming(file, "the pipeline"):
        names = [name for name, _ in steps]
        if len(set(names)) < len(names):
            raise ValueError(f"Two steps have the same name: {names}.")
        if file.metadata["kind"] == "classifier" and len(steps) != 1:
            raise ValueError("A classifier has one step.")
        steps_of(Pipeline(steps))


def _fit_transformers(file, steps):
    """Show them one face: all that they learn is its size, and columns' names."""
    faces = np.zeros((1, *file.metadata["image_shape"]), dtype=np.uint8)
    names = file.metadata["feature_names"]
    if names is not None:
        faces = pd.DataFrame(faces.reshape(1, -1), columns=names)
    for name, step in steps:
        with _blaming(file, f"step {name!r}"):
            if step != PASSTHROUGH:
                faces = step.fit(faces).transform(faces)


def _classes(file):
    with _blaming(file, "classes_"):
        return unpack_classes(file.metadata["classes"])


def _restore(file, classifier):
    """Fill a classifier with what it had learnt."""
    metadata = file.metadata
    height, width = metadata["image_shape"]
    classes = _classes(file)
    fitted = {
        "classes_": classes,
        # Files of version 0.1 have no names but those of FER2013.
        "class_names_": metadata["class_names"] or name_classes(classes),
        "image_shape_": (height, width),
        "n_features_in_": height * width,
        "temperature_": metadata["temperature"],
        "stop_reason_": metadata["training"]["stop_reason"],
    }
    names = metadata["feature_names"]
    if names is not None and metadata["kind"] == "classifier":
        fitted["feature_names_in_"] = np.array(names, dtype=object)
    with _blaming(file, "the classifier"):
        specs = network_specs(
            classifier.network,
            params=classifier.network_params,
            n_classes=len(fitted["classes_"]),
            image_shape=(height, width),
        )
        network = classifier.network
        file.check_specs(specs, getattr(network, "__name__", str(network)))
        packed = {
            "normalizer": metadata["normalization"],
            "weights": file.read_weights(),
            "history": metadata["training"]["history"],
            "optimizer": None,
        }
        classifier._restore(fitted, packed)
