"""The trained models that come with the package; needs no torch."""

import os
from contextlib import contextmanager
from importlib.resources import as_file, files

from ._model_file import open_model_file
from .exceptions import ModelFileError

SUFFIX = ".fer"


def weights_folder():
    """Folder of the model files, each beside its card."""
    return files("fer_sklearn") / "weights"


def pretrained_names() -> list[str]:
    """Names of the models that are there."""
    folder = weights_folder()
    if not folder.is_dir():
        return []
    names = (entry.name for entry in folder.iterdir())
    return sorted(n.removesuffix(SUFFIX) for n in names if n.endswith(SUFFIX))


@contextmanager
def open_pretrained(pretrained):
    """Open the model file that a name or a path stands for.

    Parameters
    ----------
    pretrained : str or path-like
        A name out of `pretrained_names`, or the path of a model file: a `Path`, or a
        string with a suffix or a folder in it.

    Yields
    ------
    ModelFile

    Raises
    ------
    ModelFileError
        If there is no such model, or the file cannot be read.
    """
    path = os.fspath(pretrained)
    names = pretrained_names()
    if isinstance(pretrained, str) and path in names:
        with as_file(weights_folder() / f"{path}{SUFFIX}") as file_path:
            with open_model_file(file_path) as file:
                yield file
        return
    is_path = not isinstance(pretrained, str) or os.path.basename(path) != path
    if not is_path and not os.path.splitext(path)[1]:
        raise ModelFileError(
            f"There is no pretrained model {path!r}. There are: "
            f"{', '.join(names) or 'none in this installation'}; or give the path of "
            "a model file, such as 'emotions.fer'."
        )
    with open_model_file(path) as file:
        yield file
