"""A fitted net as plain arrays, for pickles that open anywhere."""

import warnings
from copy import deepcopy
from importlib.metadata import version

import numpy as np
import torch

from ._history import plain_history, restore_history

LIBRARIES = ("torch", "skorch", "scikit-learn", "numpy")


def library_versions() -> dict[str, str]:
    """Versions that a stored model may depend on."""
    from .. import __version__

    return {"fer_sklearn": __version__, **{name: version(name) for name in LIBRARIES}}


def warn_of_other_versions(stored: dict[str, str], what: str) -> None:
    """Warn, once and kindly, if a model was stored under other minor versions."""
    here = library_versions()
    differ = [
        f"{name} {there} (here {here.get(name, 'none')})"
        for name, there in stored.items()
        if _minor(there) != _minor(here.get(name, "none"))
    ]
    if differ:
        warnings.warn(
            f"This {what} was stored with {', '.join(differ)}. It will most likely "
            "work; check a few predictions, or store it again with the versions here.",
            UserWarning,
            stacklevel=3,
        )


def _minor(version: str) -> list[str]:
    # Patches and builds keep what a stored model relies on: 2.13.1+cpu is 2.13.
    return version.split("+")[0].split(".")[:2]


def to_numpy(tensor: torch.Tensor) -> np.ndarray:
    """Give a tensor as an array on the CPU; bfloat16, unknown to NumPy, as float32."""
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def pack_weights(module: torch.nn.Module) -> dict[str, np.ndarray]:
    """Copy weights and buffers to NumPy arrays on the CPU."""
    return {
        name: to_numpy(tensor).copy() for name, tensor in module.state_dict().items()
    }


def unpack_weights(module: torch.nn.Module, weights: dict[str, np.ndarray]) -> None:
    """Put packed weights back."""
    module.load_state_dict(
        {name: torch.from_numpy(array.copy()) for name, array in weights.items()}
    )


def _to_cpu(value):
    if isinstance(value, torch.Tensor):
        return to_numpy(value)
    if isinstance(value, dict):
        return {key: _to_cpu(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_to_cpu(item) for item in value]
    return value


def _to_torch(value):
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    if isinstance(value, dict):
        return {key: _to_torch(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_to_torch(item) for item in value]
    return value


def pack_net(net, *, keep_optimizer: bool) -> dict:
    """Keep of a fitted net what prediction (and warm start) needs."""
    optimizer = _to_cpu(net.optimizer_.state_dict()) if keep_optimizer else None
    normalizer = net.module_.normalize
    return {
        "normalizer": {
            "per_image": normalizer.per_image,
            "mean": normalizer.mean,
            "std": normalizer.std,
        },
        "weights": pack_weights(net.module_),
        "history": plain_history(net.history),
        "optimizer": optimizer,
    }


def unpack_optimizer(net, packed: dict) -> None:
    """Put a packed optimizer's state back."""
    if packed["optimizer"] is not None:
        restore_optimizer(net, _to_torch(packed["optimizer"]))


def restore_optimizer(net, state: dict) -> None:
    """Give a fresh optimizer the state of an earlier one, if that was of its kind.

    Its settings stay: they may have been set anew since.
    """
    fresh = net.optimizer_.state_dict()["param_groups"]
    if state["param_groups"][0].keys() == fresh[0].keys():
        # Without the copy, both optimizers would write into the same tensors.
        state = deepcopy(state["state"])
        net.optimizer_.load_state_dict({"state": state, "param_groups": fresh})


def go_on_from(net, previous) -> None:
    """Take over the history of a fitted net, and the state of its optimizer."""
    restore_optimizer(net, previous.optimizer_.state_dict())
    restore_history(net, plain_history(previous.history))
