"""predict_file: emotions of more faces than fit in memory.

Everything goes through in parts: read some rows of a table, predict on them in this
process or on the workers of a Dask cluster, write the answers, read the next rows. The
command line sends pictures and frames of videos along the same path.
"""

import csv
import io
import warnings
from collections import deque
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from numbers import Integral, Real
from pathlib import Path

import numpy as np

from ._utils import require, write_atomically
from .datasets import class_names
from .datasets._emotions import most_probable
from .exceptions import DataFileError, FERError, PixelStringError

__all__ = ["predict_file"]

# Two batches of a prediction; 4 MB of text at 48x48 pixels.
CHUNK_ROWS = 512

BOX = ("x", "y", "width", "height")

_COLUMNS = "emotion,pixels,Usage (emotion and Usage may be missing)"

# Bytes of a parquet column read at a time; without a buffer, pyarrow holds the column
# of a whole row group.
_BUFFER_BYTES = 1 << 20

# Parquet stores statistics for each row group, so small parts are collected into one.
_ROWS_IN_GROUP = 65_536


def predict_file(
    model,
    source,
    out,
    *,
    min_confidence=0.0,
    chunk_size=CHUNK_ROWS,
    on_error="raise",
    client=None,
):
    """Predict on files of any size, in constant memory.

    The files are read in chunks of rows. The model predicts on each chunk, in this
    process or on the workers of a Dask cluster, and the answers are written in the
    order of the rows. `out` appears when it is complete: if anything goes wrong, an
    earlier file of that name is still there.

    Parameters
    ----------
    model : Pipeline or path-like
        A fitted pipeline that takes pixel strings, or the path of a model file
        (.fer or .onnx). Workers receive it once, by pickle, and need no file.
    source : path-like or list of path-like
        Files with a column of pixel strings called pixels: csv in all forms that
        `load_fer2013` reads, compressed or not, or parquet. Other columns are ignored.
    out : path-like
        The file to write, .csv or .parquet. Its columns are those of
        ``fer-sklearn predict``: file, row (in the file, from 0), emotion, and the
        probability of each class.
    min_confidence : float, default=0.0
        From 0 to 1. Where the largest probability is below it, the emotion is written
        as "uncertain".
    chunk_size : int, default=512
        Number of rows in a chunk. With `client`, two chunks per thread of the cluster
        are in memory at once.
    on_error : {"raise", "skip"}, default="raise"
        What to do with a row that does not hold a face. ``"raise"`` stops with an error
        that names the row, and writes nothing; ``"skip"`` leaves such rows out and
        warns at the end.
    client : distributed.Client, default=None
        Client of a Dask cluster whose workers predict, such as `dask_cluster` gives.
        None predicts in this process.

    Returns
    -------
    n_rows : int
        Number of rows written.

    Raises
    ------
    PixelStringError
        If a row does not hold a face and `on_error` is "raise".
    DataFileError
        If a source cannot be read, has no pixels column, or holds no faces.
    FERError
        If a parameter is out of range.
    OSError
        If a source is missing, or `out` cannot be written.
    MissingExtraError
        If a file is parquet and pyarrow is not installed.

    Warns
    -----
    UserWarning
        If rows were left out.

    See Also
    --------
    fer_sklearn.distributed.dask_cluster : Use the machines of a cluster.

    Notes
    -----
    With `client`, this process reads and writes, and the workers do the rest: they
    need no access to the files. One core reads about 24,000 faces of 48x48 pixels per
    second from csv and 40,000 from parquet, as much as about twenty worker threads
    predict.

    Examples
    --------
    >>> import pandas as pd, tempfile
    >>> from fer_sklearn import make_faces, make_fer_pipeline, predict_file
    >>> faces = make_faces(70, image_shape=(16, 16), random_state=0)
    >>> pipe = make_fer_pipeline("nano", image_shape=(16, 16), max_epochs=1)
    >>> pipe = pipe.fit(faces.data, faces.target)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     source, out = f"{folder}/faces.csv", f"{folder}/emotions.csv"
    ...     pd.DataFrame({"pixels": faces.data}).to_csv(source)
    ...     print(predict_file(pipe, source, out))
    ...     list(pd.read_csv(out))[1:5]
    70
    ['row', 'emotion', 'angry', 'disgust']
    """
    sources = _check_parameters(source, out, min_confidence, chunk_size, on_error)
    open_writer = _writer_for(out)
    model = _open_model(model)
    n_rows = n_left_out = 0
    first_errors: list[str] = []

    def write_all(file):
        nonlocal n_rows, n_left_out
        parts = (part for path in sources for part in read_parts(path, chunk_size))
        answers = predict_parts(model, parts, skip=on_error == "skip", client=client)
        with open_writer(file, class_names(model), min_confidence) as write:
            for part, rows, y_prob, errors in answers:
                write(part, rows, y_prob)
                n_rows += len(rows)
                n_left_out += len(errors)
                first_errors.extend(map(str, errors[: 3 - len(first_errors)]))
        if n_rows == 0:
            raise DataFileError(f"No row holds a face. {first_errors[0]}")

    write_atomically(out, write_all)
    if n_left_out:
        warnings.warn(
            f"{n_left_out} of {n_left_out + n_rows} rows do not hold a face and were "
            f"left out. {' '.join(first_errors)}",
            UserWarning,
            stacklevel=2,
        )
    return n_rows


def _check_parameters(source, out, min_confidence, chunk_size, on_error):
    """Check what can be checked before hours of work; return the sources as a list."""
    if not isinstance(min_confidence, Real) or not 0 <= min_confidence <= 1:
        raise FERError(
            f"min_confidence must be a number from 0 to 1, got {min_confidence!r}."
        )
    if on_error not in ("raise", "skip"):
        raise FERError(f"on_error must be 'raise' or 'skip', got {on_error!r}.")
    if not isinstance(chunk_size, Integral) or chunk_size < 1:
        raise FERError(
            f"chunk_size must be a whole number of at least 1, got {chunk_size!r}."
        )
    sources = source if isinstance(source, list | tuple) else [source]
    sources = [Path(path) for path in sources]
    if not sources:
        raise FERError("source is empty; name at least one csv or parquet file.")
    for path in sources:
        if not path.is_dir():
            path.open("rb").close()  # raises if it is missing or may not be read
        if Path(out).exists() and path.samefile(out):
            raise FERError(f"{out} is also a source. Write to another file.")
    if not Path(out).parent.is_dir():
        raise FERError(f"{Path(out).parent} is not a folder. Create it first.")
    return sources


def _open_model(model):
    """Return a fitted pipeline: the model itself, or read from its file."""
    if hasattr(model, "predict_proba"):
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(model)
        return model
    from ._models import load_model

    return load_model(model)


# -- reading -------------------------------------------------------------------------


@dataclass
class Part:
    """Faces of one file: some rows of a table, or those in one picture or frame.

    Attributes
    ----------
    path : Path
        The file.
    X : list of str, or ndarray of shape (n_faces, height, width), dtype uint8
        Pixel strings, not yet checked, or faces.
    start : int or None, default=None
        Row of the table that is the first here, from 0; None for pictures.
    frame : int or None, default=None
        Number of the frame, if the file is a video.
    boxes : ndarray of shape (n_faces, 4), dtype int, or None
        x, y, width, height of each face in its picture; None for a table.
    faces : ndarray of shape (n_faces,), dtype int, or None
        Number of each face, if the file is a video; None counts from 0.
    smooth : callable or None, default=None
        Called with the probabilities of a frame, gives those to write.
    picture : ndarray of shape (height, width, 3), dtype uint8, or None
        The picture or frame itself, if it is needed later.
    done : float, default=1.0
        Fraction of the file that has been read up to here; 0 if unknown.
    """

    path: Path
    X: list | np.ndarray
    start: int | None = None
    frame: int | None = None
    boxes: np.ndarray | None = None
    faces: np.ndarray | None = None
    smooth: Callable | None = None
    picture: np.ndarray | None = None
    done: float = 1.0

    def __len__(self):
        return len(self.X)

    def columns(self):
        """Return the columns that say where each face is in the file, by name."""
        if self.start is not None:
            return {"row": np.arange(self.start, self.start + len(self))}
        faces = np.arange(len(self)) if self.faces is None else self.faces
        columns = {"face": faces}
        if self.frame is not None:
            columns["frame"] = np.full(len(self), self.frame)
        return columns | dict(zip(BOX, self.boxes.T, strict=True))

    def locate(self, error, row=None):
        """Turn an error about a row of `X` into one about a row of the file.

        If rows 512 to 1023 are here, row 3 of X is row 515 of the file.
        """
        row = error.row if row is None else row
        if row is None:
            last = self.start + len(self) - 1
            return PixelStringError(
                f"Rows {self.start} to {last} of {self.path}: {error.reason}",
                cure=error.cure,
            )
        return error.renamed(f"{self.path} (counted from 0)", row=self.start + row)


def read_parts(path, n_rows=None):
    """Read a csv or parquet file with a pixels column in parts.

    Parameters
    ----------
    path : path-like
        A csv as `load_fer2013` reads it, or a parquet file.
    n_rows : int, default=None
        Number of rows in a part; None means `CHUNK_ROWS`.

    Yields
    ------
    Part
        With pixel strings that are not yet checked; missing ones are None or NaN.

    Raises
    ------
    DataFileError
        If the file is neither csv nor parquet, or has no pixels column or no rows.
    OSError
        If the file is missing or may not be read.
    """
    path = Path(path)
    read = _read_parquet if path.suffix.casefold() in (".parquet", ".pq") else _read_csv
    start = 0
    for strings, done in read(path, n_rows or CHUNK_ROWS):
        if strings:
            yield Part(path, strings, start=start, done=done)
            start += len(strings)
    if start == 0:
        raise DataFileError(f"{path} has column names, but no rows.")


def _read_csv(path, n_rows):
    from .datasets._fer2013 import read_table_in_parts  # imports pandas

    # The length of the cells so far, over the size of the file, tells how far it is
    # read. This does not work for compressed files.
    plain = path.suffix.casefold() == ".csv"
    n_bytes = path.stat().st_size if plain else float("inf")
    n_read = 0
    for table in read_table_in_parts(path, _COLUMNS, n_rows, dtype=str):
        _find_pixels(path, table.columns)
        n_read += sum(len(str(cell)) + 1 for cell in table.to_numpy().ravel())
        yield table["pixels"].tolist(), n_read / n_bytes


def _read_parquet(path, n_rows):
    parquet = require("pyarrow.parquet", extra="distributed")
    arrow = require("pyarrow", extra="distributed")
    if path.is_dir():
        raise DataFileError(f"{path} is a folder. Name the files in it, in order.")
    try:
        options = {"pre_buffer": False, "buffer_size": _BUFFER_BYTES}
        with parquet.ParquetFile(path, **options) as file:
            name = _find_pixels(path, file.schema_arrow.names)
            n_read = 0
            for batch in file.iter_batches(n_rows, columns=[name], use_threads=False):
                n_read += len(batch)
                yield batch.column(0).to_pylist(), n_read / file.metadata.num_rows
    except arrow.ArrowInvalid as error:
        raise DataFileError(
            f"{path} is not a parquet file or is damaged ({error}). Write or copy it "
            "again."
        ) from error


def _find_pixels(path, names):
    """Return the name of the pixels column as the file writes it, such as " Pixels"."""
    for name in names:
        if name.strip().casefold() == "pixels":
            return name
    raise DataFileError(
        f"{path} has no pixels column, its columns are: {', '.join(names)[:200]}. "
        f"Expected {_COLUMNS}."
    )


# -- prediction ----------------------------------------------------------------------


def predict_parts(model, parts, *, skip=False, client=None):
    """Predict on parts and yield the answers in the order of the parts.

    Parameters
    ----------
    model : Pipeline
        Fitted.
    parts : iterable of Part
        Read only as far ahead as the cluster can keep up with.
    skip : bool, default=False
        Leave out rows that do not hold a face.
    client : distributed.Client, default=None
        Its workers predict; None predicts in this process.

    Yields
    ------
    part : Part
    rows : ndarray of int
        The rows of the part that were predicted.
    y_prob : ndarray of shape (n_rows, n_classes)
        Their probabilities.
    errors : list of PixelStringError
        One for each row that was left out.

    Raises
    ------
    PixelStringError
        If a row does not hold a face and `skip` is False.
    """
    # `submit(X, skip)` gives a function that returns the answer: on a cluster it waits
    # for a worker; here it is a partial that starts to work when it is called.
    submit, n_ahead = partial(partial, predict_rows, model), 0
    if client is not None:
        submit, n_ahead = _submit_to_workers(client, model)
    waiting = deque()
    for batch in _batches(parts):
        X = batch[0].X if len(batch) == 1 else np.concatenate([p.X for p in batch])
        waiting.append((batch, submit(X, skip)))
        if len(waiting) > n_ahead:
            yield from _answers(*waiting.popleft())
    while waiting:
        yield from _answers(*waiting.popleft())


def _batches(parts):
    """Collect pictures, which hold few faces each, into larger batches.

    Rows of a table are a batch of their own. A picture that is kept is not held back,
    because it takes more memory than its faces.
    """
    batch = []
    for part in parts:
        if batch and part.start is not None:
            yield batch
            batch = []
        batch.append(part)
        at_once = part.start is not None or part.picture is not None
        if at_once or sum(map(len, batch)) >= CHUNK_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


def _submit_to_workers(client, model):
    """Return a function that sends rows to workers, and how many may be sent ahead."""
    dask = require("dask", extra="distributed")
    # The model is the result of a task, not scattered data: if every worker that has it
    # dies, Dask runs the task again.
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"}):
        sent = client.submit(_itself, model, pure=False)

    def submit(X, skip):
        return client.submit(predict_rows, sent, X, skip, pure=False).result

    return submit, 2 * sum(client.nthreads().values())


def _itself(model):
    return model


def _answers(batch, get_answer):
    """Divide the answer for a batch among its parts."""
    try:
        kept, y_prob, errors = get_answer()
    except PixelStringError as error:  # from a table, which is a batch of its own
        raise batch[0].locate(error) from error
    left_out = np.setdiff1d(np.arange(sum(map(len, batch))), kept)
    errors = [batch[0].locate(*pair) for pair in zip(errors, left_out, strict=True)]
    start = 0
    for part in batch:
        own = (start <= kept) & (kept < start + len(part))
        yield part, kept[own] - start, y_prob[own], errors
        start += len(part)


def predict_rows(model, X, skip):
    """Return rows of X, their probabilities, and the errors of rows left out.

    Bad rows are found by halving: of 8 rows with a bad row 5, rows 0-3 are predicted,
    rows 4-7 fail and are halved again, until row 5 is alone. This costs little, because
    strings are checked before the network runs.
    """
    nothing = np.empty((0, len(model.classes_)), dtype=np.float32)
    if len(X) == 0:
        return np.arange(0), nothing, []
    try:
        return np.arange(len(X)), model.predict_proba(X), []
    except PixelStringError as error:
        if not skip:
            raise
        if len(X) == 1:
            return np.arange(0), nothing, [error]
    half = len(X) // 2
    rows, y_prob, errors = predict_rows(model, X[:half], skip)
    more_rows, more_prob, more_errors = predict_rows(model, X[half:], skip)
    return (
        np.concatenate([rows, half + more_rows]),
        np.concatenate([y_prob, more_prob]),
        errors + more_errors,
    )


# -- writing -------------------------------------------------------------------------


def _writer_for(path):
    """Choose how a file is written by its suffix."""
    suffix = Path(path).suffix.casefold()
    if suffix == ".csv":
        return _csv_file_writer
    if suffix == ".parquet":
        require("pyarrow.parquet", extra="distributed")
        return _parquet_writer
    raise FERError(f"{path} must end in .csv or .parquet.")


def csv_writer(stream, names, places=("row",), boxes=(), *, min_confidence=0.0):
    """Write the header of a csv and return a function that writes answers.

    Parameters
    ----------
    stream : text file
    names : list of str
        Names of the classes.
    places : sequence of str, default=("row",)
        Columns that say where a face is: "row", "frame", "face".
    boxes : sequence of str, default=()
        `BOX` to write the boxes of the faces as well.
    min_confidence : float, default=0.0
        Below this probability, the emotion is "uncertain".

    Returns
    -------
    callable
        ``write(part, rows, y_prob)``; cells without a value are left empty.

    Notes
    -----
    No cell is a formula for a spreadsheet, which starts with =, +, - or @. A class
    ``=x`` of a model is written as ``'=x``, a file ``=x.csv`` as ``./=x.csv``.
    """
    names = [f"'{name}" if _is_formula(name) else name for name in names]
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["file", *places, "emotion", *names, *boxes])

    def write(part, rows, y_prob):
        columns = part.columns()
        path = str(part.path)
        path = f"./{path}" if _is_formula(path) else path
        nothing = np.full(len(part), "")
        before = [columns.get(name, nothing)[rows] for name in places]
        after = [columns.get(name, nothing)[rows] for name in boxes]
        for index, probabilities in enumerate(y_prob):
            writer.writerow(
                [
                    path,
                    *(column[index] for column in before),
                    most_probable(probabilities, names, min_confidence),
                    *(f"{p:.6f}" for p in probabilities),
                    *(column[index] for column in after),
                ]
            )

    return write


def _is_formula(text):
    """Whether a spreadsheet would run a cell; the number -1 it only shows."""
    try:
        float(text)
    except ValueError:
        return text.startswith(("=", "+", "-", "@"))
    return False


@contextmanager
def as_text(file):
    """Give a text file on top of a binary one, which stays open for its owner."""
    text = io.TextIOWrapper(file, "utf-8", newline="")
    yield text
    text.detach()  # flushes


@contextmanager
def _csv_file_writer(file, names, min_confidence):
    with as_text(file) as text:
        yield csv_writer(text, names, min_confidence=min_confidence)


@contextmanager
def _parquet_writer(file, names, min_confidence):
    arrow = require("pyarrow", extra="distributed")
    parquet = require("pyarrow.parquet", extra="distributed")
    text = arrow.string()
    columns = [("file", text), ("row", arrow.int64()), ("emotion", text)]
    schema = arrow.schema([*columns, *((name, arrow.float32()) for name in names)])
    waiting = []

    def write(part, rows, y_prob):
        emotions = [most_probable(row, names, min_confidence) for row in y_prob]
        places = part.columns()["row"][rows]
        values = [[str(part.path)] * len(rows), places, emotions]
        values += list(y_prob.astype(np.float32).T)
        arrays = [
            arrow.array(v, field.type) for v, field in zip(values, schema, strict=True)
        ]
        waiting.append(arrow.record_batch(arrays, schema=schema))
        if sum(map(len, waiting)) >= _ROWS_IN_GROUP:
            flush()

    def flush():
        table.write_table(arrow.Table.from_batches(waiting, schema))
        waiting.clear()

    with parquet.ParquetWriter(file, schema) as table:
        yield write
        flush()
