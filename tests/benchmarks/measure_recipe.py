"""Ask of each part of the recipe what it brings: many short trainings of nano on a GPU.

    python -m tests.benchmarks.measure_recipe fer2013.csv fer2013new.csv OUT.json

Each row differs from the first in one thing. All trainings of a row have other seeds;
all rows have the same number of epochs, which follows from `--minutes`. The table of
docs/user_guide/training.md was made from OUT.json.
"""

import argparse
import json
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from fer_sklearn.datasets import load_soft_labels
from fer_sklearn.networks import nano

from .train_pool import (
    DEVICE,
    GPU,
    Block,
    Training,
    hard_targets,
    read_faces,
    run_side_by_side,
    say,
)

SEEDS = (0, 1)


class _AverageAndMaximum(nn.Module):
    """Half of the channels averaged over the picture, of the other half the maximum."""

    def forward(self, x):
        average, largest = x.chunk(2, 1)
        return torch.cat([average.mean((2, 3)), largest.amax((2, 3))], 1)[
            :, :, None, None
        ]


class _Squeeze(nn.Module):
    """Squeeze-and-excitation."""

    def __init__(self, n):
        super().__init__()
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(n, n // 8, 1),
            nn.ReLU(),
            nn.Conv2d(n // 8, n, 1),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return x * self.weigh(x)


def reference():
    """Build nano."""
    return nano(7)


def changed(*, activation=None, pool=None, squeeze=False, dropout=0.1):
    """Build nano with one thing changed."""
    net = nano(7, dropout=dropout)
    if pool is not None:
        net.average = pool()
    for index in range(4):
        stage = getattr(net, f"stage{index}")
        if activation is not None:
            for place, layer in enumerate(stage):
                if isinstance(layer, nn.ReLU):
                    stage[place] = activation()
        if squeeze:
            stage.append(_Squeeze(stage[-2].num_features))
    return net


def residual():
    """Build a network of as many weights as nano from residual blocks."""
    stem = [nn.Conv2d(1, 24, 3, 2, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU()]
    blocks = [
        Block(24, 48, 2, False),
        Block(48, 80, 2, False),
        Block(80, 128, 2, False),
    ]
    end = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.1), nn.Linear(128, 7)]
    return nn.Sequential(*stem, *blocks, *end)


def measure(faces, labels, votes, out_of_fold, X_val, y_val, *, minutes, out):
    """Train every row, and write the accuracies.

    Parameters
    ----------
    faces, labels, votes, X_val, y_val, minutes
        As in `train_pool`.
    out_of_fold : ndarray of shape (n_samples, 7)
        What networks say that have not seen the face.
    out : Path
        A json file.
    """
    faces, X_val = (torch.from_numpy(part).to(DEVICE) for part in (faces, X_val))
    hard = hard_targets(labels)
    one_hot = hard_targets(labels, smoothing=0.0)
    people, networks = (
        torch.from_numpy(part.astype(np.float32)).to(DEVICE)
        for part in (votes, out_of_fold)
    )
    known = networks.sum(1, keepdim=True) > 0
    networks = torch.where(known, networks, hard)

    def towards(soft, share):
        return share * soft + (1 - share) * hard

    # As much smoothing as the networks doubt the label.
    doubt = 0.4 * (1 - (networks * one_hot).sum(1, keepdim=True))
    rows = [
        ("reference", reference, hard, {}),
        ("votes, share 0.25", reference, towards(people, 0.25), {}),
        ("votes, share 0.5", reference, towards(people, 0.5), {}),
        ("out of fold, share 0.25", reference, towards(networks, 0.25), {}),
        ("out of fold, share 0.5", reference, towards(networks, 0.5), {}),
        (
            "votes and out of fold, 0.25 each",
            reference,
            towards((people + networks) / 2, 0.5),
            {},
        ),
        (
            "smoothing by doubt of the label",
            reference,
            (1 - doubt) * one_hot + doubt * networks,
            {},
        ),
        ("no label smoothing", reference, one_hot, {}),
        ("label smoothing 0.1", reference, hard_targets(labels, smoothing=0.1), {}),
        ("no mixup", reference, hard, {"mixup": 0.0}),
        ("mixup 0.4", reference, hard, {"mixup": 0.4}),
        ("no erasing", reference, hard, {"erasing": 0.0}),
        ("no clean end", reference, hard, {"clean_epochs": 0}),
        ("clean end of 12 epochs", reference, hard, {"clean_epochs": 12}),
        ("sharpness-aware clean end", reference, hard, {"sharpness": 0.05}),
        ("48 pixels throughout", reference, hard, {"small_share": 0.0}),
        ("batches of 128, lr 0.1", reference, hard, {"batch": 128, "lr": 0.1}),
        ("batches of 512, lr 0.4", reference, hard, {"batch": 512, "lr": 0.4}),
        ("weight decay 1e-3", reference, hard, {"weight_decay": 1e-3}),
        ("dropout 0.3", partial(changed, dropout=0.3), hard, {}),
        ("squeeze-and-excitation", partial(changed, squeeze=True), hard, {}),
        ("SiLU", partial(changed, activation=nn.SiLU), hard, {}),
        (
            "average and maximum",
            partial(changed, pool=_AverageAndMaximum),
            hard,
            {},
        ),
        ("residual blocks", residual, hard, {}),
    ]
    if not GPU:
        rows = [(*row[:3], {**row[3], "batch": 32}) for row in rows]
    longest = 200 if GPU else 14
    trainings = []
    for name, make, targets, params in rows:
        for seed in SEEDS:
            new = Training(name, make, faces, targets, seed=seed, **params)
            new.prepare(longest)
            trainings.append(new)
    # Twice as fast side by side as one after another: nano is small.
    seconds = sum(training.epoch_seconds for training in trainings)
    epochs = min(longest, int(2 * 60 * minutes / seconds)) if GPU else 14
    say(f"{len(trainings)} trainings of {epochs} epochs")
    table = {}
    for training in trainings:
        training.plan(epochs)
    gain = run_side_by_side(trainings, most=12)
    say(f"gain {gain:.2f}")
    for training in trainings:
        scores = table.setdefault(training.name, {"plain": [], "mirrored": []})
        for key, mirrored in (("plain", False), ("mirrored", True)):
            prob = training.predict_proba(X_val, mirrored=mirrored, half=False)
            correct = prob.argmax(1).cpu().numpy() == y_val
            scores[key].append(float(correct.mean()))
    out.write_text(json.dumps({"epochs": epochs, "rows": table}, indent=1))
    for name, scores in table.items():
        means = (100 * np.mean(scores[key]) for key in ("plain", "mirrored"))
        say(f"{name:34s}", " ".join(f"{mean:6.2f}" for mean in means))


def main():
    """Read the faces and the votes, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv")
    parser.add_argument("votes")
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=4)
    args = parser.parse_args()
    X, y, votes, X_val, y_val = read_faces(args.csv, args.votes)
    soft = load_soft_labels(X)
    measure(X, y, votes, soft, X_val, y_val, minutes=args.minutes, out=args.out)


if __name__ == "__main__":
    main()
