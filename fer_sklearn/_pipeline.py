"""The whole way from pixel strings to emotions."""

from sklearn.pipeline import Pipeline

from ._augmentation import RandomAffineAugmenter
from ._classifier import FERClassifier
from ._model_format import open_model_file, unpack_value
from ._pixels import PixelStringTransformer
from .exceptions import ModelFileError

# The settings of the Keras baseline.
BASELINE_AUGMENTATION = {
    "rotation_range": 15,
    "width_shift_range": 0.15,
    "height_shift_range": 0.15,
    "shear_range": 0.15,
    "zoom_range": 0.15,
    "horizontal_flip": True,
    "erasing_probability": 0.0,
}
BASELINE_TRAINING = {
    "network": "baseline",
    "max_epochs": 100,
    "batch_size": 32,
    "optimizer": "adam",
    "weight_decay": 0.0,
    "lr_schedule": "plateau",
    "early_stopping": True,
    "validation_fraction": 0.2,
    "n_iter_no_change": 11,
    "label_smoothing": 0.0,
    "clean_fraction": 0.0,
    "ema_decay": None,
}


def make_fer_pipeline(
    network=None,
    *,
    pretrained=None,
    augment=True,
    image_shape="auto",
    random_state=None,
    memory=None,
    **classifier_params,
):
    """Make a pipeline from pixel strings to emotions.

    Its steps are ``"pixels"`` (`PixelStringTransformer`), ``"augment"``
    (`RandomAffineAugmenter`, in training only, differently in each epoch) and
    ``"cnn"`` (`FERClassifier`). It is a plain :class:`sklearn.pipeline.Pipeline`, so
    every parameter can be set and searched, as in ``cnn__lr`` or
    ``augment__zoom_range``.

    Parameters
    ----------
    network : str or callable, default=None
        See `FERClassifier`. None is the network of the `pretrained` model with its
        parameters; without one, ``"compact"``.
    pretrained : str, path-like or None, default=None
        Model to start the training from: the name of a model that comes with the
        package, such as ``"compact"``, a model file or a run folder. The classes may
        differ.
    augment : bool or dict, default=True
        False leaves the augmenter out; a dictionary holds its parameters, such as
        ``{"rotation_range": 10}``.
    image_shape : "auto" or tuple of int, default="auto"
        Height and width of the faces in pixels, see `PixelStringTransformer`.
    random_state : int, RandomState instance or None, default=None
        Seed of augmentation and training.
    memory : str, joblib.Memory or None, default=None
        See :class:`sklearn.pipeline.Pipeline`. A cached augmenter still augments
        differently in each epoch.
    **classifier_params
        Parameters of `FERClassifier`, such as ``max_epochs=50`` or ``lr=0.05``.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Not fitted.

    Raises
    ------
    TypeError
        If a parameter is unknown to `FERClassifier`.
    ModelFileError
        If there is no such pretrained model, or its file cannot be read.

    See Also
    --------
    make_baseline_pipeline : The same with the settings of the Keras baseline.
    load_pretrained : A trained pipeline, ready to predict.

    Examples
    --------
    >>> from fer_sklearn import make_faces, make_fer_pipeline
    >>> faces = make_faces(200, image_shape=(16, 16), random_state=0)
    >>> pipe = make_fer_pipeline("nano", max_epochs=2, random_state=0)
    >>> pipe.fit(faces.data, faces.target).predict(faces.data[:3]).shape
    (3,)
    >>> list(pipe.named_steps)
    ['pixels', 'augment', 'cnn']
    """
    steps = [("pixels", PixelStringTransformer(image_shape=image_shape))]
    if augment or isinstance(augment, dict):
        params = augment if isinstance(augment, dict) else {}
        augmenter = RandomAffineAugmenter(**{"random_state": random_state, **params})
        steps.append(("augment", augmenter))
    if network is None:
        network, classifier_params = _default_network(pretrained, classifier_params)
    classifier = FERClassifier(
        network, pretrained=pretrained, random_state=random_state, **classifier_params
    )
    steps.append(("cnn", classifier))
    return Pipeline(steps, memory=memory)


def _default_network(pretrained, params):
    """Give the network that a model file holds, and how it was made."""
    if pretrained is None:
        return "compact", params
    with open_model_file(pretrained) as file:
        described = file.metadata["network"]
        stored = file.metadata["steps"][-1]["params"].get("network_params")
    if described["custom"]:
        raise ModelFileError(
            f"{pretrained} holds a custom network, {described['name']}. Pass its "
            "class: make_fer_pipeline(network=..., pretrained=...)"
        )
    return described["name"], {"network_params": unpack_value(stored), **params}


def make_baseline_pipeline(*, random_state=None, **classifier_params):
    """Make a pipeline with the settings of the Keras baseline.

    Network ``"baseline"``, its augmentation, batches of 32, Adam, the learning rate
    halved on a plateau of validation accuracy (patience 7), early stopping (patience
    11) on a fifth of the training data.

    Parameters
    ----------
    random_state : int, RandomState instance or None, default=None
        Seed of augmentation and training.
    **classifier_params
        Parameters of `FERClassifier` or `make_fer_pipeline` that shall differ.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Not fitted.

    See Also
    --------
    make_fer_pipeline : The same with the defaults of this package.

    Examples
    --------
    >>> from fer_sklearn import make_baseline_pipeline
    >>> make_baseline_pipeline(max_epochs=3)["cnn"].batch_size
    32
    """
    settings = {
        "augment": BASELINE_AUGMENTATION,
        **BASELINE_TRAINING,
        **classifier_params,
    }
    return make_fer_pipeline(random_state=random_state, **settings)


# The steps of a pipeline that a model file can hold, the last of them at its end.
STORABLE = (PixelStringTransformer, RandomAffineAugmenter, FERClassifier)


def storable_steps(model) -> list[tuple]:
    """Give the steps of a model that can be written to a file.

    Parameters
    ----------
    model : Pipeline, FERClassifier or a search over one
        Of a search, its ``best_estimator_`` is taken.

    Returns
    -------
    list of (str, estimator)
        A `FERClassifier` at the end.

    Raises
    ------
    ModelFileError
        If there are other steps.
    """
    model = getattr(model, "best_estimator_", model)
    steps = model.steps if type(model) is Pipeline else [("cnn", model)]
    if type(steps[-1][1]) is not FERClassifier:
        cure = (
            "Fit it with refit=True."
            if hasattr(model, "refit")
            else "Pickle it, for people who trust you."
        )
        raise ModelFileError(
            "A model file holds a FERClassifier or a pipeline that ends with one, got "
            f"{type(steps[-1][1]).__name__}. {cure}"
        )
    for name, step in steps[:-1]:
        if step not in (None, "passthrough") and type(step) not in STORABLE[:-1]:
            names = " and ".join(cls.__name__ for cls in STORABLE[:-1])
            raise ModelFileError(
                f"Step {name!r} of the pipeline is a {type(step).__name__}; before the "
                f"classifier a model file holds {names} only. Save pipe[-1] alone, or "
                "pickle the pipeline for people who trust you."
            )
    return steps
