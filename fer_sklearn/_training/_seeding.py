"""Random numbers of a training: a function of the seed and the epoch alone."""

from contextlib import contextmanager
from threading import RLock

import numpy as np
import torch
from skorch.callbacks import Callback

# Layers such as dropout draw from torch's one generator of the process, so trainings
# on several threads (joblib's "threading", a Dask worker) take turns.
_ONE_AT_A_TIME = RLock()


def _torch_seed(seed: int, epoch: int) -> int:
    words = np.random.SeedSequence([seed, epoch]).generate_state(2, np.uint32)
    return int(words[0]) << 31 | int(words[1]) >> 1


@contextmanager
def seeded(seed: int, device: torch.device):
    """Run a block under its own torch generators; the user's are left alone."""
    devices = [] if device.type == "cpu" else [device]
    kind = "cuda" if device.type == "cpu" else device.type
    with _ONE_AT_A_TIME, torch.random.fork_rng(devices=devices, device_type=kind):
        _set_seed(_torch_seed(seed, 0), device)
        yield


def _set_seed(seed: int, device: torch.device) -> None:
    # Not torch.manual_seed: it seeds the generators of all GPUs.
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


class EpochSeeds(Callback):
    """Seed torch and the augmentation anew at each epoch.

    An epoch then needs nothing of the one before it, and a resumed training draws
    the numbers of an unbroken one.

    Parameters
    ----------
    seed : int
        The seed of the training.
    device : torch.device
        Where it runs.
    """

    def __init__(self, seed: int, device: torch.device):
        self.seed = seed
        self.device = device

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        """Set the epoch: 1 for the first, as 0 is the initial weights' own."""
        epoch = len(net.history)
        _set_seed(_torch_seed(self.seed, epoch), self.device)
        dataset_train.epoch = epoch
