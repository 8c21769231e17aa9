"""``fer-sklearn predict``: the emotion and the probabilities of each face."""

import csv
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..exceptions import FERError
from ._images import find_files, read_file
from ._models import DEFAULT, image_shape, is_model, open_model, use_threads
from ._report import class_names
from ._run_folder import replacing

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
    use_threads(args.threads)
    pipe = open_model(model)
    files, empty = find_files(inputs)
    report = _Failures()
    for folder in empty:
        report(folder, "no images in this folder")
    with _output(args.out) as stream, _progress(len(files), args.quiet) as bar:
        writer = csv.writer(stream, lineterminator="\n")
        names = class_names(pipe.classes_)
        writer.writerow(["file", "row", "emotion", *names])
        faces = _faces(files, image_shape(pipe), report, bar)
        for batch in _batches(faces, _BATCH):
            writer.writerows(_rows(pipe, batch, names))
            bar.update(len(batch))
    return report.finish(len(files) + len(empty))


def split_model(model, inputs):
    """The model and what to predict on; the first input may be the model."""
    if model is None and is_model(inputs[0]):
        model, inputs = inputs[0], inputs[1:]
        if not inputs:
            raise FERError(
                f"{model} is a model; say what to predict on: "
                f"fer-sklearn predict {model} faces.csv"
            )
    return model or DEFAULT, inputs


def _faces(files, shape, report, bar):
    for path in files:
        try:
            faces = read_file(path, shape)
        except (FERError, OSError) as error:
            report(path, error)
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

    def __call__(self, path, error):
        from tqdm import tqdm

        self.count += 1
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        name = "" if reason.startswith(str(path)) else f"{path}: "
        tqdm.write(f"fer-sklearn: {name}{reason}", file=sys.stderr)

    def finish(self, total):
        if not self.count:
            return 0
        print(
            f"fer-sklearn: error: {self.count} of {total} inputs could not be read",
            file=sys.stderr,
        )
        return 1


@contextmanager
def _output(out):
    if out is None:
        yield sys.stdout
        return
    if not Path(out).parent.is_dir():
        raise FERError(f"{Path(out).parent} does not exist; make that folder first.")
    with replacing(out) as partial, open(partial, "w", newline="") as stream:
        yield stream


def _progress(total, quiet):
    from tqdm import tqdm

    # Lines of results and a bar on one terminal would run into each other.
    hidden = quiet or sys.stdout.isatty() or not sys.stderr.isatty()
    return tqdm(total=total, unit="face", disable=hidden, leave=False)
