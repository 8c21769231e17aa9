"""FER2013 as a csv in all its forms: reading tables, and writing pixel strings."""

import lzma
import sys
import tarfile
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from ..exceptions import DataFileError
from ._emotions import EMOTIONS

__all__ = ["load_fer2013", "read_table", "read_table_in_parts", "write_pixel_strings"]

_COLUMNS = "emotion,pixels,Usage (emotion and Usage may be missing)"
_USAGES = ("Training", "PublicTest", "PrivateTest")

_DESCR = """\
FER2013
-------
{n_samples} grey-scale photographs of faces, 48x48 pixels in the original, each with
one of seven emotions: {names}.

Collected by Pierre-Luc Carrier and Aaron Courville through image search for the
challenge of Goodfellow et al. (2013), Challenges in Representation Learning, ICML
workshop: 28,709 faces for Training, 3,589 for PublicTest and 3,589 for PrivateTest.
The labels are noisy: people reach about 65 % accuracy. 1,851 of the 35,887 faces are
exact copies of another, some with another label and some in another split; see
drop_duplicates and fer_sklearn.model_selection. About 170 pictures show no face.
"""

_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")

# What the unpackers raise for broken files, and OSError, which is BadGzipFile's base.
# A missing file is an OSError too; `_explained` tells them apart by their errno.
_BROKEN_ARCHIVE = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)

# The text of every level and a blank, in the four bytes of one number. A row of levels
# is written by looking up all its numbers at once; the unused zero bytes are deleted:
# [0, 42, 255] -> b"0 \0\0" b"42 \0" b"255 " -> b"0 42 255 ".
_LEVEL_TEXT = np.array(
    [
        int.from_bytes(f"{level} ".encode().ljust(4, b"\0"), sys.byteorder)
        for level in range(256)
    ],
    dtype=np.uint32,
)


def load_fer2013(path, *, usage=None, drop_duplicates=False, return_X_y=False):
    """Read FER2013 from your own copy of the file.

    All common forms are read: ``fer2013.csv`` (emotion,pixels,Usage), the challenge's
    ``train.csv`` (emotion,pixels) and ``test.csv`` (only pixels), and
    ``icml_face_data.csv`` (column names with a leading blank), each of them plain or
    packed as .gz, .bz2, .xz, .zip or .tar.gz.

    Labels are checked here. The pixels stay text, which `PixelStringTransformer`
    reads and checks row by row; only the length of the last row is checked here, as
    it shows whether a download was interrupted.

    Parameters
    ----------
    path : path-like
        The csv. Nothing is downloaded.
    usage : str or list of str, default=None
        Keep only the rows of these parts: "Training", "PublicTest" or "PrivateTest".
        None keeps all.
    drop_duplicates : bool, default=False
        Of faces whose pixel strings are equal, keep the first with its label, and drop
        the others, which may have different labels. Only the rows that `usage` keeps
        are compared. To keep all rows and still have no face in both parts of a split,
        use `fer_sklearn.model_selection.face_groups`.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    Bunch
        With the attributes

        data : Series of shape (n_samples,), str
            One string of grey levels 0 to 255 per face; not yet checked.
        target : array of shape (n_samples,), int64, or None
            0 to 6, the place of the emotion in `target_names`. None if the file
            has no emotion column, like ``test.csv``.
        target_names : list of str
            `EMOTIONS`: angry, disgust, fear, happy, sad, surprise, neutral.
        usage : Series of shape (n_samples,), str, or None
            The part of each row. None if the file has no Usage column.
        rows : array of shape (n_samples,), int64
            Row of each face in the file, from 0.
        DESCR : str
            What this data is.
    (data, target) : tuple
        If `return_X_y` is True.

    Raises
    ------
    DataFileError
        If the file is not a csv, is cut off, has no pixels column, has a label
        outside 0 to 6, or has no rows of this `usage`.
    OSError
        If the file is missing or may not be read.

    See Also
    --------
    load_image_folder : Read FER2013 as folders of image files.
    join_ferplus : Add the crowd votes of FER+ to these faces.
    make_faces : Make synthetic faces of the same form, without a file.

    Examples
    --------
    >>> import os, tempfile
    >>> from fer_sklearn.datasets import load_fer2013
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "fer2013.csv")
    ...     with open(path, "w") as file:
    ...         print("emotion,pixels,Usage", file=file)
    ...         print("3,70 80 82 72,Training", file=file)
    ...         print("6,24 32 36 30,PublicTest", file=file)
    ...     faces = load_fer2013(path, usage="PublicTest")
    >>> faces.data[0], faces.target_names[faces.target[0]]
    ('24 32 36 30', 'neutral')
    """
    table = read_table(path, _COLUMNS)
    _check_rows(table, path)
    data, target = table["pixels"], _read_labels(table, path)
    wanted = _choose_rows(table, usage, path)
    if drop_duplicates:
        chosen = data if wanted is None else data[wanted]
        wanted = chosen.index[~chosen.duplicated()].to_numpy()
    uses = table.get("usage")
    rows = np.arange(len(data)) if wanted is None else wanted
    if wanted is not None:
        data = data.iloc[rows].reset_index(drop=True)
        uses = None if uses is None else uses.iloc[rows].reset_index(drop=True)
        target = None if target is None else target[rows]
    if return_X_y:
        return data, target
    from sklearn.utils import Bunch  # slow, and not needed to predict a table

    return Bunch(
        data=data,
        target=target,
        target_names=list(EMOTIONS),
        usage=uses,
        rows=rows,
        DESCR=_DESCR.format(n_samples=len(data), names=", ".join(EMOTIONS)),
    )


def _check_rows(table, path):
    """Check that there are pixels in every row, and that the last row is complete."""
    if "pixels" not in table:
        names = ", ".join(
            name if len(name) < 20 else name[:17] + "..." for name in table
        )
        raise DataFileError(
            f"{path} has no pixels column, its columns are: {names[:200]}. Expected "
            f"{_COLUMNS}, separated by commas, named in the first line."
        )
    if len(table) == 0:
        raise DataFileError(f"{path} has a first line with names, but no rows.")
    for name in table.columns.intersection(["emotion", "pixels", "usage"]):
        missing = table[name].isna()
        if missing.any():
            raise _missing_value(path, name, int(missing.argmax()), len(table))
    if not isinstance(table["pixels"].iloc[0], str):
        raise DataFileError(
            f"Row 0 of {path} has {table['pixels'].iloc[0]!r} for pixels, expected a "
            "text of all its grey levels with blanks between them."
        )
    _check_last_row(table, path)


def _missing_value(path, name, row, n_rows):
    if row == n_rows - 1:
        return _cut_off(path, row, f"has no {name}")
    return DataFileError(
        f"Row {row} of {path} (counted from 0) has no {name}. Fill it in or delete the "
        "row."
    )


def _cut_off(path, row, what):
    return DataFileError(
        f"{path} looks cut off: its last row, {row}, {what}. Copy or download the file "
        "again, or delete that row."
    )


def _check_last_row(table, path):
    first, last = (len(table["pixels"].iloc[i].split()) for i in (0, -1))
    if last < first:
        what = f"has {last} grey levels where row 0 has {first}"
        raise _cut_off(path, len(table) - 1, what)
    if "usage" in table:
        usage = str(table["usage"].iloc[-1])
        if usage not in _USAGES and any(name.startswith(usage) for name in _USAGES):
            raise _cut_off(path, len(table) - 1, f"has the Usage {usage!r}")


def _read_labels(table, path):
    """Labels as int64, or None without an emotion column."""
    if "emotion" not in table:
        return None
    numbers = pd.to_numeric(table["emotion"], errors="coerce").to_numpy()
    bad = ~np.isin(numbers, range(len(EMOTIONS)))
    if bad.any():
        row = int(bad.argmax())
        value = str(table["emotion"].iloc[row])[:20]
        names = ", ".join(f"{i} {name}" for i, name in enumerate(EMOTIONS))
        raise DataFileError(
            f"Row {row} of {path} (counted from 0) has the emotion {value}, expected "
            f"{names}. Correct or delete the row."
        )
    return numbers.astype(np.int64)


def _choose_rows(table, usage, path):
    """Give the rows of this usage, or None for all of them."""
    if usage is None:
        return None
    if "usage" not in table:
        raise DataFileError(
            f"{path} has no Usage column, so usage={usage!r} cannot be chosen. Leave "
            "usage=None to read all its rows."
        )
    asked = [usage] if isinstance(usage, str) else list(usage)
    counts = table["usage"].value_counts(sort=False)
    for name in asked:
        if name not in counts.index:
            has = ", ".join(f"{use!r} ({n} rows)" for use, n in counts.items())
            raise DataFileError(f"{path} has no rows of usage {name!r}; it has {has}.")
    return np.flatnonzero(table["usage"].isin(asked))


def read_table(path, needed, **options):
    """Read a csv into a data frame whose column names are stripped and lower case.

    Parameters
    ----------
    path : path-like
        A csv, plain or packed as .gz, .bz2, .xz, .zip or .tar.*. An archive must
        contain one csv; other files in it are ignored.
    needed : str
        Columns that the file should have, for messages: ``"emotion,pixels,Usage"``.
    **options
        Passed to `pandas.read_csv`.

    Returns
    -------
    DataFrame

    Raises
    ------
    DataFileError
        If the file is a folder, broken, empty or not a csv.
    OSError
        If the file is missing or may not be read.
    """
    with _explained(Path(path), needed) as cure, _opened(Path(path)) as source:
        return _tidy(pd.read_csv(source, **options), path, cure)


def read_table_in_parts(path, needed, n_rows, **options):
    """Read a csv as `read_table` does, some rows at a time.

    Parameters
    ----------
    path : path-like
        See `read_table`.
    needed : str
        See `read_table`.
    n_rows : int
        Rows in each part; the last may have fewer.
    **options
        Passed to `pandas.read_csv`.

    Yields
    ------
    DataFrame
        Its index continues from part to part.

    Raises
    ------
    DataFileError, OSError
        See `read_table`.
    """
    with (
        _explained(Path(path), needed) as cure,
        _opened(Path(path)) as source,
        pd.read_csv(source, chunksize=n_rows, **options) as parts,
    ):
        for part in parts:
            yield _tidy(part, path, cure)


def _tidy(table, path, cure):
    if not isinstance(table.index, pd.RangeIndex):
        raise DataFileError(
            f"{path} has more values in a row than names in its first line. {cure}"
        )
    table.columns = [str(name).strip().casefold() for name in table.columns]
    if not table.columns.is_unique:
        name = table.columns[table.columns.duplicated()][0]
        raise DataFileError(
            f"{path} has two columns called {name!r} (upper and lower case and blanks "
            "do not count). Rename or remove one of them."
        )
    return table


@contextmanager
def _explained(path, needed):
    """Turn errors in the block into a DataFileError; give the text of the cure."""
    cure = f"Expected a csv, plain or packed, with the columns {needed}."
    if path.is_dir():
        raise DataFileError(
            f"{path} is a folder. {cure} Folders of image files are read by "
            "load_image_folder."
        )
    try:
        yield cure
    except pd.errors.EmptyDataError:
        raise DataFileError(f"{path} is empty. {cure}") from None
    except UnicodeDecodeError:
        raise DataFileError(
            f"{path} is not a text file in UTF-8. {cure} The name of a packed file "
            "must end in .gz, .xz, .zip, ...; a spreadsheet must save it as CSV UTF-8."
        ) from None
    except pd.errors.ParserError as error:
        raise DataFileError(
            f"{path} is not a csv or is cut off ({_one_line(error)}). {cure} If it was "
            "complete once, copy or download it again."
        ) from error
    except (*_BROKEN_ARCHIVE, tarfile.TarError) as error:
        raise _broken(path, error) from error
    except OSError as error:
        # The error has an errno if the file cannot be opened, and none if it cannot be
        # unpacked.
        if error.errno is not None:
            raise
        raise _broken(path, error) from error


def _broken(path, error):
    return DataFileError(
        f"{path} cannot be unpacked ({_one_line(error)}): it is cut off, damaged or "
        "not of the format of its ending. Copy or download it again."
    )


def _one_line(error):
    text = " ".join(str(error).split())
    return text if len(text) <= 100 else text[:97] + "..."


@contextmanager
def _opened(path):
    """Give what pandas has to read: the path itself, or the csv in an archive."""
    name = path.name.casefold()
    if not name.endswith(_ARCHIVES):
        yield path
    elif name.endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            member = _the_csv(path, archive.namelist())
            with archive.open(member) as source:
                yield source
    else:
        with tarfile.open(path) as archive:
            files = [member.name for member in archive if member.isfile()]
            yield archive.extractfile(_the_csv(path, files))


def _the_csv(path, members):
    """Choose the only csv among the members of an archive."""
    found = [
        member
        for member in members
        if member.casefold().endswith(".csv") and not _is_mac_litter(member)
    ]
    if len(found) != 1:
        what = ", ".join(found) if found else "none"
        raise DataFileError(
            f"{path} must contain one csv, it contains {what}. Unpack it and give the "
            "path of the csv that you want."
        )
    return found[0]


def _is_mac_litter(member):
    # The Finder packs a companion "__MACOSX/._name.csv" for every file.
    return member.startswith("__MACOSX/") or Path(member).name.startswith("._")


def write_pixel_strings(images):
    """Write images as strings of grey levels, one string per image.

    Parameters
    ----------
    images : array of shape (n_samples, ...), uint8
        The grey levels; all axes but the first are written in C order.

    Returns
    -------
    list of str
        Grey levels 0 to 255, separated by single blanks.

    Raises
    ------
    TypeError
        If `images` is not uint8.

    Examples
    --------
    >>> import numpy as np
    >>> from fer_sklearn.datasets import write_pixel_strings
    >>> write_pixel_strings(np.array([[[0, 7], [42, 255]]], dtype=np.uint8))
    ['0 7 42 255']
    """
    images = np.asarray(images)
    if images.dtype != np.uint8:
        raise TypeError(f"images must be uint8 grey levels, got {images.dtype}.")
    return [_write_row(image) for image in images]


def _write_row(image):
    text = _LEVEL_TEXT[image.ravel()].tobytes().translate(None, b"\0")
    return text[:-1].decode("ascii")
