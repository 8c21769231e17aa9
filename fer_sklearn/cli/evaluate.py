"""``fer-sklearn evaluate``: how good a model is on labelled faces."""

import json
import sys

import numpy as np
from sklearn.metrics import (
    confusion_matrix,
    log_loss,
    precision_recall_fscore_support,
)

from .._models import image_shape
from .._utils import require
from ..datasets import class_names
from ..exceptions import FERError
from ..metrics import accuracy_interval, expected_calibration_error
from ..model_selection import unseen_rows
from .labelled_faces import read_faces
from .run_folder import check_output, open_model


def run(args):
    """Score a model and print the result.

    Parameters
    ----------
    args : argparse.Namespace
        With `model`, `data`, `usage`, `unseen_by`, `json`, `report`, `runtime`
        and `threads`.

    Returns
    -------
    status : int
        0.
    """
    _check_report(args.report)
    pipe = open_model(args.model, runtime=args.runtime, threads=args.threads)
    shape = image_shape(pipe)
    faces, use = choose_rows(read_faces(args.data, shape), args.usage, args.data)
    y_prob = pipe.predict_proba(faces.images)
    title = f"{args.data}{use}: {len(faces)} faces"
    reports = {title: measure(pipe, faces, y_prob)}
    if args.unseen_by is not None:
        unseen = _unseen(faces, args.unseen_by, shape)
        title = f"not in {args.unseen_by}: {unseen.sum()} of these {len(faces)} faces"
        reports[title] = measure(pipe, faces[unseen], y_prob[unseen])
    _print(args, list(reports.items()))
    if args.report is not None:
        from .report import write_report

        write_report(
            args.report,
            model=args.model,
            data=f"{args.data}{use}",
            images=faces.images,
            y_true=faces.names,
            y_prob=y_prob,
            names=class_names(pipe),
            parts=list(reports.items()),
        )
    return 0


def _check_report(path):
    """Check that the report can be written before anything is read."""
    if path is None:
        return
    for module in ("jinja2", "matplotlib"):
        require(module, extra="plots")
    check_output(path, "--report names the HTML file")


def choose_rows(faces, usage, name):
    """Choose the rows to score, and how to call them in the title; see ``--usage``."""
    if usage is None:
        usage = next(
            (use for use in ("PublicTest", "PrivateTest") if use in faces.uses()), "all"
        )
    if usage == "all":
        return faces, ""
    if usage not in faces.uses():
        has = ", ".join(sorted(faces.uses())) or "no Usage column"
        raise FERError(f"{name} has no {usage} rows (it has {has}); leave out --usage.")
    return faces[faces.usage == usage], f" ({usage})"


def measure(pipe, faces, y_prob):
    """Measure the probabilities `y_prob` that `pipe` gave for `faces`."""
    names = class_names(pipe)
    unknown = sorted(set(faces.names.tolist()) - set(names))
    if unknown:
        raise FERError(
            f"The model does not know {', '.join(unknown)}; it knows "
            f"{', '.join(names)}. Leave those faces out, or train on them. In Python a "
            "model learns the names of its labels by fit(..., class_names=EMOTIONS)."
        )
    return score(faces.names, y_prob, names)


def _unseen(faces, path, shape):
    train = read_faces(path, shape)
    if "Training" in train.uses():
        train = train[train.usage == "Training"]
    # Copies are found by their pixels, so the two files may be in different order.
    unseen = unseen_rows(faces.images, train.images)
    if not unseen.any():
        raise FERError(
            f"All {len(faces)} faces are in {path}, so nothing is left to score. Is it "
            "the file that the model was trained on?"
        )
    return unseen


def _print(args, reports):
    if not args.json:
        print("\n\n".join(format_report(metrics, title) for title, metrics in reports))
        return
    result = {"model": args.model, "data": args.data, **reports[0][1]}
    if len(reports) > 1:
        result["unseen"] = reports[1][1]
    json.dump(result, sys.stdout, indent=2, allow_nan=False)
    print()


# -- measures, which train prints as well --------------------------------------------


def score(y_true, y_prob, names):
    """Compare predictions with the true emotions.

    Parameters
    ----------
    y_true : sequence of str of shape (n_faces,)
        True emotions, by name.
    y_prob : ndarray of shape (n_faces, n_classes)
        Probabilities.
    names : list of str of length n_classes
        The emotion of each column.

    Returns
    -------
    metrics : dict
        The content of `metrics.json`. None stands for a measure that is not defined,
        such as the recall of an emotion that no face shows.
    """
    y_true, columns = np.asarray(y_true), np.asarray(names)
    y_prob = np.asarray(y_prob, dtype=np.float64)
    y_prob /= y_prob.sum(axis=1, keepdims=True)  # float32 rows sum to 1 roughly
    order = np.argsort(columns)  # scikit-learn wants the labels sorted
    y_pred = columns[y_prob.argmax(axis=1)]
    accuracy = float((y_pred == y_true).mean())
    each = precision_recall_fscore_support(
        y_true, y_pred, labels=columns, zero_division=np.nan
    )
    table = {
        name: {
            "precision": _or_none(precision),
            "recall": _or_none(recall),
            # F1 is 0 for an emotion that is in the data and never predicted.
            "f1": _or_none(f1) if faces else None,
            "faces": int(faces),
        }
        for name, precision, recall, f1, faces in zip(names, *each, strict=True)
    }
    f1 = [row["f1"] or 0.0 for row in table.values() if row["faces"]]
    return {
        "faces": len(y_true),
        "accuracy": accuracy,
        "standard_error": float(np.sqrt(accuracy * (1 - accuracy) / len(y_true))),
        "interval_95": [float(x) for x in accuracy_interval(y_true, y_pred)],
        "macro_f1": float(np.mean(f1)),
        "calibration_error": expected_calibration_error(y_true, y_prob, labels=columns),
        "log_loss": float(log_loss(y_true, y_prob[:, order], labels=columns[order])),
        "emotions": table,
        "confusion_matrix": confusion_matrix(y_true, y_pred, labels=columns).tolist(),
    }


def _or_none(value):
    return None if np.isnan(value) else float(value)


def format_report(metrics, title):
    """Format the result of `score` as a table."""
    width = max(len("emotion"), *map(len, metrics["emotions"]))
    low, high = metrics["interval_95"]
    lines = [
        title,
        "",
        f"{'emotion':<{width}}  precision  recall     f1  faces",
        *(_format_row(name, row, width) for name, row in metrics["emotions"].items()),
        "",
        f"accuracy           {metrics['accuracy']:.3f}  "
        f"(standard error {metrics['standard_error']:.3f}, "
        f"95 % interval {low:.3f} to {high:.3f})",
        f"macro F1           {metrics['macro_f1']:.3f}",
        f"calibration error  {metrics['calibration_error']:.3f}",
    ]
    return "\n".join(lines)


def _format_row(name, row, width):
    cells = [
        "-" if row[key] is None else f"{row[key]:.3f}"
        for key in ("precision", "recall", "f1")
    ]
    precision, recall, f1 = cells
    return f"{name:<{width}}  {precision:>9}  {recall:>6}  {f1:>5}  {row['faces']:>5}"
