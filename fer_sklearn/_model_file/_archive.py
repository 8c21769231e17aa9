"""The zip around a model: two members, stored as they are."""

import os
import struct
import zipfile
from contextlib import contextmanager

from ..exceptions import ModelFileError

METADATA = "metadata.json"
WEIGHTS = "weights.safetensors"

MAX_FILE_BYTES = 2**31 - 1
_MAX_DIRECTORY_BYTES = 1024
# The end of a zip without a comment. What it points to is read only if it speaks of
# two entries in a directory of a few bytes, so a hostile directory costs nothing.
_END = struct.Struct("<4sHHHHIIH")


@contextmanager
def blaming(path):
    """Turn whatever goes wrong with a file's bytes into a ModelFileError."""
    try:
        yield
    except ModelFileError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None:
            reason = f"{path} cannot be opened: {error.strerror}."
        else:
            reason = (
                f"{path} is damaged or not a model file of fer_sklearn "
                f"({type(error).__name__}: {error}). Fetch it or save it again."
            )
        raise ModelFileError(reason) from error


def _not_ours(path, found):
    return ModelFileError(
        f"{path} is not a model file of fer_sklearn: {found}, expected a zip of "
        f"{METADATA} and {WEIGHTS}. Give a file that save_model wrote."
    )


def open_archive(path, file) -> zipfile.ZipFile:
    """Open the zip after checking its end, its directory and its members.

    Parameters
    ----------
    path : Path
        What to call the file in messages.
    file : binary file
        The open file.

    Returns
    -------
    zipfile.ZipFile
    """
    _check_end(path, file)
    archive = zipfile.ZipFile(file)
    names = sorted(archive.namelist())
    if names != [METADATA, WEIGHTS]:
        raise _not_ours(path, f"a zip of {' and '.join(map(repr, names))}")
    for member in archive.infolist():
        stored = member.compress_type == zipfile.ZIP_STORED
        same_size = member.compress_size == member.file_size
        encrypted = member.flag_bits & 1
        if not stored or not same_size or encrypted:
            raise ModelFileError(
                f"{path} has a compressed or encrypted {member.filename}; a model file "
                "stores its members as they are. Save it again with save_model."
            )
    return archive


def _check_end(path, file):
    size = file.seek(0, os.SEEK_END)
    if size > MAX_FILE_BYTES:
        raise _not_ours(path, f"{size} bytes, more than {MAX_FILE_BYTES}")
    file.seek(max(0, size - _END.size))
    end = file.read(_END.size)
    file.seek(0)
    if len(end) < _END.size or not end.startswith(b"PK\x05\x06"):
        raise _not_ours(path, f"{size} bytes that are no zip, or are cut short")
    _, disk, _, here, entries, directory, start, comment = _END.unpack(end)
    if not disk == comment == 0 or not here == entries == 2:
        raise _not_ours(path, f"a zip of {entries} members")
    if directory > _MAX_DIRECTORY_BYTES or start + directory + _END.size != size:
        raise _not_ours(path, "a zip with a directory that does not fit it")


def read_member(path, archive, name, limit) -> bytes:
    """Read a member, at most `limit` bytes of it."""
    size = archive.getinfo(name).file_size
    if size > limit:
        raise ModelFileError(
            f"{path} has {size} bytes of {name}; a model file has at most {limit}."
        )
    with archive.open(name) as member:
        # A read beyond the end compares the checksum.
        data = member.read(size + 1)
    if len(data) != size:
        raise ModelFileError(f"{path}: {name} is cut short. Fetch it or save it again.")
    return data
