"""Exponential moving average of the weights."""

from copy import deepcopy

import torch
from skorch.callbacks import Callback
from torch.optim.swa_utils import AveragedModel


class WeightAveraging(Callback):
    """Keep a moving average of the weights and end the training with it.

    The average stands for many late steps at once. From the end of the training
    batches of an epoch to the start of the next, the net's module holds the average:
    it is what validation sees, what callbacks score, save and restore, and what the
    fitted network keeps.

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
        self.average_ = AveragedModel(
            net.module_, multi_avg_fn=self._average, use_buffers=True
        )
        self.trained_ = None

    @torch.no_grad()
    def _average(self, averages, values, n_averaged):
        if not averages[0].is_floating_point():
            torch._foreach_copy_(averages, values)
            return
        n_steps = int(n_averaged) + 1
        decay = min(self.decay, (1 + n_steps) / (10 + n_steps))
        torch._foreach_lerp_(averages, values, 1 - decay)

    def state_dict(self):
        """State for a checkpoint."""
        return {"average": self.average_.state_dict(), "trained": self.trained_}

    def load_state_dict(self, state):
        """Go on from a checkpoint."""
        self.average_.load_state_dict(state["average"])
        self.trained_ = state["trained"]

    def on_epoch_begin(self, net, **kwargs):
        """Give the net back the weights that are trained."""
        if self.trained_ is not None:
            net.module_.load_state_dict(self.trained_)
            self.trained_ = None

    def on_batch_begin(self, net, training=False, **kwargs):
        """Validate with the average."""
        if not training:
            self._show_average(net)

    def on_batch_end(self, net, training=False, **kwargs):
        """Take one step into the average."""
        if training:
            self.average_.update_parameters(net.module_)

    def on_epoch_end(self, net, **kwargs):
        """Leave the average to the callbacks that follow."""
        self._show_average(net)

    def on_train_end(self, net, **kwargs):
        """Keep the average, also when the training ends within an epoch."""
        self._show_average(net)
        self.average_ = self.trained_ = None

    def _show_average(self, net):
        if self.trained_ is None:
            self.trained_ = deepcopy(net.module_.state_dict())
            net.module_.load_state_dict(self.average_.module.state_dict())
