"""The skorch net that `FERClassifier` trains."""

import dis
import warnings
from traceback import walk_tb

import torch
from sklearn.exceptions import ConvergenceWarning
from skorch import NeuralNetClassifier
from skorch.callbacks import EpochTimer, PassthroughScoring, PrintLog
from skorch.dataset import unpack_data
from skorch.utils import to_tensor
from torch.distributions import Beta
from torch.nn import functional

METRICS = ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy")


class FaceNet(NeuralNetClassifier):
    """A skorch classifier net with mixup, mixed precision and small pictures first.

    Its module is a `Sequential` of ``normalize`` and ``network``: it takes grey
    levels as they are and gives logits. Metrics are recorded a batch at a time, so
    that no epoch needs a second pass.

    Parameters
    ----------
    module, criterion, **kwargs
        As in :class:`skorch.NeuralNetClassifier`; the criterion must not reduce.
    mixup_alpha : float, default=0.0
        Both parameters of the beta distribution that mixup draws from; 0 is none.
    precision : {"float32", "bfloat16"}, default="float32"
        Precision of the products in training.
    progressive_resizing : tuple of (int, float) or None, default=None
        Size in pixels, and until which progress pictures are brought to it.
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
        """Leave weight decay off biases and batch normalisation."""
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
        """Train on; say in `stop_reason` what ended it."""
        if not self.initialized_:
            self.initialize()
        self.stop_reason = None
        self.notify("on_train_begin", X=X, y=y)
        try:
            # The checkpoint of a training that had ended brings back its reason.
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


class StopTraining(Exception):
    """Leaves the training loop; `stop_reason` of the net says why."""


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
    """Weights, if there are any, of other rows of a batch."""
    if not isinstance(inputs, dict):
        return inputs
    return {"sample_weight": inputs["sample_weight"].to(rows.device)[rows]}
