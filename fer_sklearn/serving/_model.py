"""A fitted pipeline as the service uses it."""

import numpy as np

from ..datasets import class_names as default_names
from ..exceptions import FERError


class EmotionModel:
    """Probabilities of named emotions for faces, checked once at the start.

    Parameters
    ----------
    model : estimator
        Fitted; its `predict_proba` takes uint8 faces (n, 48, 48).
    class_names : sequence of str, default=None
        A name for each of ``model.classes_``. None takes those that the model has, see
        `fer_sklearn.datasets.class_names`.

    Raises
    ------
    FERError
        If the model gives no probabilities for a face.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from fer_sklearn import make_faces
    >>> from fer_sklearn.serving._model import EmotionModel
    >>> faces = make_faces(14, random_state=0)
    >>> model = EmotionModel(DummyClassifier().fit(faces.data, faces.target))
    >>> model.names[:3]
    ('angry', 'disgust', 'fear')
    """

    def __init__(self, model, *, class_names=None):
        self._model = model
        self.image_shape = _image_shape(model)
        self.names = _names(model, class_names)
        # A network's first batch is the slow one; nobody should have to wait for it.
        self.predict(np.zeros((1, *self.image_shape), dtype=np.uint8))

    def predict(self, faces):
        """Probabilities of faces.

        Parameters
        ----------
        faces : ndarray of shape (n, height, width), dtype uint8
            Grey levels.

        Returns
        -------
        probabilities : ndarray of shape (n, n_emotions), dtype float64
            In the order of `names`.

        Raises
        ------
        FERError
            If they have another shape or are not finite.
        """
        P = np.asarray(self._model.predict_proba(faces), dtype=np.float64)
        if P.shape != (len(faces), len(self.names)) or not np.isfinite(P).all():
            raise FERError(
                f"The model gave probabilities of shape {P.shape} for {len(faces)} "
                f"faces, expected finite ones of {(len(faces), len(self.names))}."
            )
        return P


def _image_shape(model):
    for step in [step for _, step in getattr(model, "steps", [])] or [model]:
        shape = getattr(step, "image_shape_", None) or getattr(
            step, "image_shape", None
        )
        if shape is not None:
            return tuple(int(side) for side in shape)
    return (48, 48)


def _names(model, class_names):
    if not hasattr(model, "predict_proba") or not hasattr(model, "classes_"):
        raise FERError(
            f"The model, a {type(model).__name__}, has no predict_proba or is not "
            "fitted; the service needs a fitted classifier that gives probabilities."
        )
    classes = list(model.classes_)
    if class_names is None:
        return tuple(default_names(model))
    if len(class_names) != len(classes):
        raise FERError(
            f"class_names has {len(class_names)} names, the model has {len(classes)} "
            "classes."
        )
    return tuple(class_names)
