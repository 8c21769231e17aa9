"""Exponential moving average of the weights."""

from copy import deepcopy

import torch
from skorch.callbacks import Callback


class WeightAveraging(Callback):
    """Keep a moving average of the weights and end the training with it.

    The average stands for many late steps at once: it is what validation sees and
    what the fitted network keeps.

    Parameters
    ----------
    decay : float
        Share, in (0, 1), of the old average that one step keeps. Early steps keep
        less, so that a short training does not remember its random start.
    """

    def __init__(self, decay: float):
        self.decay = decay

    def on_train_begin(self, net, **kwargs):
        """Start from the weights as they are."""
        self.module_ = deepcopy(net.module_).eval()
        self.n_steps_ = 0

    def state_dict(self):
        """State for a checkpoint."""
        return {"n_steps": self.n_steps_, "weights": self.module_.state_dict()}

    def load_state_dict(self, state):
        """Go on from a checkpoint."""
        self.n_steps_ = state["n_steps"]
        self.module_.load_state_dict(state["weights"])

    @torch.no_grad()
    def on_batch_end(self, net, training=False, **kwargs):
        """Take one step into the average."""
        if not training:
            return
        self.n_steps_ += 1
        decay = min(self.decay, (1 + self.n_steps_) / (10 + self.n_steps_))
        averages, values = [], []
        new = net.module_.state_dict()
        for name, average in self.module_.state_dict().items():
            if average.is_floating_point():
                averages.append(average)
                values.append(new[name])
            else:
                average.copy_(new[name])
        torch._foreach_lerp_(averages, values, 1 - decay)

    def on_train_end(self, net, **kwargs):
        """Put the average in the network's place."""
        net.module_.load_state_dict(self.module_.state_dict())
        self.module_ = None
