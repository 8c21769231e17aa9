"""Files that are either written whole or not at all."""

import os
import uuid
from pathlib import Path


def write_atomically(path, write) -> None:
    """Write a file beside its place, then move it there.

    A kill or a full disk leaves what was there before.

    Parameters
    ----------
    path : path-like
        The file.
    write : callable
        Called with a binary file that can seek.
    """
    path = Path(path)
    # Not tempfile: its files are closed to everybody but their owner.
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with open(beside, "xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
