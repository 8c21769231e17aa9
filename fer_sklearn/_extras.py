"""Optional dependencies, imported at use."""

from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

from .exceptions import MissingExtraError

# What each extra of pyproject.toml installs. Named in errors instead of the extra:
# pip can install these by name wherever this package itself came from.
REQUIREMENTS = {
    "plots": ["matplotlib>=3.8.4"],
    "photos": ["opencv-python-headless>=4.9,<5"],
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
    """Give the command that installs what an extra needs.

    Parameters
    ----------
    extra : str
        Name of the extra, such as ``"plots"``.

    Returns
    -------
    str
    """
    # Double quotes, which every shell takes: < and > would redirect.
    return " ".join(["pip install", *(f'"{name}"' for name in REQUIREMENTS[extra])])


def require(module: str, *, extra: str) -> ModuleType:
    """Import an optional module, or say how to install it.

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
        # A module that is there but lacks one of its own needs is another fault.
        if error.name is None or not module.startswith(error.name):
            raise
        raise MissingExtraError(
            f"This needs {error.name}, which is not installed. Install it with: "
            f"{install_command(extra)}"
        ) from error


@contextmanager
def torch_needed():
    """Say how to install torch if an import in this context does not find it.

    Machines that only predict with ONNX do without torch, so its absence is no fault
    of the installation.

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
            f"pip install {error.name}. Without it, ONNX models predict: see load_onnx."
        ) from error
