"""Starting a training from the weights of a model file."""

import torch
from torch import nn

from ..exceptions import ModelFileError
from ._module import weight_specs


def start_from(module, file, *, network, classes) -> None:
    """Fill a fresh module with the weights of a model file.

    If the file's classes are others, the last linear layer keeps its fresh weights:
    it is what tells the classes apart.

    Parameters
    ----------
    module : nn.Module
        As `make_module` makes it.
    file : ModelFile
        The open file.
    network : str or callable
        What the module was made from.
    classes : ndarray
        Class labels of the training.

    Raises
    ------
    ModelFileError
        If the file holds weights of another network.
    """
    name = file.metadata["network"]["name"]
    if isinstance(network, str) and network != name:
        raise ModelFileError(
            f"{file.path} holds the network {name!r}, but network={network!r}. Set "
            f"network={name!r} to start from it."
        )
    same_classes = classes.tolist() == file.metadata["classes"]["values"]
    fresh = set() if same_classes else _head(module, file)
    called = getattr(network, "__name__", str(network))
    file.check_specs(weight_specs(module), called, without=fresh)
    weights = {
        name: torch.from_numpy(array.copy())
        for name, array in file.read_weights().items()
        if name not in fresh
    }
    # Complete but for the head: check_specs has seen to it.
    module.load_state_dict(weights, strict=False)


def _head(module, file):
    """Names of the weights of the last linear layer."""
    linear = [n for n, part in module.named_modules() if isinstance(part, nn.Linear)]
    if not linear:
        raise ModelFileError(
            f"{file.path} was trained on the classes "
            f"{file.metadata['classes']['values']}; for other classes its last "
            "nn.Linear is made anew, but this network has none. End it with one."
        )
    return {f"{linear[-1]}.weight", f"{linear[-1]}.bias"}
