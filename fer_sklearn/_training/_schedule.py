"""Learning rate and augmentation over the course of a training."""

import math
import sys
import time

import numpy as np
from skorch.callbacks import Callback
from torch.optim.lr_scheduler import ReduceLROnPlateau

from ..exceptions import FERError

WARM_UP = 0.05


def _cosine(progress: float) -> float:
    if progress < WARM_UP:
        return max(progress, 1e-3) / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP)))


def _one_cycle(progress: float) -> float:
    # Smith & Topin's proportions: up from a 25th in 30 % of the time, then down.
    low, peak_at = 1 / 25, 0.3
    if progress < peak_at:
        rise = 0.5 * (1 - math.cos(math.pi * progress / peak_at))
        return low + (1 - low) * rise
    return 0.5 * (1 + math.cos(math.pi * (progress - peak_at) / (1 - peak_at)))


CURVES = {"cosine": _cosine, "one-cycle": _one_cycle}


class Schedule(Callback):
    """Set the learning rate batch by batch, and end the training in time.

    With the curve ``"constant"`` the learning rate is left alone, for a scheduler of
    the user's own.

    Progress runs from 0 to 1, over `max_epochs` or, if a time is given, over
    `max_time`: the curve fits itself to what is left, however fast the machine is.

    Parameters
    ----------
    curve : {"constant", "cosine", "one-cycle", "plateau"}
        Course of the learning rate.
    lr : float
        Its peak.
    max_epochs : int
        Number of epochs, if `max_time` is None.
    max_time : float or None
        Seconds that the training may take, all of its parts (resumed ones) together.
    clean_fraction : float
        Share of the training, at its end, whose epochs are clean.
    plateau_patience : int
        With ``"plateau"``: epochs without a better validation accuracy (training
        loss, without validation data) before the learning rate is halved.
    """

    def __init__(
        self,
        curve,
        *,
        lr,
        max_epochs,
        max_time=None,
        clean_fraction=0.0,
        plateau_patience=6,
    ):
        self.curve = curve
        self.lr = lr
        self.max_epochs = max_epochs
        self.max_time = max_time
        self.clean_fraction = clean_fraction
        self.plateau_patience = plateau_patience

    def on_train_begin(self, net, **kwargs):
        """Start the clock."""
        self.started_ = time.monotonic()
        self.elapsed_ = self.epoch_time_ = 0.0
        self.first_epoch_ = len(net.history)
        self.plateau_ = ReduceLROnPlateau(
            net.optimizer_,
            mode="max",
            factor=0.5,
            patience=self.plateau_patience,
            threshold_mode="abs",
        )

    def state_dict(self):
        """State for a checkpoint."""
        return {
            "elapsed": self.elapsed(),
            "epoch_time": self.epoch_time_,
            "first_epoch": self.first_epoch_,
            "plateau": self.plateau_.state_dict(),
        }

    def load_state_dict(self, state):
        """Go on from a checkpoint."""
        self.elapsed_ = state["elapsed"]
        self.epoch_time_ = state["epoch_time"]
        self.first_epoch_ = state["first_epoch"]
        self.plateau_.load_state_dict(state["plateau"])

    def elapsed(self) -> float:
        """Seconds spent so far."""
        return self.elapsed_ + time.monotonic() - self.started_

    def epochs_left(self, net) -> int:
        """Epochs still to run; with `max_time` the clock decides."""
        if self.max_time is not None:
            return sys.maxsize
        return self.max_epochs - (len(net.history) - self.first_epoch_)

    def _progress(self, n_epochs_done: float) -> float:
        if self.max_time is not None:
            return min(1.0, self.elapsed() / self.max_time)
        return n_epochs_done / self.max_epochs

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        """Note where the epoch starts, and whether it is a clean one."""
        batch_size = net.batch_size
        self.n_batches_ = max(1, math.ceil(len(dataset_train) / batch_size))
        self.batch_ = 0
        self.epoch_started_ = self.elapsed()
        epoch = len(net.history) - 1 - self.first_epoch_
        net.clean = dataset_train.clean = self._is_clean(epoch)

    def _is_clean(self, epoch) -> bool:
        """Whether this epoch belongs to the clean end, which is at least one epoch."""
        if not self.clean_fraction:
            return False
        if self.max_time is None:
            # Rounded: 0.07 * 100 is a little more than 7.
            n_clean = math.ceil(round(self.clean_fraction * self.max_epochs, 9))
            return epoch >= self.max_epochs - n_clean
        # The last epoch is the one after which less than half an epoch's time is left.
        last = 1.5 * self.epoch_time_ / self.max_time
        return self._progress(epoch) + max(self.clean_fraction, last) >= 1

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        """Set the learning rate and the picture size of the batch."""
        if not training:
            return
        epoch = len(net.history) - 1 - self.first_epoch_
        progress = self._progress(epoch + self.batch_ / self.n_batches_)
        self.batch_ += 1
        net.training_progress = progress
        if self.curve in CURVES:
            for group in net.optimizer_.param_groups:
                group["lr"] = self.lr * CURVES[self.curve](progress)
        self.used_lr_ = net.optimizer_.param_groups[0]["lr"]

    def on_batch_end(self, net, training=False, **kwargs):
        """End the training when the time is over."""
        if training and self.max_time is not None and self.elapsed() >= self.max_time:
            net.stop("max_time")

    def on_epoch_end(self, net, **kwargs):
        """Record the learning rate; stop if the loss is lost or the time is over."""
        row = net.history[-1]
        net.history.record("lr", self.used_lr_)
        if not np.isfinite(row["train_loss"]):
            raise FERError(
                f"Training diverged: the loss of epoch {row['epoch']} is "
                f"{row['train_loss']}. Lower lr (it is {self.lr})."
            )
        if self.curve == "plateau":
            self.plateau_.step(float(row.get("valid_accuracy", -row["train_loss"])))
        if self.max_time is not None:
            self.epoch_time_ = self.elapsed() - self.epoch_started_
            if self.elapsed() + self.epoch_time_ / 2 > self.max_time:
                net.stop("max_time")
