"""Make fer_sklearn/datasets/soft_labels.npz: train five networks out of fold.

    python -m tests.benchmarks.make_soft_labels fer2013.csv fer2013new.csv OUT.npz

Each network is trained three times, on two thirds of Training, and predicts the rest.
Copies of a face are in one third. The file of the package was made with --seconds 250
for each of the 15 trainings, all at once on an NVIDIA H200 (31 to 50 epochs); here
they run one after another, so give fewer seconds for a trial.
"""

import argparse
from functools import partial

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from torch import nn
from torch.nn import functional

from fer_sklearn import (
    FERClassifier,
    PixelStringTransformer,
    RandomAffineAugmenter,
    load_fer2013,
)
from fer_sklearn.datasets import join_ferplus
from fer_sklearn.datasets._soft_labels import face_hash
from fer_sklearn.model_selection import face_groups
from fer_sklearn.networks import ConvNet


class Block(nn.Module):
    """Residual block with squeeze-and-excitation."""

    def __init__(self, n_in, n_out, stride):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.SiLU(inplace=True),
            nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(n_out),
        )
        self.squeeze = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(n_out, n_out // 8, 1),
            nn.SiLU(),
            nn.Conv2d(n_out // 8, n_out, 1),
            nn.Sigmoid(),
        )
        self.skip = nn.Identity()
        if stride > 1 or n_in != n_out:
            self.skip = nn.Sequential(
                nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out)
            )

    def forward(self, x):
        """Add the weighted channels to the input."""
        out = self.body(x)
        return functional.silu(out * self.squeeze(out) + self.skip(x))


def residual(n_classes):
    """Build a residual network of four stages."""
    widths = (32, 64, 128, 256)
    layers = [nn.Conv2d(1, 32, 3, 1, 1, bias=False), nn.BatchNorm2d(32), nn.SiLU()]
    n_in = 32
    for stage, n_out in enumerate(widths):
        layers += [Block(n_in, n_out, 2 if stage else 1), Block(n_out, n_out, 1)]
        n_in = n_out
    end = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3)]
    return nn.Sequential(*layers, *end, nn.Linear(n_in, n_classes))


def plain(*widths):
    """Build a `ConvNet` with more dropout than those of the package."""
    return partial(ConvNet, widths=widths, dropout=0.4)


# Network, whether it learns from the votes as well, and what else differs.
MEMBERS = [
    ("compact", False, {}),
    (
        plain((32, 32), (64, 64), (128, 128), (256, 256)),
        False,
        {"normalization": "dataset", "erasing_probability": 0.5},
    ),
    (plain((48,), (96, 96), (192, 192), (384, 384)), True, {}),
    (residual, True, {"lr": 0.1}),
    (
        plain((16, 32), (64, 64), (160, 160, 160), (320, 320, 320)),
        True,
        {"normalization": "dataset", "progressive_resizing": None},
    ),
]


def train(network, X, y, soft, seconds, seed, *, erasing_probability=0.25, **params):
    """Train one network."""
    settings = {
        "max_time": seconds,
        "batch_size": 256,
        "lr": 0.2,
        "mixup_alpha": 0.2,
        "clean_fraction": 0.08,
        "label_smoothing": 0.05,
        "progressive_resizing": (32, 0.4),
        "test_time_flip": True,
        "num_workers": 1,
        "random_state": seed,
    }
    augmenter = RandomAffineAugmenter(
        erasing_probability=erasing_probability, backend="torch", random_state=seed
    )
    clf = FERClassifier(network, **(settings | params))
    view = augmenter.fit_transform(X)
    return clf.fit(view, y, soft_targets=soft, soft_target_weight=0.4)


def main():
    """Train, predict out of fold, and write the mean of the networks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("csv")
    parser.add_argument("votes")
    parser.add_argument("out")
    parser.add_argument("--seconds", type=float, default=250)
    args = parser.parse_args()
    faces = join_ferplus(load_fer2013(args.csv, usage="Training"), args.votes)
    X, y = PixelStringTransformer().transform(faces.data), np.asarray(faces.target)
    translation = LogisticRegression(max_iter=2000).fit(faces.votes / 10, y)
    votes = translation.predict_proba(faces.votes / 10)
    groups = face_groups(X, mirrored=True, tolerance=12)
    folds = StratifiedGroupKFold(3, shuffle=True, random_state=0).split(X, y, groups)
    y_prob = np.zeros((len(MEMBERS), *votes.shape))
    for fold, (kept, held) in enumerate(folds):
        for member, (network, with_votes, params) in enumerate(MEMBERS):
            soft = votes[kept] if with_votes else None
            seed = 10 * fold + member
            clf = train(network, X[kept], y[kept], soft, args.seconds, seed, **params)
            y_prob[member, held] = clf.predict_proba(X[held])
            accuracy = np.mean(y_prob[member, held].argmax(axis=1) == y[held])
            print(f"network {member}, fold {fold}: {accuracy:.4f}", flush=True)
    mean = y_prob.mean(axis=0)
    print(f"mean: {np.mean(mean.argmax(axis=1) == y):.4f}")
    hashes = np.array([face_hash(text) for text in faces.data], dtype=np.uint64)
    unique, place = np.unique(hashes, return_inverse=True)
    sums = np.zeros((len(unique), mean.shape[1]))
    np.add.at(sums, place, mean)  # copies of a face have their mean
    probabilities = sums / sums.sum(axis=1, keepdims=True)
    np.savez_compressed(
        args.out, hashes=unique, probabilities=probabilities.astype(np.float16)
    )


if __name__ == "__main__":
    main()
