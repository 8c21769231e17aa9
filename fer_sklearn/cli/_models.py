"""From what people type as MODEL to a fitted pipeline."""

from pathlib import Path

from .._shipped_models import pretrained_names
from ..exceptions import FERError
from ._kinds import IMAGES, MODELS, TABLES, VIDEOS
from ._run_folder import CONFIG, MODEL

DEFAULT = "compact"


def is_model(text):
    """Whether `text` names a model: file, run folder or pretrained, not faces."""
    path = Path(text)
    if path.is_dir():
        return (path / MODEL).is_file() or (path / CONFIG).is_file()
    pretrained = not path.exists() and str(text) in pretrained_names()
    return pretrained or path.suffix in MODELS


def model_file(text):
    """Path of the model file that `text` means, or None for a pretrained name.

    Raises
    ------
    FERError
        If a folder has no model, or a path leads nowhere or to faces.
    """
    path = Path(text)
    if path.is_dir():
        return _in_folder(path)
    if path.exists():
        # A model file is a zip, and may be called one.
        if path.suffix.lower() in (TABLES | IMAGES | VIDEOS) - {".zip"}:
            raise FERError(
                f"{path} is no model; as MODEL give a model file, a run folder or a "
                "pretrained name."
            )
        return path
    if path.suffix or len(path.parts) > 1:
        raise FERError(f"{path} does not exist; give a model file or a run folder.")
    return None


def _in_folder(path):
    if (path / MODEL).is_file():
        return path / MODEL
    if (path / CONFIG).is_file():
        raise FERError(
            f"{path} has no {MODEL}. If its training was broken off, finish it: "
            f"fer-sklearn train --resume {path}"
        )
    runs = sorted(str(file.parent) for file in path.glob(f"*/{MODEL}"))
    cure = f"Do you mean {runs[-1]}?" if runs else "Name a folder that train made."
    raise FERError(f"{path} is no run folder: it has no {MODEL}. {cure}")


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
