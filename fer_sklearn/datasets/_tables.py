"""Reading of csv files, plain or packed, with errors that say what to do."""

import lzma
import tarfile
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from ..exceptions import DataFileError

__all__ = ["read_table", "read_table_in_parts"]

_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")

# What the unpackers raise for broken files. BadGzipFile is an OSError, and so is a
# missing file, which keeps its own error: it says all there is to say.
_BROKEN_ARCHIVE = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)


def read_table(path, needed, **options):
    """Read a csv into a data frame whose column names are stripped and lower case.

    Parameters
    ----------
    path : path-like
        A csv, as it is or packed as .gz, .bz2, .xz, .zip or .tar.*. An archive holds
        one csv; other files in it do no harm.
    needed : str
        What the file should hold, for the messages: ``"emotion,pixels,Usage"``.
    **options
        Passed on to `pandas.read_csv`.

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
        Rows of a part; the last may have fewer.
    **options
        Passed on to `pandas.read_csv`.

    Yields
    ------
    DataFrame
        Its index goes on from part to part.

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
    return table


@contextmanager
def _explained(path, needed):
    """Say in a DataFileError what is wrong with a file; give the words of the cure."""
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
            f"{path} is not a text file in UTF-8. {cure} If it is packed, give it its "
            "ending (.gz, .xz, .zip) back; if a spreadsheet wrote it, save it as "
            "CSV UTF-8."
        ) from None
    except pd.errors.ParserError as error:
        raise DataFileError(
            f"{path} is not a csv or is cut off ({_one_line(error)}). {cure} If it was "
            "whole once, copy or download it again."
        ) from error
    except (*_BROKEN_ARCHIVE, tarfile.TarError) as error:
        raise _broken(path, error) from error
    except OSError as error:
        # A file that cannot be opened has an errno; one that cannot be unpacked not.
        if error.errno is not None:
            raise
        raise _broken(path, error) from error


def _broken(path, error):
    return DataFileError(
        f"{path} cannot be unpacked ({_one_line(error)}): it is cut off, damaged or "
        "not what its ending says. Copy or download it again."
    )


def _one_line(error):
    text = " ".join(str(error).split())
    return text if len(text) <= 100 else text[:97] + "..."


@contextmanager
def _opened(path):
    """Give what pandas shall read: the path itself, or the csv in an archive."""
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
            f"{path} must hold one csv, it holds {what}. Unpack it and give the path "
            "of the csv that you want."
        )
    return found[0]


def _is_mac_litter(member):
    # The Finder packs a companion "__MACOSX/._name.csv" for every file.
    return member.startswith("__MACOSX/") or Path(member).name.startswith("._")
