"""``fer-sklearn predict``: the emotion and the probabilities of each face."""

import io
import sys
from pathlib import Path

from .._models import load_model
from .._utils import write_atomically
from ..exceptions import FERError
from . import use_threads
from ._kinds import DEFAULT_MODEL, is_model
from ._prediction import Prediction
from ._sources import find_files, has_pictures


def run(args):
    """Classify all faces of all inputs and write them as csv.

    Parameters
    ----------
    args : argparse.Namespace
        With `inputs`, `model`, `out`, `cropped`, `annotate`, `every`, `threads` and
        `quiet`.

    Returns
    -------
    status : int
        0, or 1 if a file could not be read.
    """
    model, inputs = split_model(args.model, args.inputs)
    files, empty = find_files(inputs)
    _check_places(args, files)
    use_threads(args.threads)
    pipe = load_model(model)
    work = Prediction(pipe, args)
    for folder in empty:
        work.report(folder, "no images in this folder")
    if args.out is None:
        work.write(sys.stdout, files)
    else:
        write_atomically(args.out, lambda file: _encode(file, work, files))
    return work.finish(len(files) + len(empty), args.out)


def split_model(model, inputs):
    """Part the model from the inputs; the first of them may be the model."""
    if model is None and is_model(inputs[0]):
        model, inputs = inputs[0], inputs[1:]
        if not inputs:
            raise FERError(
                f"{model} is a model; say what to predict on: "
                f"fer-sklearn predict {model} faces.csv"
            )
    for text in inputs:
        if is_model(text):
            raise FERError(
                f"{text} is a model, not faces. One model predicts: as the first "
                "INPUT, or by --model."
            )
    return model or DEFAULT_MODEL, inputs


def _check_places(args, files):
    """Refuse what cannot be written before anything is read."""
    if args.out is not None and not Path(args.out).parent.is_dir():
        raise FERError(f"{Path(args.out).parent} is no folder; make it first.")
    if args.out is not None and Path(args.out).is_dir():
        raise FERError(f"{args.out} is a folder; --out names the csv to write.")
    if args.annotate is not None:
        if files and not has_pictures(files):
            raise FERError("--annotate marks pictures and videos; these are csv files.")
        folder = Path(args.annotate)
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise FERError(
                f"{folder} is not empty; name a new folder for the annotated copies."
            )


def _encode(file, work, files):
    text = io.TextIOWrapper(file, "utf-8", newline="")
    work.write(text, files)
    text.detach()  # flushes, and leaves the file open for its owner
