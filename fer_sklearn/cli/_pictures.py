"""The pictures of a run: class frequencies, augmented faces, curves, confusion."""

import numpy as np
from sklearn.base import clone

from .._utils import require


def draw_pictures(run, pipe, train, y_true, y_prob, names):
    """Write all pictures into the run folder.

    Parameters
    ----------
    run : RunFolder
    pipe : Pipeline
        Fitted; without a step ``augment`` the faces are shown as they are.
    train : LabelledFaces
        What was fitted.
    y_true : ndarray of shape (n_faces,), dtype str
        True emotions of the validation faces.
    y_prob : ndarray of shape (n_faces, n_classes)
        Their probabilities.
    names : list of str of length n_classes
        The emotion of each column.

    Raises
    ------
    MissingExtraError
        Without matplotlib.
    """
    require("matplotlib", extra="plots").use("agg")  # needs no screen
    from matplotlib import pyplot

    from ..plots import (
        ClassFrequencyDisplay,
        TrainingCurvesDisplay,
        plot_confusion_matrix,
    )

    y_pred = np.asarray(names)[y_prob.argmax(axis=1)]
    pictures = {
        "class_frequencies.png": lambda: ClassFrequencyDisplay.from_labels(train.names),
        "augmented_faces.png": lambda: _augmented_faces(pipe, train),
        "training_curves.png": lambda: TrainingCurvesDisplay.from_estimator(pipe),
        "confusion_matrix.png": lambda: plot_confusion_matrix(y_true, y_pred),
    }
    for name, draw in pictures.items():
        display = draw()
        run.write_picture(name, display.figure_)
        pyplot.close(display.figure_)


def _augmented_faces(pipe, train, n_faces=28):
    """Draw a grid of training faces as the network sees them."""
    from ..plots import FaceGridDisplay

    rows = np.linspace(0, len(train) - 1, min(n_faces, len(train))).astype(int)
    faces = train.images[rows]
    if "augment" in pipe.named_steps:
        faces = clone(pipe["augment"]).fit_transform(faces)
    return FaceGridDisplay.from_faces(faces, train.names[rows])
