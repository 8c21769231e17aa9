"""``fer-sklearn predict``: the emotion and the probabilities of each face."""

import sys
from functools import partial
from pathlib import Path
from time import perf_counter

from tqdm import tqdm

from .. import photos
from .._models import image_shape
from .._predict_file import BOX, Part, as_text, csv_writer, predict_parts, read_parts
from .._utils import write_atomically
from ..datasets import class_names
from ..exceptions import FERError, MissingExtraError
from ..photos._crop import crop_faces
from .labelled_faces import read_pixels
from .parser import in_shell
from .run_folder import (
    DEFAULT_MODEL,
    IMAGES,
    TABLES,
    VIDEOS,
    check_output,
    is_model,
    open_model,
)

_REDRAW = 0.1  # seconds between two updates of the progress bar
_NO_FACE = "no face found; --cropped takes the whole picture as one"


def run(args):
    """Predict all faces of all inputs and write them as csv.

    Parameters
    ----------
    args : argparse.Namespace
        With `inputs`, `camera`, `model`, `out`, `cropped`, `annotate`, `every`,
        `smooth`, `runtime`, `threads` and `quiet`.

    Returns
    -------
    status : int
        0, or 1 if a file could not be read.
    """
    if args.camera is not None:
        from . import camera

        return camera.run(args)
    if not args.inputs:
        raise FERError("Say what to predict: files or folders, or --camera.")
    model, inputs = split_model(args.model, args.inputs)
    files, empty = find_files(inputs)
    _check_outputs(args, files)
    pipe = open_model(
        model, runtime=args.runtime, threads=args.threads, quiet=args.quiet
    )
    work = Prediction(pipe, args)
    for folder in empty:
        work.report(folder, "no images in this folder")

    def write_file(file):
        with as_text(file) as text:
            work.write(text, files)

    if args.out is None:
        work.write(sys.stdout, files)
    else:
        write_atomically(args.out, write_file)
    return work.finish(len(files) + len(empty))


def split_model(model, inputs):
    """Separate the model from the inputs, of which it may be the first."""
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
                f"{text} is a model, not faces. Give only one model, as the first "
                "INPUT or with --model."
            )
    return model or DEFAULT_MODEL, inputs


def find_files(inputs):
    """List the files that `inputs` name, and the images in the folders among them.

    Parameters
    ----------
    inputs : list of str
        Files and folders.

    Returns
    -------
    files : list of Path
        The images of a folder are sorted by name.
    empty : list of Path
        Folders without any image.
    """
    files, empty = [], []
    for path in map(Path, inputs):
        found = [path]
        if path.is_dir():
            # Hidden files are left out: macOS puts "._photo.jpg" next to photo.jpg.
            found = sorted(
                file
                for file in path.rglob("*")
                if file.suffix.lower() in IMAGES
                and file.is_file()
                and not file.name.startswith(".")
            )
        files += found
        if not found:
            empty.append(path)
    return files, empty


def _check_outputs(args, files):
    """Check that results can be written before anything is read."""
    check_output(args.out, "--out names the csv")
    if args.out is not None and Path(args.out).suffix.lower() == ".parquet":
        raise FERError(
            f"--out writes a csv, and {args.out} has the suffix of Parquet. Use .csv, "
            "or fer_sklearn.predict_file in Python, which writes both."
        )
    if args.annotate is not None:
        if files and all(map(_is_table, files)):
            raise FERError(
                "--annotate marks faces in pictures and videos, and there are none "
                "among the inputs."
            )
        folder = Path(args.annotate)
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise FERError(
                f"{folder} is not empty; name a new folder for the annotated copies."
            )


def _is_table(path):
    return path.suffix.lower() in TABLES


class Prediction:
    """One call of ``fer-sklearn predict``.

    Parameters
    ----------
    pipe : Pipeline or OnnxModel
        Fitted.
    args : argparse.Namespace
        With `out`, `cropped`, `annotate`, `every`, `smooth`, `min_confidence` and
        `quiet`.

    Attributes
    ----------
    n_failures, n_faces, n_copies, n_frames : int
        Number of inputs that could not be read, and of faces, annotated copies and
        frames of videos so far.
    video_seconds : float
        Time that the frames took.
    """

    def __init__(self, pipe, args):
        self.pipe = pipe
        self.args = args
        self.names = class_names(pipe)
        self.image_shape = image_shape(pipe)
        self.n_failures = self.n_faces = self.n_copies = self.n_frames = 0
        self.video_seconds = 0.0

    def write(self, stream, files):
        """Write the csv of all faces in `files`."""
        # A column is there if an input needs it; that is known from the suffixes.
        suffixes = {path.suffix.lower() for path in files}
        needed = {
            "row": suffixes & TABLES,
            "frame": suffixes & VIDEOS,
            "face": suffixes - TABLES,
        }
        places = [column for column in needed if needed[column]]
        boxes = BOX if needed["face"] and not self.args.cropped else ()
        sure = self.args.min_confidence
        write = csv_writer(stream, self.names, places, boxes, min_confidence=sure)
        # Results and a progress bar on the same terminal would overwrite each other.
        hidden = self.args.quiet or (stream is sys.stdout and sys.stdout.isatty())
        with FaceProgress(len(files), hidden=hidden) as progress:
            parts = self._read(files, progress)
            for part, rows, y_prob, _ in predict_parts(self.pipe, parts):
                is_photo = part.start is None and part.frame is None
                if is_photo and len(part) == 0:
                    self._say(part.path, _NO_FACE)
                if part.smooth is not None:
                    y_prob = part.smooth(y_prob)
                write(part, rows, y_prob)
                if part.picture is not None:
                    self._annotate(part, y_prob)

    def _read(self, files, progress):
        """Yield the parts of all files; report files that cannot be read."""
        for index, path in enumerate(files):
            try:
                read = self._read_table if _is_table(path) else self._read_pictures
                for part in read(path):
                    yield part
                    # Here the part is predicted, or collected for the next prediction.
                    self.n_faces += len(part)
                    progress.update(self.n_faces, index + min(part.done, 1))
            except MissingExtraError:
                raise  # the next picture would need it as well
            except (FERError, OSError) as error:
                self.report(path, getattr(error, "strerror", None) or error)
            progress.update(self.n_faces, index + 1)

    def _read_table(self, path):
        for part in read_parts(path):
            part.X = read_pixels(part, self.image_shape)
            yield part

    def _read_pictures(self, path):
        if path.suffix.lower() not in VIDEOS:
            yield self._find_faces(path, photos.read_photo(path))
            return
        tracker = photos.FaceTracker(smooth=self.args.smooth or 0)
        detector, start = photos.VideoFaceDetector(), perf_counter()
        for frame in photos.read_video(path, every=self.args.every):
            detect = partial(detector, seconds=frame.seconds)
            part = self._find_faces(path, frame.image, detect)
            part.faces = tracker.follow(part.boxes, frame.seconds)
            # Probabilities are known later, when a batch of faces is complete.
            part.smooth = partial(tracker.average, part.faces, frame.seconds)
            # The number of frames is not known in advance, so neither is the progress.
            part.frame, part.done = frame.index, 0.0
            yield part
            self.n_frames += 1
        self.video_seconds += perf_counter() - start

    def _find_faces(self, path, picture, detector=None):
        try:
            crops = crop_faces(
                [picture],
                image_shape=self.image_shape,
                cropped=self.args.cropped or "auto",
                detector=detector,
            )
        except MissingExtraError as error:
            raise MissingExtraError(
                f"{path}: {error}. With --cropped, each picture is taken as one face."
            ) from error
        kept = None if self.args.annotate is None else picture
        return Part(path, crops.images, boxes=crops.boxes, picture=kept)

    def _annotate(self, part, y_prob):
        """Save a copy of the picture with boxes, emotions and bars."""
        copy = photos.annotate(
            part.picture,
            part.boxes,
            y_prob,
            self.names,
            min_confidence=self.args.min_confidence,
        )
        path = _free_name(Path(self.args.annotate), part)
        write_atomically(path, lambda file: copy.save(file, format="PNG"))
        self.n_copies += 1

    def report(self, path, reason):
        """Count an input that cannot be read, and say why."""
        self.n_failures += 1
        self._say(path, in_shell(" ".join(str(reason).split())))

    def _say(self, path, reason):
        """Print a line above the progress bar, if there is one."""
        is_named = reason.startswith(str(path)) or f" of {path}" in reason
        name = "" if is_named else f"{path}: "
        tqdm.write(f"fer-sklearn: {name}{reason}", file=sys.stderr)

    def finish(self, n_inputs):
        """Print what was written where, and how many inputs could not be read.

        Returns
        -------
        status : int
            The exit status.
        """
        written = []
        if self.args.out is not None:
            faces, files = self.n_faces, n_inputs - self.n_failures
            count = f"{_number(faces, 'face')} of {_number(files, 'file')}"
            written.append(f"{count} to {self.args.out}")
        if self.args.annotate is not None:
            copies = _number(self.n_copies, "annotated picture")
            written.append(f"{copies} to {self.args.annotate}")
        if written and not self.args.quiet:
            print(f"fer-sklearn: wrote {', '.join(written)}", file=sys.stderr)
        if self.video_seconds and not self.args.quiet:
            rate = f"{self.n_frames / self.video_seconds:.0f} per second"
            frames = _number(self.n_frames, "frame")
            print(f"fer-sklearn: {frames}, {rate}", file=sys.stderr)
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
        Number of files to predict.
    hidden : bool, default=False
        Whether to show nothing.
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
            leave=False,
            dynamic_ncols=True,
            disable=hidden or not stream.isatty(),
            mininterval=_REDRAW,
            miniters=0,  # otherwise small steps after a large one are not shown
        )

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._bar.close()

    def update(self, n_faces, n_files):
        """Show the numbers of faces and files; half a file counts as 0.5."""
        self._bar.set_description_str(f"{n_faces:,} faces", refresh=False)
        self._bar.update(n_files - self._bar.n)


def _number(count, noun):
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _free_name(folder, part):
    """Choose a path in `folder` that does not exist yet.

    Photos of the same name in two folders give photo.png and photo_2.png; frame 7 of
    film.mp4 gives film_000007.png.
    """
    name = part.path.stem
    if part.frame is not None:
        name += f"_{part.frame:06d}"
    path, number = folder / f"{name}.png", 1
    while path.exists():
        number += 1
        path = folder / f"{name}_{number}.png"
    return path
