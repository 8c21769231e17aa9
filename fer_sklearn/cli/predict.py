"""``fer-sklearn predict``: the emotion and the probabilities of each face."""

import csv
import io
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from .._files import write_atomically
from ..exceptions import FERError
from ._images import find_files, read_file
from ._models import DEFAULT, image_shape, is_model, open_model, use_threads
from ._report import class_names

_BATCH = 512


def run(args):
    """Classify all faces of all inputs and write them as csv.

    Parameters
    ----------
    args : argparse.Namespace
        With `inputs`, `model`, `out`, `threads` and `quiet`.

    Returns
    -------
    status : int
        0, or 1 if a file could not be read.
    """
    model, inputs = split_model(args.model, args.inputs)
    if args.out is not None and not Path(args.out).parent.is_dir():
        raise FERError(f"{Path(args.out).parent} is no folder; make it first.")
    use_threads(args.threads)
    pipe = open_model(model)
    files, empty = find_files(inputs)
    failures = _Failures()
    for folder in empty:
        failures.report(folder, "no images in this folder")
    if args.out is None:
        _write(sys.stdout, pipe, files, failures, args.quiet)
    else:
        write_atomically(
            args.out, lambda file: _encode(file, pipe, files, failures, args.quiet)
        )
    return failures.finish(len(files) + len(empty))


def _encode(file, *work):
    text = io.TextIOWrapper(file, "utf-8", newline="")
    _write(text, *work)
    text.detach()  # flushes, and leaves the file open for its owner


def _write(stream, pipe, files, failures, quiet):
    names = class_names(pipe.classes_)
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["file", "row", "emotion", *names])
    with _progress(len(files), quiet) as bar:
        faces = _faces(files, image_shape(pipe), failures, bar)
        for batch in _batches(faces, _BATCH):
            writer.writerows(_rows(pipe, batch, names))
            bar.update(len(batch))


def split_model(model, inputs):
    """Part the model from the inputs; the first of them may be the model."""
    if model is None and is_model(inputs[0]):
        model, inputs = inputs[0], inputs[1:]
        if not inputs:
            raise FERError(
                f"{model} is a model; say what to predict on: "
                f"fer-sklearn predict {model} faces.csv"
            )
    return model or DEFAULT, inputs


def _faces(files, shape, failures, bar):
    for path in files:
        try:
            faces = read_file(path, shape)
        except (FERError, OSError) as error:
            failures.report(path, error)
            bar.update(1)
            continue
        bar.total += len(faces) - 1
        yield from faces


def _batches(faces, size):
    batch = []
    for face in faces:
        batch.append(face)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _rows(pipe, batch, names):
    y_prob = pipe.predict_proba(np.stack([face.image for face in batch]))
    for face, row in zip(batch, y_prob, strict=True):
        number = "" if face.row is None else face.row
        yield [face.file, number, names[row.argmax()], *(f"{p:.6f}" for p in row)]


class _Failures:
    """Reports each bad file at once, and all of them at the end."""

    def __init__(self):
        self.count = 0

    def report(self, path, error):
        """Print a line, above the bar if there is one."""
        self.count += 1
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        name = "" if reason.startswith(str(path)) else f"{path}: "
        tqdm.write(f"fer-sklearn: {name}{reason}", file=sys.stderr)

    def finish(self, total):
        """Print how many there were; give the exit status."""
        if not self.count:
            return 0
        print(
            f"fer-sklearn: error: {self.count} of {total} inputs could not be read",
            file=sys.stderr,
        )
        return 1


def _progress(total, quiet):
    # Lines of results and a bar on one terminal would run into each other.
    hidden = quiet or sys.stdout.isatty() or not sys.stderr.isatty()
    return tqdm(total=total, unit="face", disable=hidden, leave=False)
