"""Checkpoints: a training that is killed goes on where it was."""

import io
import warnings
from pathlib import Path

import numpy as np
import torch
from sklearn.utils import check_random_state
from skorch.callbacks import Callback

from .._files import remove_leftovers, write_atomically
from ..exceptions import ModelFileError
from ._history import plain_history, restore_history

FORMAT = 1


class Checkpoint(Callback):
    """Write the state of the training after each epoch; go on from it if it is there.

    The file is written beside its place and then moved, so that a kill or a full
    disk leaves the last good one. It holds tensors and plain values only and is
    opened without running any code.

    Parameters
    ----------
    path : path-like
        The file.
    settings : dict
        What the training depends on, plain values. A file of other settings is
        refused.
    parts : dict of str to Callback
        Callbacks with ``state_dict`` and ``load_state_dict``.
    """

    def __init__(self, path, *, settings, parts):
        self.path = Path(path)
        self.settings = settings
        self.parts = parts

    def on_train_begin(self, net, **kwargs):
        """Go on from the file, if there is one."""
        self.settings = {**self.settings, "epochs before": len(net.history)}
        remove_leftovers(self.path)
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return
        state = read_checkpoint(self.path)
        self._compare(state["settings"])
        net.history.clear()  # the file holds that of earlier trainings as well
        try:
            self._restore(net, state)
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise ModelFileError(
                f"The checkpoint {self.path} does not fit this training ({error}). Has "
                "the code of the network changed? Delete the file to start anew."
            ) from error

    def _restore(self, net, state):
        net.stop_reason = state["stop_reason"]
        net.module_.load_state_dict(state["module"])
        net.optimizer_.load_state_dict(state["optimizer"])
        for name, part in self.parts.items():
            part.load_state_dict(state["parts"][name])
        restore_history(net, state["history"])

    def _compare(self, settings):
        # A file of an older version lacks what was not known when it was written.
        differ = [
            f"{name}: {value!r} there, {self.settings.get(name)!r} here"
            for name, value in sorted(settings.items())
            if value != self.settings.get(name)
        ]
        if differ:
            raise ModelFileError(
                f"The checkpoint {self.path} belongs to a training with other "
                f"settings ({'; '.join(differ)}). Use the same settings to go on "
                "with it, or name another file to start anew."
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
                "training goes on, and the last good checkpoint is kept.",
                RuntimeWarning,
                stacklevel=2,
            )


def _plain(value):
    """Replace NumPy's numbers, which a file opened without running code cannot hold."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_plain, value))
    return value


def draw_seed(random_state, checkpoint=None) -> int:
    """Draw the seed of a training; one without `random_state` goes on with its own."""
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
            state["settings"]["random_state"]  # or it is no checkpoint
    except OSError:
        raise  # the file may be good; this process cannot read it
    except Exception as error:
        raise ModelFileError(
            f"{path} is not a readable checkpoint ({type(error).__name__}). Delete "
            "it to start the training anew."
        ) from error
    if format_number != FORMAT:
        raise ModelFileError(
            f"The checkpoint {path} has format {format_number}; this version of "
            f"fer_sklearn reads format {FORMAT}. Go on with the version that wrote it."
        )
    return state
