"""Optional dependencies, imported at use."""

from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

from .exceptions import MissingExtraError


def require(module: str, *, extra: str) -> ModuleType:
    """Import an optional module, or say which extra brings it.

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
            f"pip install 'fer-sklearn[{extra}]'"
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
