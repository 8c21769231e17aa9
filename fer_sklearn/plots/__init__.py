"""Pictures of faces, training and mistakes, as scikit-learn Display classes.

Each class keeps the numbers behind its picture as attributes, is built by a
``from_*`` method, and draws in ``plot(ax=None)``. Axes that are passed are drawn on;
without any, a new figure of about 800 pixels' width is made. matplotlib is imported
when something is drawn.

Where scikit-learn has the display already, a function here sets it up for emotions:
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
from ._face_grid import FaceGridDisplay
from ._mistakes import MistakesDisplay
from ._recall import RecallDisplay
from ._saliency import SaliencyDisplay
from ._training_curves import TrainingCurvesDisplay

__all__ = [
    "AugmentationDisplay",
    "ClassFrequencyDisplay",
    "FaceGridDisplay",
    "MistakesDisplay",
    "RecallDisplay",
    "SaliencyDisplay",
    "TrainingCurvesDisplay",
    "plot_calibration",
    "plot_calibration_by_class",
    "plot_confusion_matrix",
]
