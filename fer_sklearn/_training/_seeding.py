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
    devices = [device] if device.type == "cuda" else []
    with _ONE_AT_A_TIME, torch.random.fork_rng(devices=devices):
        torch.manual_seed(_torch_seed(seed, 0))
        yield


class EpochSeeds(Callback):
    """Seed torch and the augmentation anew at each epoch.

    An epoch then needs nothing of the one before it, and a resumed training draws
    the numbers of an unbroken one.

    Parameters
    ----------
    seed : int
        The seed of the training.
    """

    def __init__(self, seed: int):
        self.seed = seed

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        """Set the epoch: 1 for the first, as 0 is the initial weights' own."""
        epoch = len(net.history)
        torch.manual_seed(_torch_seed(self.seed, epoch))
        dataset_train.epoch = epoch
