"""predict_file: the emotions of more faces than fit in memory."""

import warnings
from contextlib import nullcontext
from numbers import Integral
from pathlib import Path

from sklearn.utils.validation import check_is_fitted

from .._models import load_model
from .._utils import write_atomically
from ..datasets import class_names
from ..exceptions import DataFileError, FERError
from ._chunks import predict_chunks, read_chunks
from ._cluster import connected
from ._writing import writer_for

__all__ = ["predict_file"]

# Two batches of a prediction, 4 MB of text at 48x48 pixels.
_CHUNK_ROWS = 512


def predict_file(
    model,
    source,
    out,
    *,
    address=None,
    timeout=5,
    chunk_size=_CHUNK_ROWS,
    on_error="raise",
):
    """Predict on files of any size, in constant memory.

    The files are read some rows at a time. A pipeline predicts on these, here or on
    the workers of a Dask cluster, and the answers are written in the order of the
    rows. `out` appears when it is complete: whatever happens, there is either what
    was there before or the whole.

    Parameters
    ----------
    model : Pipeline, str or path-like
        A fitted pipeline that takes pixel strings, or the name or path of a model,
        see `load_model`. It goes to each worker once, by pickle: the file need not be
        there.
    source : path-like or list of path-like
        Files with a column of pixel strings called pixels: csv in all forms that
        `load_fer2013` reads, also packed, or parquet. Other columns do no harm.
    out : path-like
        The file to write; its suffix, .csv or .parquet, says how. Its columns are
        those of ``fer-sklearn predict``: file, row (in the file, from 0), emotion, and
        the probability of each class.
    address : str, distributed.Client or cluster, default=None
        Address of a Dask scheduler, or a client or cluster object; None predicts in
        this process.
    timeout : float, default=5
        Seconds to wait for the scheduler, and for its first worker.
    chunk_size : int, default=512
        Rows at a time. As many as two chunks a thread of the cluster are on their way
        at once; that is what memory is needed for.
    on_error : {"raise", "skip"}, default="raise"
        What to do with a row that is no face: stop with an error that names it and
        write nothing, or leave it out with one warning at the end.

    Returns
    -------
    n_rows : int
        Rows written.

    Raises
    ------
    PixelStringError
        If a row is no face and `on_error` is "raise".
    DataFileError
        If a source cannot be read or has no pixels column.
    FERError
        If a parameter is out of range, or the cluster cannot be used.
    OSError
        If a source is missing, or `out` cannot be written.

    Warns
    -----
    UserWarning
        If rows were left out.

    See Also
    --------
    dask_cluster : Run a search on a cluster.

    Notes
    -----
    This process reads and writes, the workers do all else: they see no files, and
    need no disk in common. A core reads about 24,000 faces of 48x48 pixels a second
    from csv and 40,000 from parquet, as much as some twenty threads of workers
    predict.

    Examples
    --------
    >>> import pandas as pd, tempfile
    >>> from fer_sklearn import make_faces, make_fer_pipeline
    >>> from fer_sklearn.distributed import predict_file
    >>> faces = make_faces(70, image_shape=(16, 16), random_state=0)
    >>> pipe = make_fer_pipeline("nano", image_shape=(16, 16), max_epochs=1)
    >>> pipe = pipe.fit(faces.data, faces.target)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     source, out = f"{folder}/faces.csv", f"{folder}/emotions.parquet"
    ...     pd.DataFrame({"pixels": faces.data}).to_csv(source)
    ...     print(predict_file(pipe, source, out))
    ...     list(pd.read_parquet(out))[1:5]
    70
    ['row', 'emotion', 'angry', 'disgust']
    """
    sources = _check_parameters(source, out, chunk_size, on_error)
    open_writer = writer_for(out)
    model = _open_model(model)
    names = class_names(model)
    left_out = _LeftOut()
    n_rows = 0

    def write_all(file):
        nonlocal n_rows
        chunks = read_chunks(sources, chunk_size)
        cluster = nullcontext() if address is None else connected(address, timeout)
        with cluster as client, open_writer(file, names) as write:
            answers = predict_chunks(
                model, chunks, skip=on_error == "skip", client=client
            )
            for chunk, rows, y_prob, errors in answers:
                write(str(chunk.path), rows, y_prob)
                n_rows += len(rows)
                left_out.add(errors)
        if n_rows == 0:
            raise DataFileError(f"No row is a face. {left_out.first[0]}")

    write_atomically(out, write_all)
    left_out.warn(n_rows)
    return n_rows


def _check_parameters(source, out, chunk_size, on_error):
    """Check what can be checked before anything is opened; give the sources."""
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
        # Opened once here, for an error before hours of work rather than after.
        if not path.is_dir():
            path.open("rb").close()
        if Path(out).exists() and path.samefile(out):
            raise FERError(f"{out} is a source as well; write to another file.")
    if not Path(out).parent.is_dir():
        raise FERError(f"{Path(out).parent} is no folder; make it first.")
    return sources


def _open_model(model):
    """Give a fitted pipeline: itself, or from its file."""
    if hasattr(model, "predict_proba"):
        check_is_fitted(model)
        return model
    return load_model(model)


class _LeftOut:
    """Rows that were left out: how many, and what is wrong with the first."""

    def __init__(self):
        self.count = 0
        self.first = []

    def add(self, errors):
        self.count += len(errors)
        self.first += errors[: 3 - len(self.first)]

    def warn(self, n_rows):
        if self.count:
            warnings.warn(
                f"{self.count} of {self.count + n_rows} rows are no faces and were "
                "left out. " + " ".join(self.first),
                UserWarning,
                stacklevel=3,
            )
