"""From the parameters of a classifier to its net and callbacks."""

import re

import numpy as np
import torch
from skorch.helper import predefined_split
from torch import nn

from ._averaging import WeightAveraging
from ._best_weights import BestWeights
from ._checkpoint import Checkpoint
from ._dataset import collate
from ._devices import resolve_device
from ._net import FaceNet
from ._schedule import Schedule
from ._seeding import EpochSeeds

OPTIMIZERS = {
    "sgd": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {}),
}
# Peaks of the learning rate.
DEFAULT_LR = {"sgd": 0.1, "adam": 1e-3, "adamw": 1e-3}
# Parameters of a classifier that change nothing in the weights it ends with.
WITHOUT_EFFECT = {
    "callbacks",
    "checkpoint",
    "device",
    "num_workers",
    "temperature",
    "test_time_flip",
    "verbose",
}


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
    """Peak of the learning rate; a tenth of it keeps what a model has learnt."""
    if clf.lr != "auto":
        return clf.lr
    return DEFAULT_LR[clf.optimizer] / (1 if clf.pretrained is None else 10)


def make_callbacks(clf, train, valid, seed, *, single_epoch, tasks=None) -> list:
    """Everything that is notified of a training, in the order it is."""
    parts = _make_parts(clf, valid, single_epoch=single_epoch)
    seeds = EpochSeeds(seed, resolve_device(clf.device))
    # Names of their own, so that those of the user's callbacks are free.
    callbacks = [("fer_seeds", seeds), *parts.items(), *(clf.callbacks or [])]
    if tasks is not None:
        callbacks.append(("fer_tasks", tasks))
    if clf.checkpoint is not None and not single_epoch:
        settings = _settings(clf, train, valid, seed)
        parts |= _with_a_state(clf.callbacks or [])
        checkpoint = Checkpoint(clf.checkpoint, settings=settings, parts=parts)
        callbacks.append(("fer_checkpoint", checkpoint))
    return callbacks


def _with_a_state(callbacks) -> dict:
    """Those of the user's callbacks that a resumed training has to bring back."""
    return {
        name: callback
        for name, callback in (pair for pair in callbacks if isinstance(pair, tuple))
        if hasattr(callback, "state_dict") and hasattr(callback, "load_state_dict")
    }


def _settings(clf, train, valid, seed) -> dict:
    """Everything that the result of a training depends on, as plain values."""
    settings = {
        name: value if isinstance(value, int | float | None) else _described(value)
        for name, value in clf.get_params(deep=False).items()
        if name not in WITHOUT_EFFECT
    }
    if not isinstance(clf.network, str):
        # A partial function has no name of its own.
        name = getattr(clf.network, "__qualname__", str(clf.network))
        settings["network"] = _described(f"{clf.network.__module__}.{name}")
    settings["random_state"] = seed
    settings["augmentation"] = str(getattr(train.faces, "settings", None))
    settings["training data"] = train.fingerprint()
    settings["validation data"] = None if valid is None else valid.fingerprint()
    return settings


def _described(value) -> str:
    # The address of an object is another in each process.
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))


def _make_parts(clf, valid, *, single_epoch: bool) -> dict:
    """Callbacks that have a state of their own, by name."""
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
