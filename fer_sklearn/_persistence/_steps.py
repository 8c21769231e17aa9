"""The steps that a model file can hold."""

from sklearn.pipeline import Pipeline

from .._augmentation import RandomAffineAugmenter
from .._classifier import FERClassifier
from .._pixels import PixelStringTransformer
from ..exceptions import ModelFileError

TRANSFORMERS = (PixelStringTransformer, RandomAffineAugmenter)
PASSTHROUGH = "passthrough"

# Parameters that tell about the place of a training, not about the model. A foreign
# file must not choose where a later training writes.
LEFT_BEHIND = {"callbacks", "checkpoint"}


def best_of(model):
    """Give the best model of a search; any other model is given back as it is."""
    return getattr(model, "best_estimator_", model)


def steps_of(model) -> list[tuple]:
    """Give the steps of a model, after checking that a file can hold them.

    Raises
    ------
    ModelFileError
        If it cannot.
    """
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
        plain = step is None or (isinstance(step, str) and step == PASSTHROUGH)
        names = " and ".join(cls.__name__ for cls in TRANSFORMERS)
        if not plain and type(step) not in TRANSFORMERS:
            raise ModelFileError(
                f"Step {name!r} of the pipeline is a {type(step).__name__}; before the "
                f"classifier a model file holds {names} only. Save "
                "pipe[-1] alone, or pickle the pipeline for people who trust you."
            )
    return steps
