"""What is known of a classifier after it has seen labelled faces, as JSON and text."""

import numpy as np
from sklearn.metrics import (
    confusion_matrix,
    log_loss,
    precision_recall_fscore_support,
)

from ..metrics import accuracy_interval, expected_calibration_error


def score(y_true, y_prob, names):
    """Measure predictions against the truth.

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
        What `metrics.json` holds; None stands for a measure without a value, such
        as the recall of an emotion that no face shows.
    """
    y_true, columns = np.asarray(y_true), np.asarray(names)
    y_prob = np.asarray(y_prob, dtype=np.float64)
    y_prob /= y_prob.sum(axis=1, keepdims=True)  # float32 rows add up to 1 roughly
    order = np.argsort(columns)  # scikit-learn wants the labels sorted
    y_pred = columns[y_prob.argmax(axis=1)]
    accuracy = float((y_pred == y_true).mean())
    each = precision_recall_fscore_support(
        y_true, y_pred, labels=columns, zero_division=np.nan
    )
    table = {
        name: {
            "precision": _number(precision),
            "recall": _number(recall),
            # An emotion that is there and never named rightly has F1 0, not none.
            "f1": _number(f1) if faces else None,
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


def _number(value):
    return None if np.isnan(value) else float(value)


def format_report(metrics, title):
    """Write what `score` gave as the table that people read."""
    width = max(len("emotion"), *map(len, metrics["emotions"]))
    lines = [
        title,
        "",
        f"{'emotion':<{width}}  precision  recall     f1  faces",
        *(_format_row(name, row, width) for name, row in metrics["emotions"].items()),
        "",
        format_accuracy(metrics),
        f"macro F1           {metrics['macro_f1']:.3f}",
        f"calibration error  {metrics['calibration_error']:.3f}",
    ]
    return "\n".join(lines)


def format_accuracy(metrics):
    """Write accuracy with its standard error and interval on one line."""
    low, high = metrics["interval_95"]
    return (
        f"accuracy           {metrics['accuracy']:.3f}  "
        f"(standard error {metrics['standard_error']:.3f}, "
        f"95 % interval {low:.3f} to {high:.3f})"
    )


def _format_row(name, row, width):
    cells = [
        "-" if row[key] is None else f"{row[key]:.3f}"
        for key in ("precision", "recall", "f1")
    ]
    precision, recall, f1 = cells
    return f"{name:<{width}}  {precision:>9}  {recall:>6}  {f1:>5}  {row['faces']:>5}"
