"""From what people type as MODEL to a fitted pipeline."""

from pathlib import Path

from ..exceptions import FERError
from ._run_folder import CONFIG, MODEL

DEFAULT = "compact"


def is_model(text):
    """Whether `text` is a model file or a run folder, not an input to predict on."""
    path = Path(text)
    if path.is_dir():
        return (path / MODEL).is_file() or (path / CONFIG).is_file()
    return path.suffix in (".fer", ".onnx")


def model_file(text):
    """Path of the model file that `text` means, or None for a pretrained name.

    Raises
    ------
    FERError
        If a run folder has no model yet, or a path leads nowhere.
    """
    path = Path(text)
    if path.is_dir():
        if (path / MODEL).is_file():
            return path / MODEL
        raise FERError(
            f"{path} has no {MODEL}. If its training was broken off, finish it: "
            f"fer-sklearn train --resume {path}"
        )
    if path.exists():
        return path
    if path.suffix or len(path.parts) > 1:
        raise FERError(f"{path} does not exist; give a model file or a run folder.")
    return None


def open_model(text):
    """Open what `text` names: model file, run folder or pretrained pipeline."""
    path = model_file(text)
    if path is None:
        from .._pretrained import load_pretrained

        return load_pretrained(text)
    if path.suffix == ".onnx":
        from .._onnx import load_onnx

        return load_onnx(path)
    from .._persistence import load_model

    return load_model(path)


def image_shape(pipe):
    """Height and width of the faces that `pipe` was fitted on, in pixels."""
    return getattr(pipe, "image_shape_", None) or pipe[-1].image_shape_


def use_threads(number):
    """Let torch use `number` CPU threads; None leaves its own choice."""
    if number is not None:
        import torch

        torch.set_num_threads(number)
