"""The skorch net that `FERClassifier` trains."""

import dis
import warnings
from traceback import walk_tb

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from skorch import NeuralNetClassifier
from skorch.callbacks import EpochTimer, PassthroughScoring, PrintLog
from skorch.dataset import unpack_data
from skorch.helper import predefined_split
from skorch.utils import to_tensor
from torch import nn
from torch.distributions import Beta
from torch.nn import functional

from .data import collate

OPTIMIZERS = {
    "sgd": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {}),
}
# What lr="auto" stands for.
DEFAULT_LR = {"sgd": 0.1, "adam": 1e-3, "adamw": 1e-3}


class StopTraining(Exception):
    """Leaves the training loop; `stop_reason` of the net says why."""


STOP_REASONS = {"max_epochs", "max_time", "early_stopping", "interrupt", "callback"}
METRICS = ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy")


class FaceNet(NeuralNetClassifier):
    """A skorch net with mixup, mixed precision and progressive resizing.

    Its module is a `Sequential` of ``normalize`` and ``network``: it takes grey
    levels as they are and gives logits. Metrics are recorded batch by batch, so that
    no epoch needs a second pass.

    Parameters
    ----------
    module, criterion, **kwargs
        As in :class:`skorch.NeuralNetClassifier`; the criterion must not reduce.
    mixup_alpha : float, default=0.0
        Both parameters of the beta distribution that mixup draws from; 0 is none.
    precision : {"float32", "bfloat16"}, default="float32"
        Precision of the products in training.
    progressive_resizing : tuple of (int, float) or None, default=None
        Size in pixels of the longer side, and the share of the training, from its
        start, that faces are shrunk to it.
    """

    def __init__(
        self,
        module,
        criterion,
        *,
        mixup_alpha=0.0,
        precision="float32",
        progressive_resizing=None,
        **kwargs,
    ):
        self.mixup_alpha = mixup_alpha
        self.precision = precision
        self.progressive_resizing = progressive_resizing
        self.training_progress = 0.0
        self.clean = False
        self.stop_reason: str | None = None
        super().__init__(module, criterion=criterion, **kwargs)

    @property
    def _default_callbacks(self):
        scorings = [
            (name, PassthroughScoring(name, on_train=name.startswith("train")))
            for name in METRICS
        ]
        return [("epoch_timer", EpochTimer()), *scorings, ("print_log", PrintLog())]

    def initialize_optimizer(self, triggered_directly=None):
        """Apply no weight decay to biases and batch normalisation."""
        params = [p for p in self.module_.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in params if p.ndim > 1]},
            {"params": [p for p in params if p.ndim <= 1], "weight_decay": 0.0},
        ]
        kwargs = self.get_params_for("optimizer")
        self.optimizer_ = self.optimizer(
            [group for group in groups if group["params"]], lr=self.lr, **kwargs
        )
        return self

    def infer(self, x, **fit_params):
        """Logits of grey-level faces, or of a dictionary that holds them."""
        faces = x["faces"] if isinstance(x, dict) else x
        return self.module_(to_tensor(faces, device=self.device))

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """Mean loss; weighted if `X` carries weights."""
        losses = self.criterion_(y_pred, to_tensor(y_true, device=self.device))
        if isinstance(X, dict):
            losses = losses * X["sample_weight"].to(losses.device)
        return losses.mean()

    def stop(self, reason: str) -> None:
        """End the training: no further batch, then validation as in any epoch."""
        self.stop_reason = self.stop_reason or reason

    def notify(self, method_name, **cb_kwargs):
        """Notify every callback, then end the training if one of them asked for it.

        A callback calls `stop`, so that those after it still see the epoch. skorch's
        own (`EarlyStopping`, ...) raise KeyboardInterrupt instead, as Ctrl-C does.
        """
        # Say early stopping asks for the end in epoch 7. An exception, as in skorch,
        # would leave the callbacks after it without this epoch: no checkpoint, no row
        # in a user's log. So the reason is kept until all of them were notified.
        for callback in (self, *(callback for _, callback in self.callbacks_)):
            try:
                getattr(callback, method_name)(self, **cb_kwargs)
            except KeyboardInterrupt as error:
                if not _raised_by_skorch(error):
                    raise
                self.stop("callback")
        if self.stop_reason and method_name == "on_epoch_end":
            raise StopTraining

    def run_single_epoch(self, iterator, training, *args, **kwargs):
        """Run an epoch; one that is cut short is validated and recorded like others."""
        if training:
            iterator = self._until_stopped(iterator)
        super().run_single_epoch(iterator, training, *args, **kwargs)

    def _until_stopped(self, batches):
        for n_done, batch in enumerate(batches, start=1):
            yield batch
            if not self.stop_reason:
                continue
            if self.stop_reason == "max_time" and len(self.history) == 1:
                warnings.warn(
                    f"max_time ended the training after {n_done} of {len(batches)} "
                    "batches of its first epoch. Give it more time, or train on fewer "
                    "faces or with a smaller network.",
                    ConvergenceWarning,
                    stacklevel=2,
                )
            return

    def _autocast(self):
        return torch.autocast(
            torch.device(self.device).type,
            dtype=torch.bfloat16,
            enabled=self.precision == "bfloat16",
        )

    def _resize(self, faces):
        if self.progressive_resizing is None:
            return faces
        size, until = self.progressive_resizing
        shape = faces.shape[-2:]
        if self.training_progress >= until or size >= max(shape):
            return faces
        small = [max(1, round(side * size / max(shape))) for side in shape]
        return functional.interpolate(
            faces, size=small, mode="bilinear", antialias=True
        )

    def train_step_single(self, batch, **fit_params):
        """Compute loss and gradients of one batch."""
        self._set_training(True)
        inputs, targets = unpack_data(batch)
        grey_levels = inputs["faces"] if isinstance(inputs, dict) else inputs
        targets = targets.to(self.device)
        faces = self.module_.normalize(to_tensor(grey_levels, device=self.device))
        faces = self._resize(faces)
        # Mixup: with share 0.7, a face is 70 % of itself and 30 % of its partner. Its
        # loss is 70 % of that with its own label and 30 % of that with its partner's.
        share, partner = 1.0, None
        if self.mixup_alpha and not self.clean:
            share = Beta(self.mixup_alpha, self.mixup_alpha).sample().item()
            partner = torch.randperm(len(faces), device=faces.device)
            faces = share * faces + (1 - share) * faces[partner]
        with self._autocast():
            logits = self.module_.network(faces)
        logits = logits.float()
        loss = self.get_loss(logits, targets, X=inputs, training=True)
        if partner is not None:
            other = self.get_loss(
                logits, targets[partner], X=_pick(inputs, partner), training=True
            )
            loss = share * loss + (1 - share) * other
        loss.backward()
        self._record_accuracy("train_accuracy", logits, targets)
        return {"loss": loss, "y_pred": logits}

    def validation_step(self, batch, **fit_params):
        """Compute the loss of one batch under the weights that will be kept."""
        self._set_training(False)
        inputs, targets = unpack_data(batch)
        targets = targets.to(self.device)
        with torch.inference_mode():
            with self._autocast():
                logits = self.infer(inputs)
            logits = logits.float()
            loss = functional.cross_entropy(logits, targets)
        self._record_accuracy("valid_accuracy", logits, targets)
        return {"loss": loss, "y_pred": logits}

    def _record_accuracy(self, name, logits, targets):
        if targets.ndim == 2:
            targets = targets.argmax(dim=1)
        correct = (logits.argmax(dim=1) == targets).float().mean()
        self.history.record_batch(name, correct.item())

    def partial_fit(self, X, y=None, classes=None, **fit_params):
        """Continue the training; `stop_reason` says what ended it."""
        if not self.initialized_:
            self.initialize()
        self.stop_reason = None
        self.notify("on_train_begin", X=X, y=y)
        try:
            # The checkpoint of a training that has ended restores the reason.
            if self.stop_reason is None:
                schedule = dict(self.callbacks_).get("fer_schedule")
                epochs = schedule.epochs_left(self) if schedule else self.max_epochs
                self.fit_loop(X, y, epochs=epochs, **fit_params)
                self.stop_reason = "max_epochs"
        except StopTraining:
            pass
        except KeyboardInterrupt:
            self.stop_reason = "interrupt"
        if self.history and "train_loss" not in self.history[-1]:
            self.history.pop()  # an epoch that Ctrl-C cut short
        if self.stop_reason == "interrupt" and not self.history:
            raise KeyboardInterrupt("Training interrupted in its first epoch.")
        self.notify("on_train_end", X=X, y=y)
        self._set_training(False)
        return self


def _raised_by_skorch(error: KeyboardInterrupt) -> bool:
    """Tell the stop of a callback of skorch from Ctrl-C while one is running.

    A callback executes a raise statement, whereas Ctrl-C comes at any other
    instruction of the frame.
    """
    *_, (frame, _) = walk_tb(error.__traceback__)
    position = frame.f_lasti
    if not frame.f_globals.get("__name__", "").startswith("skorch.callbacks"):
        return False
    return frame.f_code.co_code[position] == dis.opmap["RAISE_VARARGS"]


def _pick(inputs, rows):
    """Sample weights, if there are any, of the partners in mixup."""
    if not isinstance(inputs, dict):
        return inputs
    return {"sample_weight": inputs["sample_weight"].to(rows.device)[rows]}


def make_net(
    clf, module, *, callbacks=(), valid=None, drop_last=False, device=None
) -> FaceNet:
    """Build the skorch net of a classifier around a module."""
    optimizer, options = OPTIMIZERS[clf.optimizer]
    return FaceNet(
        module.to(memory_format=torch.channels_last),
        nn.CrossEntropyLoss,
        criterion__label_smoothing=clf.label_smoothing,
        criterion__reduction="none",
        optimizer=optimizer,
        optimizer__weight_decay=clf.weight_decay,
        **{f"optimizer__{name}": value for name, value in options.items()},
        lr=resolve_lr(clf),
        batch_size=clf.batch_size,
        max_epochs=clf.max_epochs,
        train_split=None if valid is None else predefined_split(valid),
        iterator_train__shuffle=True,
        iterator_train__drop_last=drop_last,
        iterator_train__num_workers=clf.num_workers,
        iterator_train__collate_fn=collate,
        iterator_valid__collate_fn=collate,
        mixup_alpha=clf.mixup_alpha,
        precision=clf.precision,
        progressive_resizing=clf.progressive_resizing,
        callbacks=list(callbacks),
        classes=np.arange(len(clf.classes_)),
        device=str(device or resolve_device(clf.device)),
        verbose=int(clf.verbose),
    )


def resolve_lr(clf) -> float:
    """Give the peak of the learning rate; a tenth keeps what a model has learnt."""
    if clf.lr != "auto":
        return clf.lr
    return DEFAULT_LR[clf.optimizer] / (1 if clf.pretrained is None else 10)


def resolve_device(device: str) -> torch.device:
    """Turn ``"auto"`` or a PyTorch device name into a device that is there.

    Parameters
    ----------
    device : str
        ``"auto"`` takes the first GPU if there is one, else the CPU.

    Returns
    -------
    torch.device

    Raises
    ------
    ValueError
        If the name is unknown or no such device is available.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        torch.zeros(1, device=resolved).item()  # "meta" makes tensors without values
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"The device {device!r} cannot be used here: "
            f"{str(error).splitlines()[0]} Use 'auto' or 'cpu'."
        ) from error
    return resolved


def resolve_or_cpu(device: str) -> torch.device:
    """Resolve a device; where it is missing, warn and take the CPU.

    For fitted classifiers that are opened on another machine.
    """
    try:
        return resolve_device(device)
    except ValueError:
        warnings.warn(
            f"This classifier was made for device={device!r}, which is not here; it "
            "predicts on the CPU. To train it here, set device='auto'.",
            UserWarning,
            stacklevel=4,
        )
        return torch.device("cpu")


COLUMNS = {
    "epoch": "epoch",
    "train_loss": "train_loss",
    "train_accuracy": "train_accuracy",
    "valid_loss": "valid_loss",
    "valid_accuracy": "valid_accuracy",
    "lr": "lr",
    "dur": "duration",
}


def plain_history(history) -> list[dict]:
    """Rows of a skorch history, without batches, as Python numbers."""
    return [
        {
            name: value.item() if hasattr(value, "item") else value
            for name, value in row.items()
            if name != "batches"
        }
        for row in history
    ]


def restore_history(net, rows: list[dict]) -> None:
    """Fill the history of a new net with plain rows."""
    # Not new_epoch and record: they look at the whole history for each value.
    net.history.extend({"batches": [], **row} for row in rows)


def history_frame(history):
    """Make a table of one row per epoch, under the names that users know."""
    import pandas as pd  # only here: opening a model does without

    frame = pd.DataFrame(plain_history(history), columns=list(COLUMNS))
    return frame.rename(columns=COLUMNS)
