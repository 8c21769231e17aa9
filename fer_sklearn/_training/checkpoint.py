"""The state of a training, in a checkpoint, and of a fitted net, in a pickle."""

import errno
import io
import re
import warnings
from copy import deepcopy
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from sklearn.utils import check_random_state
from skorch.callbacks import Callback

from .._utils import remove_leftovers, write_atomically
from ..exceptions import ModelFileError
from .module import to_numpy
from .net import STOP_REASONS, plain_history, restore_history

# Parameters of a classifier that change nothing in the weights it ends with.
WITHOUT_EFFECT = {
    "callbacks",
    "checkpoint",
    "device",
    "num_workers",
    "temperature",
    "test_time_flip",
    "verbose",
}


FORMAT = 1


class Checkpoint(Callback):
    """Write the state of the training after each epoch; resume from it if there is one.

    The file is written under a temporary name and then moved, so that a kill or a full
    disk leaves the last good one. It holds tensors and plain values only and is
    opened without running any code.

    Parameters
    ----------
    path : path-like
        The file.
    settings : dict
        What the training depends on, plain values. A file with different settings is
        refused.
    parts : dict of str to Callback
        Callbacks with ``state_dict`` and ``load_state_dict``.
    """

    def __init__(self, path, *, settings, parts):
        self.path = Path(path)
        self.settings = settings
        self.parts = parts

    def on_train_begin(self, net, **kwargs):
        """Resume from the file, if there is one."""
        self.settings = {**self.settings, "epochs before": len(net.history)}
        remove_leftovers(self.path)
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return
        state = read_checkpoint(self.path)
        self._compare(state["settings"])
        net.history.clear()  # the file holds that of previous trainings as well
        try:
            self._restore(net, state)
        except (
            AttributeError,
            LookupError,
            RuntimeError,
            TypeError,
            ValueError,
        ) as error:
            raise ModelFileError(
                f"The checkpoint {self.path} does not fit this training ({error}). Has "
                "the code of the network changed? Delete the file to start again."
            ) from error
        weights = net.module_.state_dict().values()
        if not all(tensor.isfinite().all() for tensor in weights):
            raise ModelFileError(
                f"The checkpoint {self.path} holds weights that are not finite. Delete "
                "the file to start again."
            )

    def _restore(self, net, state):
        # The file was written at the end of an epoch, say the fifth of ten. `history`
        # then has five rows, from which the schedule knows that five are left, and the
        # seeds of the sixth follow from its number. The state of the average tells
        # whether the module holds the average or the weights in training.
        net.stop_reason = state["stop_reason"]
        net.module_.load_state_dict(state["module"])
        net.optimizer_.load_state_dict(state["optimizer"])
        for name, part in self.parts.items():
            part.load_state_dict(state["parts"][name])
        restore_history(net, state["history"])

    def _compare(self, settings):
        # Compare what the file knows: an older version may have had fewer settings.
        differ = [
            f"{name}: {value!r} there, {self.settings.get(name)!r} here"
            for name, value in sorted(settings.items())
            if value != self.settings.get(name)
        ]
        if differ:
            raise ModelFileError(
                f"The checkpoint {self.path} belongs to a training with different "
                f"settings ({'; '.join(differ)}). Use the same settings to resume it, "
                "or name another file to start again."
            )

    def on_epoch_end(self, net, **kwargs):
        """Write the file."""
        state = {
            "format": FORMAT,
            "settings": self.settings,
            "stop_reason": net.stop_reason,
            "module": net.module_.state_dict(),
            "optimizer": net.optimizer_.state_dict(),
            "parts": {name: part.state_dict() for name, part in self.parts.items()},
            "history": plain_history(net.history),
        }
        # In memory first: with a file whose write fails, torch raises a RuntimeError.
        content = io.BytesIO()
        torch.save(_plain(state), content)
        try:
            write_atomically(self.path, lambda file: file.write(content.getbuffer()))
        except OSError as error:
            # Hours of training must not be lost because a disk is full.
            warnings.warn(
                f"The checkpoint {self.path} could not be written ({error}); the "
                "training continues, and the last good checkpoint is kept.",
                RuntimeWarning,
                stacklevel=2,
            )


def _plain(value):
    """Replace NumPy's numbers, which a file that runs no code cannot hold."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_plain, value))
    return value


def draw_seed(random_state, checkpoint=None) -> int:
    """Draw the seed of a training; a resumed one without `random_state` has its own."""
    if random_state is None and checkpoint is not None and Path(checkpoint).exists():
        return read_checkpoint(Path(checkpoint))["settings"]["random_state"]
    return int(check_random_state(random_state).randint(2**31))


def read_checkpoint(path: Path) -> dict:
    """Read a checkpoint; no code in it is run.

    Raises
    ------
    ModelFileError
        If the file is truncated, not a checkpoint, or of another format number.
    OSError
        If it may not be read.
    """
    if path.is_dir():
        raise ModelFileError(
            f"The checkpoint {path} is a folder. Name a file: {path / 'training.ckpt'}"
        )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        format_number = state["format"]
        if format_number == FORMAT:
            _check_plain_parts(state)
    except Exception as error:
        # The file may be good, and this process cannot read it. But EINVAL is torch
        # looking for something in front of a file that is too short.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise ModelFileError(
            f"{path} is not a readable checkpoint ({type(error).__name__}). Delete "
            "it to start the training again."
        ) from error
    if format_number != FORMAT:
        raise ModelFileError(
            f"The checkpoint {path} has format {format_number}; this version of "
            f"fer_sklearn reads format {FORMAT}. Use the version that wrote it."
        )
    return state


def training_settings(clf, train, valid, seed) -> dict:
    """Everything that the result of a training depends on, as plain values."""
    settings = {
        name: value if isinstance(value, int | float | None) else _described(value)
        for name, value in clf.get_params(deep=False).items()
        if name not in WITHOUT_EFFECT
    }
    if not isinstance(clf.network, str):
        # A partial function has no name of its own.
        name = getattr(clf.network, "__qualname__", str(clf.network))
        settings["network"] = _described(f"{clf.network.__module__}.{name}")
    settings["random_state"] = seed
    settings["augmentation"] = str(getattr(train.faces, "settings", None))
    settings["training data"] = train.fingerprint()
    settings["validation data"] = None if valid is None else valid.fingerprint()
    return settings


def _described(value) -> str:
    # The address of an object differs between processes.
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))


LIBRARIES = ("torch", "skorch", "scikit-learn", "numpy")


def _check_plain_parts(state):
    """Raise a TypeError unless settings, reason and history are as they are written."""
    settings, rows = state["settings"], state["history"]
    plain = (str, int, float, type(None))
    if not (
        isinstance(settings, dict)
        and isinstance(settings["random_state"], int)
        and all(isinstance(name, str) for name in settings)
        and all(isinstance(value, plain) for value in settings.values())
        and (state["stop_reason"] is None or state["stop_reason"] in STOP_REASONS)
        and isinstance(rows, list)
        and all(isinstance(row, dict) for row in rows)
        and all(
            isinstance(name, str) and isinstance(value, int | float)
            for row in rows
            for name, value in row.items()
        )
    ):
        raise TypeError("unknown settings or history")


def library_versions() -> dict[str, str]:
    """Versions that a stored model may depend on."""
    from .. import __version__

    return {"fer_sklearn": __version__, **{name: version(name) for name in LIBRARIES}}


def warn_of_other_versions(stored: dict[str, str], what: str) -> None:
    """Warn if a model was stored under different minor versions."""
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
    # Patches and builds keep what a stored model relies on: 2.13.1+cpu is like 2.13.0.
    return version.split("+")[0].split(".")[:2]


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
    """Keep what prediction, and a warm start, needs of a fitted net."""
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
    """Give a new optimizer the state of a previous one, if they are of the same kind.

    The settings are not restored: they may have been changed since.
    """
    fresh = net.optimizer_.state_dict()["param_groups"]
    if state["param_groups"][0].keys() == fresh[0].keys():
        # Without the copy, both optimizers would write into the same tensors.
        state = deepcopy(state["state"])
        net.optimizer_.load_state_dict({"state": state, "param_groups": fresh})


def continue_from(net, previous) -> None:
    """Take over the history of a fitted net, and the state of its optimizer."""
    restore_optimizer(net, previous.optimizer_.state_dict())
    restore_history(net, plain_history(previous.history))
