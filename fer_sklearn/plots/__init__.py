"""Plots of faces, training and mistakes, as scikit-learn Display classes.

Each class keeps the numbers behind its plot as attributes, is created by a ``from_*``
method, and plots in ``plot(ax=None)``, on the given axes or in a new figure of about
800 pixels' width. matplotlib is imported when something is plotted.

Where scikit-learn already has the display, a function here sets it up for emotions:
`plot_confusion_matrix`, `plot_calibration` and `plot_calibration_by_class` return
scikit-learn's own objects.

>>> from fer_sklearn import make_faces
>>> from fer_sklearn.plots import ClassFrequencyDisplay
>>> faces = make_faces(70, image_shape=(16, 16), random_state=0)
>>> ClassFrequencyDisplay.from_labels(faces.target).counts
array([10, 10, 10, 10, 10, 10, 10])
"""

from ._augmented_faces import AugmentationDisplay
from ._calibration import plot_calibration, plot_calibration_by_class
from ._class_frequency import ClassFrequencyDisplay
from ._confusion import plot_confusion_matrix
from ._coverage import CoverageDisplay
from ._face_grid import FaceGridDisplay
from ._mistakes import MistakesDisplay
from ._recall import RecallDisplay
from ._saliency import SaliencyDisplay
from ._training_curves import TrainingCurvesDisplay

__all__ = [
    "AugmentationDisplay",
    "ClassFrequencyDisplay",
    "CoverageDisplay",
    "FaceGridDisplay",
    "MistakesDisplay",
    "RecallDisplay",
    "SaliencyDisplay",
    "TrainingCurvesDisplay",
    "plot_calibration",
    "plot_calibration_by_class",
    "plot_confusion_matrix",
]
