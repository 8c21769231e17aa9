"""Train the Keras baseline to its end, on a random and on a split without copies.

    python -m tests.benchmarks.measure_baseline fer2013.csv random OUT [--threads 2]
    python -m tests.benchmarks.measure_baseline fer2013.csv faces OUT

A fifth of the rows of Training and PublicTest is held out: it ends the training, as in
the notebook, and gives the accuracy. OUT receives a checkpoint, from which the same
command goes on, and at the end SPLIT.csv with a row per epoch and SPLIT.json with the
accuracy of the best epoch and of its validation faces without a copy in training.
"""

import argparse
import json
from pathlib import Path

import torch
from sklearn.model_selection import train_test_split

from fer_sklearn import load_fer2013, make_baseline_pipeline, save_model
from fer_sklearn.metrics import accuracy_interval
from fer_sklearn.model_selection import train_test_split_faces, unseen_rows


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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv")
    parser.add_argument("split", choices=("random", "faces"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--precision", default="bfloat16")
    args = parser.parse_args()
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
    cnn = pipe["cnn"]
    cnn.history_.to_csv(args.out / f"{args.split}.csv", index=False)
    save_model(pipe, args.out / f"{args.split}.fer")
    y_pred = pipe.predict(X_val)
    unseen = unseen_rows(X_val, X)
    result = {
        "command": vars(args) | {"out": str(args.out)},
        "epochs": len(cnn.history_),
        "best_epoch": int(cnn.history_["valid_accuracy"].idxmax()) + 1,
        "all": accuracy(y_val, y_pred),
        "without_copy": accuracy(y_val[unseen], y_pred[unseen]),
    }
    (args.out / f"{args.split}.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
