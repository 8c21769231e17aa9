"""Random numbers of a training: a function of the seed and the epoch alone."""

from contextlib import contextmanager

import numpy as np
import torch
from skorch.callbacks import Callback


def _torch_seed(seed: int, epoch: int) -> int:
    words = np.random.SeedSequence([seed, epoch]).generate_state(2, np.uint32)
    return int(words[0]) << 31 | int(words[1]) >> 1


@contextmanager
def seeded(seed: int, device: torch.device):
    """Run a block under its own torch generators; the user's are left alone."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
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
