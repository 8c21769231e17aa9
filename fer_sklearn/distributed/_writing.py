"""Predictions into csv or parquet, some rows at a time."""

import csv
import io
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from .._utils import require
from ..exceptions import FERError

# A parquet file keeps a record of each of its row groups: some rows go into one.
_ROWS_IN_GROUP = 65_536


def writer_for(path):
    """Choose how a file is written, by its suffix.

    Parameters
    ----------
    path : path-like
        Ends in .csv or .parquet.

    Returns
    -------
    callable
        Called with an open binary file and the names of the classes, it is a context
        that gives a function ``write(file_name, rows, y_prob)``.

    Raises
    ------
    FERError
        If the suffix is another one.
    """
    suffix = Path(path).suffix.casefold()
    if suffix == ".csv":
        return _csv_writer
    if suffix == ".parquet":
        require("pyarrow.parquet", extra="distributed")
        return _parquet_writer
    raise FERError(f"{path} must end in .csv or .parquet, the forms that are written.")


@contextmanager
def _csv_writer(file, names):
    text = io.TextIOWrapper(file, "utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "row", "emotion", *names])

    def write(source, rows, y_prob):
        for row, probabilities in zip(rows, y_prob, strict=True):
            numbers = (f"{p:.6f}" for p in probabilities)
            writer.writerow([source, row, names[probabilities.argmax()], *numbers])

    yield write
    text.detach()  # flushes, and leaves the file open for its owner


@contextmanager
def _parquet_writer(file, names):
    arrow = require("pyarrow", extra="distributed")
    parquet = require("pyarrow.parquet", extra="distributed")
    text = arrow.string()
    columns = [("file", text), ("row", arrow.int64()), ("emotion", text)]
    schema = arrow.schema([*columns, *((name, arrow.float32()) for name in names)])
    waiting = []

    def write(source, rows, y_prob):
        emotions = np.asarray(names, dtype=object)[y_prob.argmax(axis=1)]
        values = [[source] * len(rows), rows, emotions, *y_prob.astype(np.float32).T]
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
