"""Train the Keras baseline to its end, on a random and on a split without copies.

    python -m tests.benchmarks.measure_baseline train fer2013.csv random OUT
    python -m tests.benchmarks.measure_baseline train fer2013.csv faces OUT
    python -m tests.benchmarks.measure_baseline draw OUT docs/images/baseline.png

A fifth of the rows of Training and PublicTest is held out: it ends the training, as in
the notebook, and gives the accuracy. OUT receives a checkpoint, from which the same
command goes on, and at the end SPLIT.csv with a row per epoch and SPLIT.json with the
accuracy of the best epoch and of its validation faces without a copy in training.
"""

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import pandas as pd
import torch
from sklearn.model_selection import train_test_split

from fer_sklearn import load_fer2013, make_baseline_pipeline, save_model
from fer_sklearn.metrics import accuracy_interval
from fer_sklearn.model_selection import train_test_split_faces, unseen_rows

SPLITS = {"random": "random split", "faces": "copies of a face on one side"}
COLOURS = ["#1f5fa8", "#c25700"]
NOTEBOOK = 0.675  # the highest validation accuracy in Keras


def split_rows(faces, how, seed):
    """Split at random row by row, or with all copies of a face on one side."""
    arguments = {"test_size": 0.2, "random_state": seed}
    if how == "faces":
        return train_test_split_faces(faces.data, faces.target, **arguments)
    return train_test_split(
        faces.data, faces.target, stratify=faces.target, **arguments
    )


def accuracy(y_true, y_pred):
    """Give the accuracy, its confidence interval and the number of faces."""
    correct = y_true == y_pred
    return {
        "accuracy": float(correct.mean()),
        "interval": [float(end) for end in accuracy_interval(y_true, y_pred)],
        "n_faces": len(correct),
    }


def train(args):
    """Train on one split, and write what came out."""
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    faces = load_fer2013(args.csv, usage=("Training", "PublicTest"))
    X, X_val, y, y_val = split_rows(faces, args.split, args.seed)
    pipe = make_baseline_pipeline(
        random_state=args.seed,
        max_epochs=args.epochs,
        precision=args.precision,
        checkpoint=args.out / f"{args.split}.ckpt",
        verbose=1,
    )
    pipe.fit(X, y, cnn__X_val=X_val, cnn__y_val=y_val)
    history = pipe["cnn"].history_
    history.to_csv(args.out / f"{args.split}.csv", index=False)
    save_model(pipe, args.out / f"{args.split}.fer")
    y_pred = pipe.predict(X_val)
    unseen = unseen_rows(X_val, X)
    result = {
        "n_epochs": len(history),
        "best_epoch": int(history["valid_accuracy"].idxmax()) + 1,
        "all": accuracy(y_val, y_pred),
        "without_copy": accuracy(y_val[unseen], y_pred[unseen]),
    }
    text = json.dumps(result, indent=2)
    (args.out / f"{args.split}.json").write_text(text + "\n")
    print(text)


def draw(args):
    """Draw the accuracy of both splits by epoch."""
    figure, axis = plt.subplots(figsize=(8, 4.2), layout="constrained")
    for (split, label), colour in zip(SPLITS.items(), COLOURS, strict=True):
        history = pd.read_csv(args.out / f"{split}.csv").set_index("epoch")
        train, valid = history["train_accuracy"], history["valid_accuracy"]
        axis.plot(train, ":", color=colour)
        axis.plot(valid, color=colour, label=f"{label}: {valid.max():.3f}")
        axis.plot(valid.idxmax(), valid.max(), "o", color=colour)
    axis.axhline(NOTEBOOK, color="#666666", linewidth=1, linestyle="--")
    axis.annotate(
        f"the notebook: {NOTEBOOK}", (1, NOTEBOOK), (0, 4), textcoords="offset points"
    )
    axis.plot([], [], ":", color="#666666", label="training, augmented faces")
    axis.legend(frameon=False, loc="lower right", title="held-out faces, best epoch")
    axis.set(xlabel="epoch", ylabel="accuracy", ylim=(0.2, None))
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(alpha=0.25)
    figure.savefig(args.picture, dpi=110)


def main():
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("train")
    command.set_defaults(run=train)
    command.add_argument("csv")
    command.add_argument("split", choices=SPLITS)
    command.add_argument("out", type=Path)
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--threads", type=int, default=2)
    command.add_argument("--epochs", type=int, default=100)
    command.add_argument("--precision", default="bfloat16")
    command = commands.add_parser("draw")
    command.set_defaults(run=draw)
    command.add_argument("out", type=Path)
    command.add_argument("picture", type=Path)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
