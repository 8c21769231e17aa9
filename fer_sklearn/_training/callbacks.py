"""What happens between the batches and epochs of a training."""

import math
import sys
import time
from copy import deepcopy

import numpy as np
import torch
from skorch.callbacks import Callback
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel

from ..exceptions import FERError
from .checkpoint import Checkpoint, training_settings
from .module import seed_torch
from .net import resolve_device, resolve_lr
from .prediction import Predictor


def make_callbacks(clf, train, valid, seed, *, single_epoch, tasks=None) -> list:
    """Make the callbacks of a training, in the order in which they are notified."""
    parts = _make_parts(clf, valid, single_epoch=single_epoch)
    seeds = EpochSeeds(seed, resolve_device(clf.device))
    # The order matters at the end of an epoch. The schedule may stop the training, the
    # average puts its weights into the module, `BestWeights` keeps a copy of them, the
    # user's callbacks see them, and the checkpoint, last, holds what all of them did.
    # Names of their own, so that those of the user's callbacks are free.
    callbacks = [("fer_seeds", seeds), *parts.items(), *(clf.callbacks or [])]
    if tasks is not None:
        callbacks.append(("fer_tasks", tasks))
    if clf.checkpoint is not None and not single_epoch:
        settings = training_settings(clf, train, valid, seed)
        parts |= _with_a_state(clf.callbacks or [])
        checkpoint = Checkpoint(clf.checkpoint, settings=settings, parts=parts)
        callbacks.append(("fer_checkpoint", checkpoint))
    return callbacks


def _with_a_state(callbacks) -> dict:
    """Find the user's callbacks that a resumed training restores."""
    return {
        name: callback
        for name, callback in (pair for pair in callbacks if isinstance(pair, tuple))
        if hasattr(callback, "state_dict") and hasattr(callback, "load_state_dict")
    }


def _make_parts(clf, valid, *, single_epoch: bool) -> dict:
    """Make the callbacks that have a state, by name."""
    parts = {
        "fer_schedule": Schedule(
            "constant" if single_epoch else clf.lr_schedule,
            lr=resolve_lr(clf),
            max_epochs=1 if single_epoch else clf.max_epochs,
            max_time=None if single_epoch else clf.max_time,
            clean_fraction=clf.clean_fraction,
            plateau_patience=max(1, clf.n_iter_no_change * 2 // 3),
        )
    }
    if clf.ema_decay is not None:
        parts["fer_averaging"] = WeightAveraging(clf.ema_decay)
    if clf.early_stopping and valid is not None:
        parts["fer_best"] = BestWeights(clf.n_iter_no_change)
    return parts


class EpochSeeds(Callback):
    """Seed torch and the augmentation in each epoch.

    The random numbers of an epoch then depend on the seed and its number alone, so
    that a resumed training has those of an uninterrupted one.

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
        """Set the epoch, from 1 on."""
        epoch = len(net.history)
        seed_torch(self.seed, epoch, self.device)
        dataset_train.epoch = epoch


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
    """Set the learning rate in each batch, and end the training in time.

    With the curve ``"constant"`` the learning rate is left alone, for a scheduler of
    the user's own.

    Progress runs from 0 to 1, over `max_epochs` or, if a time is given, over
    `max_time`, so that the schedule ends in time on machines of any speed.

    Parameters
    ----------
    curve : {"constant", "cosine", "one-cycle", "plateau"}
        Schedule of the learning rate.
    lr : float
        Its peak.
    max_epochs : int
        Number of epochs, if `max_time` is None.
    max_time : float or None
        Seconds that the training may take, together with what it was resumed from.
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
            # PyTorch waits for one epoch more than its patience, Keras does not.
            patience=self.plateau_patience - 1,
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
        """Resume from a checkpoint."""
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
            # 30 epochs with a clean_fraction of 0.1 end with three clean ones: 27, 28
            # and 29, counted from 0. Rounded: 0.07 * 100 is a little more than 7.
            n_clean = math.ceil(round(self.clean_fraction * self.max_epochs, 9))
            # A single epoch is not all of it clean.
            return epoch >= max(1, self.max_epochs - n_clean)
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
        """Record the learning rate; stop if the loss diverges or the time is over."""
        row = net.history[-1]
        net.history.record("lr", self.used_lr_)
        if not np.isfinite(row["train_loss"]):
            raise FERError(
                f"Training diverged: the loss of epoch {row['epoch']} is "
                f"{row['train_loss']}. Lower the learning rate (it is {self.lr})."
            )
        if self.curve == "plateau":
            self.plateau_.step(float(row.get("valid_accuracy", -row["train_loss"])))
        if self.max_time is not None:
            self.epoch_time_ = self.elapsed() - self.epoch_started_
            if self.elapsed() + self.epoch_time_ / 2 > self.max_time:
                net.stop("max_time")


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
        # A decay of 0.999 remembers about 1,000 steps, which is four to five epochs of
        # FER2013. Earlier it is less: 2 / 11 after the first step, 101 / 110 after 100.
        n_steps = int(n_averaged) + 1
        decay = min(self.decay, (1 + n_steps) / (10 + n_steps))
        torch._foreach_lerp_(averages, values, 1 - decay)

    def state_dict(self):
        """State for a checkpoint."""
        return {"average": self.average_.state_dict(), "trained": self.trained_}

    def load_state_dict(self, state):
        """Resume from a checkpoint."""
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


class BestWeights(Callback):
    """Stop when validation accuracy no longer rises; end with the best weights.

    Parameters
    ----------
    patience : int
        Epochs without a new best before the training stops.
    """

    def __init__(self, patience: int):
        self.patience = patience

    def on_train_begin(self, net, **kwargs):
        """Forget previous trainings."""
        self.best_score_ = -1.0
        self.best_epoch_ = None
        self.best_weights_ = None

    def state_dict(self):
        """State for a checkpoint."""
        return {
            "score": self.best_score_,
            "epoch": self.best_epoch_,
            "weights": self.best_weights_,
        }

    def load_state_dict(self, state):
        """Resume from a checkpoint."""
        self.best_score_ = state["score"]
        self.best_epoch_ = state["epoch"]
        self.best_weights_ = state["weights"]

    def on_epoch_end(self, net, **kwargs):
        """Keep the weights if they are the best so far."""
        row = net.history[-1]
        if row["valid_accuracy"] > self.best_score_:
            self.best_score_ = float(row["valid_accuracy"])
            self.best_epoch_ = row["epoch"]
            self.best_weights_ = deepcopy(net.module_.state_dict())
        elif row["epoch"] - self.best_epoch_ >= self.patience:
            net.stop("early_stopping")

    def on_train_end(self, net, **kwargs):
        """Restore the best weights."""
        if self.best_weights_ is not None:
            net.module_.load_state_dict(self.best_weights_)
            self.best_weights_ = None


class FitTasks(Callback):
    """Notify scikit-learn's callbacks (`ProgressBar`, `ScoringMonitor`) of each epoch.

    Parameters
    ----------
    clf : FERClassifier
        Whose training this is.
    context : sklearn.callback.CallbackContext
        The task that the epochs are parts of.
    X, y : array-like
        The training data.
    """

    def __init__(self, clf, context, X, y):
        self.clf = clf
        self.context = context
        self.X = X
        self.y = y

    def on_epoch_begin(self, net, **kwargs):
        """Begin a task."""
        self.epoch_ = self.context.subcontext(task_name="epoch")
        self.epoch_.call_on_fit_task_begin(estimator=self.clf, X=self.X, y=self.y)

    def on_epoch_end(self, net, **kwargs):
        """End it; stop the training if a callback says so."""

        def attributes():
            # These make a classifier that predicts as if the training ended here.
            predictor = Predictor(net.module_, torch.device(net.device))
            return {"net_": net, "_predictor": predictor, "temperature_": 1.0}

        with torch.random.fork_rng(devices=[]):
            stop = self.epoch_.call_on_fit_task_end(
                estimator=self.clf,
                X=self.X,
                y=self.y,
                reconstruction_attributes=attributes,
            )
        if stop:
            net.stop("callback")

    def on_train_end(self, net, **kwargs):
        """Drop the references to the data."""
        self.clf = self.context = self.epoch_ = self.X = self.y = None
