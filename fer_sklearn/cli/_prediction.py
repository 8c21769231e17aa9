"""From files to rows of a csv, with annotated copies on request."""

import csv
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from .. import photos
from .._files import write_atomically
from ..datasets import class_names
from ..exceptions import FERError, MissingExtraError
from ._models import image_shape
from ._sources import Reader, has_pictures

_BATCH = 512
_BOX = ("x", "y", "width", "height")
_NO_FACE = "no face found; --cropped takes the whole picture as one"


class Prediction:
    """One call of ``fer-sklearn predict``.

    Parameters
    ----------
    pipe : Pipeline
        Fitted.
    args : argparse.Namespace
        With `cropped`, `annotate`, `every` and `quiet`.

    Attributes
    ----------
    n_failures : int
        Files that could not be read so far.
    """

    def __init__(self, pipe, args):
        self.pipe = pipe
        self.names = class_names(pipe.classes_)
        self.cropped = args.cropped
        self.quiet = args.quiet
        self.copies = None if args.annotate is None else Path(args.annotate)
        self.reader = Reader(
            image_shape(pipe),
            cropped=args.cropped,
            every=args.every,
            keep_pictures=args.annotate is not None,
        )
        self.n_failures = 0

    def write(self, stream, files):
        """Write the csv of all faces in `files`."""
        # The columns are settled before the first face is seen.
        box_names = _BOX if has_pictures(files) and not self.cropped else ()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["file", "row", "emotion", *self.names, *box_names])
        with self._progress(len(files)) as bar:
            for batch in _batches(self._sources(files, bar)):
                for source, y_prob in self._classify(batch):
                    if source.picture_without_face:
                        self._say(source.file, _NO_FACE)
                    writer.writerows(self._rows(source, y_prob, bool(box_names)))
                    self._annotate(source, y_prob)

    def _sources(self, files, bar):
        for path in files:
            try:
                yield from self.reader.read(path)
            except MissingExtraError:
                raise  # the next picture would need it as well
            except (FERError, OSError) as error:
                self.report(path, error)
            bar.update()

    def _classify(self, batch):
        """Yield each source of the batch with the probabilities of its faces."""
        images = np.concatenate([source.images for source in batch])
        y_prob = np.zeros((0, len(self.names)))
        if len(images):
            y_prob = self.pipe.predict_proba(images)
        ends = np.cumsum([len(source.rows) for source in batch])
        yield from zip(batch, np.split(y_prob, ends[:-1]), strict=True)

    def _rows(self, source, y_prob, with_boxes):
        boxes = source.boxes
        if not with_boxes:
            boxes = [()] * len(y_prob)
        elif boxes is None:
            boxes = [("",) * len(_BOX)] * len(y_prob)
        for row, probabilities, box in zip(source.rows, y_prob, boxes, strict=True):
            emotion = self.names[probabilities.argmax()]
            numbers = (f"{p:.6f}" for p in probabilities)
            yield [source.file, row, emotion, *numbers, *box]

    def _annotate(self, source, y_prob):
        """Save a copy of the picture with boxes, emotions and bars."""
        if source.picture is None:
            return
        copy = photos.annotate(source.picture, source.boxes, y_prob, self.names)
        path = _free_name(self.copies, source)
        write_atomically(path, lambda file: copy.save(file, format="PNG"))

    def report(self, path, error):
        """Count a file that is bad and say why, above the bar if there is one."""
        self.n_failures += 1
        self._say(
            path, getattr(error, "strerror", None) or " ".join(str(error).split())
        )

    def _say(self, path, reason):
        name = "" if reason.startswith(str(path)) else f"{path}: "
        tqdm.write(f"fer-sklearn: {name}{reason}", file=sys.stderr)

    def finish(self, n_inputs):
        """Print how many files were bad; give the exit status."""
        if not self.n_failures:
            return 0
        print(
            f"fer-sklearn: error: {self.n_failures} of {n_inputs} inputs could not be "
            "read",
            file=sys.stderr,
        )
        return 1

    def _progress(self, n_files):
        # Lines of results and a bar on one terminal would run into each other.
        hidden = self.quiet or sys.stdout.isatty() or not sys.stderr.isatty()
        return tqdm(total=n_files, unit="file", disable=hidden, leave=False)


def _batches(sources):
    """Gather sources until there are faces enough; pictures are not kept longer."""
    batch, n_faces = [], 0
    for source in sources:
        batch.append(source)
        n_faces += len(source.rows)
        if n_faces >= _BATCH or source.picture is not None:
            yield batch
            batch, n_faces = [], 0
    if batch:
        yield batch


def _free_name(folder, source):
    """Find a path in `folder` that is not taken; names of several folders may meet."""
    name = source.file.stem
    if source.frame is not None:
        name += f"_{source.frame:06d}"
    path, number = folder / f"{name}.png", 1
    while path.exists():
        number += 1
        path = folder / f"{name}_{number}.png"
    return path
