"""From files to rows of a csv, with annotated copies on request."""

import csv
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from .. import photos
from .._models import image_shape
from .._utils import write_atomically
from ..datasets import class_names
from ..exceptions import FERError, MissingExtraError
from ._sources import Reader, has_pictures, place_columns

_BATCH = 512
_REDRAW = 0.1  # seconds between two pictures of the bar
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
    n_failures, n_faces, n_copies : int
        Inputs that could not be read, faces and annotated copies written so far.
    """

    def __init__(self, pipe, args):
        self.pipe = pipe
        self.names = class_names(pipe)
        self.cropped = args.cropped
        self.quiet = args.quiet
        self.copies = None if args.annotate is None else Path(args.annotate)
        self.reader = Reader(
            image_shape(pipe),
            cropped=args.cropped,
            every=args.every,
            keep_pictures=args.annotate is not None,
        )
        self.n_failures = self.n_faces = self.n_copies = 0

    def write(self, stream, files):
        """Write the csv of all faces in `files`."""
        # The columns are settled before the first face is seen.
        places = place_columns(files)
        box_names = _BOX if has_pictures(files) and not self.cropped else ()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["file", *places, "emotion", *self.names, *box_names])
        # Lines of results and a bar on one terminal would run into each other.
        hidden = self.quiet or (stream is sys.stdout and sys.stdout.isatty())
        with FaceProgress(len(files), hidden=hidden) as progress:
            for batch in _batches(self._sources(files, progress)):
                for source, y_prob in self._classify(batch):
                    if source.picture_without_face:
                        self._say(source.file, _NO_FACE)
                    rows = self._rows(source, y_prob, places, bool(box_names))
                    writer.writerows(rows)
                    self._annotate(source, y_prob)

    def _sources(self, files, progress):
        for index, path in enumerate(files):
            try:
                for source in self.reader.read(path):
                    yield source
                    # It is in a batch now, or that batch is done.
                    self.n_faces += len(source.images)
                    progress.update(self.n_faces, index + source.done)
            except MissingExtraError:
                raise  # the next picture would need it as well
            except (FERError, OSError) as error:
                self.report(path, error)

    def _classify(self, batch):
        """Yield each source of the batch with the probabilities of its faces."""
        images = np.concatenate([source.images for source in batch])
        y_prob = np.zeros((0, len(self.names)))
        if len(images):
            y_prob = self.pipe.predict_proba(images)
        ends = np.cumsum([len(source.images) for source in batch])
        yield from zip(batch, np.split(y_prob, ends[:-1]), strict=True)

    def _rows(self, source, y_prob, columns, with_boxes):
        boxes = source.boxes
        nowhere = [""] * len(y_prob)
        places = zip(*(source.places.get(c, nowhere) for c in columns), strict=True)
        if not with_boxes:
            boxes = [()] * len(y_prob)
        elif boxes is None:
            boxes = [("",) * len(_BOX)] * len(y_prob)
        for place, probabilities, box in zip(places, y_prob, boxes, strict=True):
            emotion = self.names[probabilities.argmax()]
            numbers = (f"{p:.6f}" for p in probabilities)
            yield [source.file, *place, emotion, *numbers, *box]

    def _annotate(self, source, y_prob):
        """Save a copy of the picture with boxes, emotions and bars."""
        if source.picture is None:
            return
        copy = photos.annotate(source.picture, source.boxes, y_prob, self.names)
        path = _free_name(self.copies, source)
        write_atomically(path, lambda file: copy.save(file, format="PNG"))
        self.n_copies += 1

    def report(self, path, error):
        """Count a file that is bad and say why, above the bar if there is one."""
        self.n_failures += 1
        self._say(
            path, getattr(error, "strerror", None) or " ".join(str(error).split())
        )

    def _say(self, path, reason):
        name = "" if reason.startswith(str(path)) else f"{path}: "
        tqdm.write(f"fer-sklearn: {name}{reason}", file=sys.stderr)

    def finish(self, n_inputs, out=None):
        """Print what was written where and how many files were bad.

        Returns
        -------
        status : int
            The exit status.
        """
        written = []
        if out is not None:
            files = _number(n_inputs - self.n_failures, "file")
            written.append(f"{_number(self.n_faces, 'face')} of {files} to {out}")
        if self.copies is not None:
            copies = _number(self.n_copies, "annotated picture")
            written.append(f"{copies} to {self.copies}")
        if written and not self.quiet:
            print(f"fer-sklearn: wrote {', '.join(written)}", file=sys.stderr)
        if not self.n_failures:
            return 0
        print(
            f"fer-sklearn: error: {self.n_failures} of {n_inputs} inputs could not be "
            "read",
            file=sys.stderr,
        )
        return 1


class FaceProgress:
    """Shows on a terminal how many faces are predicted, and the time left.

    Parameters
    ----------
    n_files : int
        Number of files to go through.
    hidden : bool, default=False
        Whether nothing is shown.
    stream : file, default=None
        Where to write; None is standard error.
    """

    def __init__(self, n_files, *, hidden=False, stream=None):
        stream = stream or sys.stderr
        self._bar = tqdm(
            total=float(n_files),
            desc="0 faces",
            bar_format="{desc} {percentage:3.0f}%|{bar}| {remaining} left",
            file=stream,
            disable=hidden or not stream.isatty(),
            leave=False,
            dynamic_ncols=True,
            mininterval=_REDRAW,
            miniters=0,  # else small steps after a large one are not shown
        )

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._bar.close()

    def update(self, n_faces, n_files):
        """Show the faces and files so far; a part of a file counts as a part of one."""
        self._bar.set_description_str(f"{n_faces:,} faces", refresh=False)
        self._bar.update(n_files - self._bar.n)


def _batches(sources):
    """Gather sources until there are faces enough; pictures are not kept longer."""
    batch, n_faces = [], 0
    for source in sources:
        batch.append(source)
        n_faces += len(source.images)
        if n_faces >= _BATCH or source.picture is not None:
            yield batch
            batch, n_faces = [], 0
    if batch:
        yield batch


def _number(count, noun):
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


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
