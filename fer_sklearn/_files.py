"""Files that are either written whole or not at all."""

import errno
import glob
import os
import uuid
from pathlib import Path

from .exceptions import FERError


def write_atomically(path, write) -> None:
    """Write a file beside its place, then move it there.

    A kill or a full disk leaves what was there before.

    Parameters
    ----------
    path : path-like
        The file.
    write : callable
        Called with a binary file that can seek.

    Raises
    ------
    FERError
        If there is a device, a pipe or a folder of that name.
    OSError
        If the folder is missing, the disk full, or writing not allowed.
    """
    path = Path(path).resolve()  # a link stays, and what it leads to is written
    if path.exists() and not path.is_file():
        raise FERError(
            f"{path} is a folder, a device or a pipe; what is written here replaces a "
            "file, whole or not at all. Name a file."
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "There is no folder", str(path.parent))
    # Not tempfile: its files are closed to everybody but their owner.
    beside = path.with_name(_beside(path.name, uuid.uuid4().hex))
    try:
        with open(beside, "xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException as error:
        beside.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename == str(beside):
            error.filename, error.filename2 = str(path), None
        raise


def remove_leftovers(path) -> None:
    """Delete what killed writers of this file have left beside it."""
    path = Path(path).resolve()
    for leftover in path.parent.glob(_beside(glob.escape(path.name), "*")):
        leftover.unlink(missing_ok=True)


def _beside(name, mark):
    return f".{name}.{mark}.part"
