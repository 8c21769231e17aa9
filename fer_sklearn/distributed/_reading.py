"""Pixel strings out of csv and parquet, some rows at a time."""

from pathlib import Path

from .._utils import require
from ..datasets._fer2013 import read_table_in_parts
from ..exceptions import DataFileError

_COLUMNS = "emotion,pixels,Usage (emotion and Usage may be missing)"

# What is read ahead of a parquet column; without it a row group is in memory at once.
_BUFFER_BYTES = 1 << 20


def read_pixels(path, n_rows):
    """Yield the pixel strings of a file, `n_rows` at a time.

    Parameters
    ----------
    path : path-like
        A csv as `load_fer2013` reads it, or a parquet file.
    n_rows : int
        Rows at a time; the last may be fewer.

    Yields
    ------
    list
        Strings, not yet checked; what is missing is None or NaN.

    Raises
    ------
    DataFileError
        If the file is neither csv nor parquet, or has no pixels column.
    OSError
        If the file is missing or may not be read.
    """
    parquet = Path(path).suffix.casefold() in (".parquet", ".pq")
    parts = _read_parquet(path, n_rows) if parquet else _read_csv(path, n_rows)
    empty = True
    for part in filter(len, parts):
        yield part
        empty = False
    if empty:
        raise DataFileError(f"{path} has names of columns, but no rows.")


def _read_csv(path, n_rows):
    for table in read_table_in_parts(path, _COLUMNS, n_rows, dtype=str):
        _find_pixels(path, table.columns)
        yield table["pixels"].tolist()


def _read_parquet(path, n_rows):
    parquet = require("pyarrow.parquet", extra="distributed")
    arrow = require("pyarrow", extra="distributed")
    if Path(path).is_dir():
        raise DataFileError(f"{path} is a folder. Name its files, in their order.")
    try:
        options = {"pre_buffer": False, "buffer_size": _BUFFER_BYTES}
        with parquet.ParquetFile(path, **options) as file:
            name = _find_pixels(path, file.schema_arrow.names)
            for batch in file.iter_batches(n_rows, columns=[name], use_threads=False):
                yield batch.column(0).to_pylist()
    except arrow.ArrowInvalid as error:
        raise DataFileError(
            f"{path} is not a parquet file or is damaged ({error}). Write or copy it "
            "again."
        ) from error


def _find_pixels(path, names):
    """Give the name of the pixels column as the file writes it."""
    for name in names:
        if name.strip().casefold() == "pixels":
            return name
    raise DataFileError(
        f"{path} has no pixels column, its columns are: {', '.join(names)[:200]}. "
        f"Expected {_COLUMNS}."
    )
