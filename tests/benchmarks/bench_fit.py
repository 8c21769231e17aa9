"""Training: against a loop written by hand, and against Keras.

The comparison with Keras needs FER_BENCH_KERAS_PYTHON, as bench_augmentation.py does.
"""

import os
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from fer_sklearn import FERClassifier, RandomAffineAugmenter, make_baseline_pipeline
from fer_sklearn.networks import GreyLevelNormalizer, make_network

from ._faces import face_images, face_strings, full_size, kind_of_faces
from ._timing import Child, not_measured, speed_up

BATCH = 128
LR = 0.1
EMA_DECAY = 0.999
WARM_UP = 0.05


def rows(rounds):
    """Compare a fit with a loop by hand on one thread, and with Keras on two."""
    torch.set_num_threads(1)
    n_faces = full_size(8192, else_take=512)
    images, emotions = face_images(n_faces)
    view = RandomAffineAugmenter(random_state=0).fit_transform(images)
    classifier = FERClassifier("compact", max_epochs=1, batch_size=BATCH, lr=LR)
    classifier.set_params(random_state=0, device="cpu")

    def fit():
        classifier.fit(view, emotions)

    def by_hand():
        return train_by_hand(view, emotions)

    fit()
    losses = classifier.history_["train_loss"].iloc[0], by_hand()
    if abs(losses[0] - losses[1]) > 0.2:
        raise AssertionError(f"the two trainings are not the same work: {losses}")
    yield speed_up(
        f"`FERClassifier.fit`, one epoch of {n_faces:,} augmented faces, `compact`, "
        f"batch {BATCH}, everything included",
        "a PyTorch loop written by hand, doing the same work with the same functions",
        fit,
        lambda: void(by_hand()),
        rounds=rounds,
        items=n_faces,
        note=kind_of_faces(),
    )
    yield from against_keras(full_size(4096, else_take=256), rounds)


def void(_):
    """Give None, which is no time that `interleave` would take for one."""


def train_by_hand(view, emotions):
    """Train `compact` for an epoch as one would without a library; give the loss.

    Augmentation, normalisation, label smoothing, Nesterov momentum, a cosine, a moving
    average of the weights, loss and accuracy of every batch: what `fit` does.
    """
    torch.manual_seed(0)
    model = make_network("compact", n_classes=7, image_shape=(48, 48))
    model = model.to(memory_format=torch.channels_last).train()
    average = make_network("compact", n_classes=7, image_shape=(48, 48))
    average.load_state_dict(model.state_dict())
    normalize = GreyLevelNormalizer()
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    weights = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.SGD(
        [
            {"params": weights, "weight_decay": 5e-4},
            {"params": others, "weight_decay": 0.0},
        ],
        lr=LR,
        momentum=0.9,
        nesterov=True,
    )
    order = torch.randperm(len(view)).numpy()
    starts = range(0, len(order), BATCH)
    targets = np.asarray(emotions, dtype=np.int64)
    losses, n_correct = [], 0
    for step, start in enumerate(starts):
        progress = step / len(starts)
        late = (progress - WARM_UP) / (1 - WARM_UP)
        early = max(progress, 1e-3) / WARM_UP
        factor = early if progress < WARM_UP else 0.5 * (1 + np.cos(np.pi * late))
        for group in optimizer.param_groups:
            group["lr"] = LR * factor
        rows = order[start : start + BATCH]
        faces = torch.from_numpy(view.sample(rows, 1))
        labels = torch.from_numpy(targets[rows])
        logits = model(normalize(faces))
        loss = criterion(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        decay = min(EMA_DECAY, (2 + step) / (11 + step))
        with torch.no_grad():
            new = model.state_dict()
            for name, tensor in average.state_dict().items():
                if tensor.is_floating_point():
                    tensor.lerp_(new[name], 1 - decay)
        losses.append(loss.item())
        n_correct += (logits.argmax(dim=1) == labels).sum().item()
    return float(np.mean(losses))


def against_keras(n_faces, rounds):
    """Compare the baseline's epoch, from pixel strings, with Keras on two threads."""
    what = (
        f"the baseline's epoch through `make_baseline_pipeline`, {n_faces:,} pixel "
        "strings, batch 32, 2 threads"
    )
    against = "the same network, batch, optimiser and augmentation in Keras, 2 threads"
    python = os.environ.get("FER_BENCH_KERAS_PYTHON")
    if not python:
        note = "FER_BENCH_KERAS_PYTHON names no Python with Keras"
        yield not_measured(what, against, note=note)
        return
    torch.set_num_threads(2)
    strings, emotions = face_strings(n_faces)
    images, _ = face_images(n_faces)
    pipe = make_baseline_pipeline(max_epochs=1, early_stopping=False, random_state=0)

    def fit(precision):
        pipe.set_params(cnn__precision=precision, cnn__device="cpu")
        pipe.fit(strings, emotions)

    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder, "faces.npz"), images=images, emotions=emotions)
        script = Path(__file__).with_name("_keras_fit.py")
        about = {"rounds": rounds, "items": n_faces, "note": kind_of_faces()}
        with Child(python, script, Path(folder, "faces.npz"), 2) as keras:
            for precision in ("float32", "bfloat16"):
                ours = partial(fit, precision)
                name = f"{what}, {precision}"
                yield speed_up(name, f"{against}, float32", ours, keras, **about)
