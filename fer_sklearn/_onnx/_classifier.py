"""Prediction with an ONNX model, behind scikit-learn's interface."""

import threading
from copy import copy

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from .._pixels import PixelStringTransformer
from .._utils import require

METADATA_KEY = "fer_sklearn"
INPUT = "faces"
OUTPUT = "probabilities"


class OnnxClassifier(ClassifierMixin, BaseEstimator):
    """A trained model that predicts with onnxruntime; `load_onnx` makes it.

    It is fitted from the start: `fit` changes nothing and a clone is fitted too, so
    that it can be cross-validated and used in an ensemble as it is.

    Parameters
    ----------
    content : bytes
        The ONNX model.
    n_threads : int, default=None
        Threads of a prediction; None takes as many as there are cores.
    batch_size : int, default=256
        Faces at a time.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    class_names_ : list of str
        What they are called, see `fer_sklearn.datasets.class_names`.
    image_shape_ : tuple of two int
        Height and width of the faces in pixels.
    """

    def __init__(self, content, *, n_threads=None, batch_size=256):
        self.content = content
        self.n_threads = n_threads
        self.batch_size = batch_size

    def fit(self, X=None, y=None):
        """Change nothing.

        Parameters
        ----------
        X, y : object
            Ignored.

        Returns
        -------
        self : OnnxClassifier
        """
        return self

    def predict_proba(self, X):
        """Probabilities of the classes.

        Parameters
        ----------
        X : sequence of str of shape (n_samples,), or ndarray of int of shape \
(n_samples, height, width)
            Pixel strings, or grey levels from 0 to 255.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), float32
            Rows sum to 1; columns follow `classes_`.
        """
        faces = PixelStringTransformer(image_shape=self.image_shape_).transform(X)
        parts = [
            self._run(faces[start : start + self.batch_size])
            for start in range(0, len(faces), self.batch_size)
        ]
        return np.concatenate(parts)

    def predict_log_proba(self, X):
        """Logarithms of the probabilities of the classes.

        Parameters
        ----------
        X : sequence of str of shape (n_samples,), or ndarray of int of shape \
(n_samples, height, width)
            Pixel strings, or grey levels from 0 to 255.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), float32
            Columns follow `classes_`; minus infinity where a probability is 0.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X):
        """Most probable class of each face.

        Parameters
        ----------
        X : sequence of str of shape (n_samples,), or ndarray of int of shape \
(n_samples, height, width)
            Pixel strings, or grey levels from 0 to 255.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.
        """
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_proba_of_blank(self):
        """Predict one blank face, to see that the model can.

        Raises
        ------
        ValueError
            If the answer has not one probability a class.
        """
        blank = np.zeros((1, *self.image_shape_), dtype=np.uint8)
        if self._run(blank).shape != (1, len(self.classes_)):
            raise ValueError("The model does not give one probability a class.")

    def session_metadata(self) -> dict:
        """Metadata of the model, as strings by name."""
        return self._session().get_modelmeta().custom_metadata_map

    def _run(self, faces):
        return self._session().run([OUTPUT], {INPUT: np.ascontiguousarray(faces)})[0]

    def _session(self):
        """Make onnxruntime's session at first use; several threads may share it."""
        made_for = self.content, self.n_threads
        made = getattr(self, "_made_session", (None, None))
        if made[0] != made_for:
            with _making:
                made = getattr(self, "_made_session", (None, None))
                if made[0] != made_for:
                    # One assignment: another thread sees both or neither.
                    made = self._made_session = made_for, _make_session(*made_for)
        return made[1]

    def __getstate__(self):
        state = super().__getstate__().copy()
        state.pop("_made_session", None)
        return state

    def __sklearn_clone__(self):
        return copy(self)

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags

    def __repr__(self, N_CHAR_MAX=700):
        return (
            f"OnnxClassifier(<{len(self.content)} bytes>, n_threads={self.n_threads})"
        )


_making = threading.Lock()


def _make_session(content, n_threads):
    onnxruntime = require("onnxruntime", extra="onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads or 0
    options.inter_op_num_threads = 1
    # Errors are raised anyway; warnings of a foreign model are no business of a user.
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(
        content, options, providers=["CPUExecutionProvider"]
    )
