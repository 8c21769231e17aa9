"""The report of ``fer-sklearn evaluate --report``: one HTML file."""

import base64
import io
from datetime import date
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image

from .. import __version__
from .._model_format import find_model, read_model_metadata
from .._utils import require, write_atomically

# Faces shown of each kind of mistake, and of all mistakes.
_FACES_IN_GROUP = 12
_MISTAKES = 28


def write_report(path, *, model, data, images, y_true, y_prob, names, parts):
    """Write the report.

    Parameters
    ----------
    path : path-like
        The file.
    model, data : str
        What was scored on what, as the command line names it.
    images : ndarray of shape (n_faces, height, width), dtype uint8
        The faces.
    y_true : ndarray of str of shape (n_faces,)
        Names of the labels.
    y_prob : ndarray of shape (n_faces, n_classes)
        Probabilities.
    names : list of str of length n_classes
        Names of the classes.
    parts : list of (str, dict)
        A title and the result of `score`, of all faces and perhaps of a part of them.

    Raises
    ------
    MissingExtraError
        If matplotlib or Jinja2 is not installed.
    """
    jinja2 = require("jinja2", extra="plots")
    require("matplotlib", extra="plots")
    from ..plots import CoverageDisplay, plot_calibration

    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    template = environment.from_string(
        files(__package__).joinpath("report.html").read_text(encoding="utf-8")
    )
    y_prob = np.clip(y_prob, 0, 1)
    columns = {name: column for column, name in enumerate(names)}
    true = np.array([columns[name] for name in y_true])
    mistakes = Mistakes(images, true, y_prob, names)
    counts = np.array(parts[0][1]["confusion_matrix"])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    matrix = [
        [{"count": n, "share": s} for n, s in zip(*row, strict=True)]
        for row in zip(counts.tolist(), shares.tolist(), strict=True)
    ]
    labels = np.array(names)
    text = template.render(
        model=model,
        data=data,
        date=date.today().isoformat(),
        version=__version__,
        parts=[{"title": title, "metrics": metrics} for title, metrics in parts],
        names=names,
        matrix=matrix,
        calibration=_svg(plot_calibration(y_true, y_prob, labels=labels).figure_),
        coverage=_svg(
            CoverageDisplay.from_predictions(y_true, y_prob, labels=labels).figure_
        ),
        curves=_training_curves(model),
        mistakes=mistakes.surest(),
        groups=mistakes.groups(),
    )
    write_atomically(Path(path), lambda file: file.write(text.encode()))


class Mistakes:
    """The faces whose prediction is not their label, the most confident first."""

    def __init__(self, images, true, y_prob, names):
        self.images, self.true, self.names = images, true, names
        self.pred, self.confidence = y_prob.argmax(axis=1), y_prob.max(axis=1)
        wrong = np.flatnonzero(self.pred != true)
        self.rows = wrong[np.argsort(-self.confidence[wrong], kind="stable")]

    def surest(self):
        """Show the most confident mistakes of all."""
        return [self._face(row) for row in self.rows[:_MISTAKES]]

    def groups(self):
        """Show the mistakes by label and prediction, the most frequent first."""
        pairs = np.stack([self.true[self.rows], self.pred[self.rows]], axis=1)
        found, counts = np.unique(pairs, axis=0, return_counts=True)
        groups = []
        for place in np.argsort(-counts, kind="stable"):
            row, column = found[place].tolist()
            rows = self.rows[(pairs == found[place]).all(axis=1)]
            groups.append(
                {
                    "label": self.names[row],
                    "prediction": self.names[column],
                    "row": row,
                    "column": column,
                    "count": int(counts[place]),
                    "faces": [self._face(face) for face in rows[:_FACES_IN_GROUP]],
                }
            )
        return groups

    def _face(self, row):
        png = io.BytesIO()
        Image.fromarray(self.images[row]).save(png, "PNG")
        return {
            "source": _data("image/png", png),
            "row": int(row),
            "label": self.names[self.true[row]],
            "prediction": self.names[self.pred[row]],
            "confidence": f"{100 * self.confidence[row]:.0f} %",
        }


def _svg(figure):
    """Give a figure as SVG, and close it."""
    from matplotlib import pyplot

    svg = io.BytesIO()
    figure.savefig(svg, format="svg")
    pyplot.close(figure)
    return _data("image/svg+xml", svg)


def _data(kind, content):
    """Give a picture as an address that contains it."""
    return f"data:{kind};base64,{base64.b64encode(content.getvalue()).decode()}"


def _training_curves(model):
    """Plot the history that a model file holds; None without one."""
    path = find_model(model)
    if path.suffix == ".onnx":
        return None
    history = read_model_metadata(path)["training"]["history"]
    if len(history) < 2:
        return None
    import pandas as pd

    from ..plots import TrainingCurvesDisplay

    return _svg(TrainingCurvesDisplay.from_history(pd.DataFrame(history)).figure_)
