"""FaceEmbedder: features of faces from a trained network."""

import os

from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils.validation import check_is_fitted
from torch import nn
from torch.nn import functional

from ._callback_support import CallbackSupportMixin, fit_task
from ._classifier import FERClassifier
from ._image_ops import check_images
from ._models import load_model
from ._training.module import last_linear
from ._training.net import resolve_or_cpu
from ._training.prediction import compute_logits, fold_batch_norm
from .exceptions import ModelFileError

__all__ = ["FaceEmbedder"]


class FaceEmbedder(
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
):
    """Turn faces into the features that a trained network has learnt.

    The features are the input of the network's last linear layer. Faces with similar
    expressions have similar features, so a linear model on top of them learns new
    classes from a few faces of each. Nothing is trained here.

    Parameters
    ----------
    pretrained : str or path-like, default="compact"
        The model: the name of one that comes with the package, a model file or a run
        folder, as for `load_model`.
    test_time_flip : bool, default=False
        Whether to average the features of each face and its mirror image, for twice
        the time.
    device : str, default="auto"
        ``"auto"`` is a GPU if there is one, otherwise the CPU; or a device name of
        PyTorch.

    Attributes
    ----------
    image_shape_ : tuple of two int
        Height and width of the faces in pixels.
    n_features_in_ : int
        Pixels in a face.
    feature_names_in_ : ndarray of str
        Only if `fit` got a DataFrame whose column names are all strings.

    See Also
    --------
    FERClassifier : With ``pretrained=``, it trains the whole network further.
    to_onnx : Writes the fitted transformer as an ONNX model.

    Notes
    -----
    The features of ``"compact"`` have 192 numbers, those of ``"nano"`` 256 and those of
    ``"large"`` 384. Faces of another size than the network's are resized.

    Examples
    --------
    A classifier of one's own classes, from pixel strings:

    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from fer_sklearn import FaceEmbedder, PixelStringTransformer, make_faces
    >>> faces = make_faces(70, random_state=0)
    >>> smiling = np.where(faces.target == 3, "smiling", "not smiling")
    >>> pipe = make_pipeline(
    ...     PixelStringTransformer(),
    ...     FaceEmbedder("nano"),
    ...     LogisticRegression(class_weight="balanced", max_iter=1000),
    ... )
    >>> pipe = pipe.fit(faces.data, smiling)
    >>> pipe.predict(faces.data[:2]).tolist()
    ['not smiling', 'not smiling']
    >>> pipe[:-1].transform(faces.data).shape
    (70, 256)
    """

    _parameter_constraints = {
        "pretrained": [str, os.PathLike],
        "test_time_flip": ["boolean"],
        "device": [str],
    }

    def __init__(self, pretrained="compact", *, test_time_flip=False, device="auto"):
        self.pretrained = pretrained
        self.test_time_flip = test_time_flip
        self.device = device

    @fit_task
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Open the model, and learn the size of the faces.

        Parameters
        ----------
        X : ndarray of shape (n_samples, height, width) or (n_samples, n_features)
            Faces as grey levels. Rows of features are square images if their number
            is a square, and images of one row otherwise.
        y : None
            Ignored.

        Returns
        -------
        self : FaceEmbedder
            The fitted transformer.

        Raises
        ------
        ModelFileError
            If there is no such model, or its network has no linear layer.
        ValueError
            If X is not an array of finite numbers with at least one row.
        """
        check_images(self, X, reset=True)
        model = load_model(self.pretrained)
        classifier = model[-1] if hasattr(model, "steps") else model
        if not isinstance(classifier, FERClassifier):
            raise ModelFileError(
                f"{self.pretrained} is a {type(classifier).__name__}, which gives "
                "probabilities and no features. Use the model file that it was "
                "exported from."
            )
        self._classifier = classifier
        self._features = _Features(classifier, self.image_shape_)
        self._n_features_out = self._features.n_features
        return self

    def transform(self, X):
        """Compute the features of faces.

        Parameters
        ----------
        X : ndarray of shape (n_samples, height, width) or (n_samples, n_features)
            Faces of the size seen in `fit`.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features_out), float32
        """
        features = self._fitted_features()
        faces = check_images(self, X, reset=False).reshape(-1, *self.image_shape_)
        device = resolve_or_cpu(self.device)
        return compute_logits(
            features.to(device), faces, device=device, flip=self.test_time_flip
        )

    def _fitted_features(self):
        """Give the module from faces to features; `to_onnx` writes it."""
        check_is_fitted(self)
        return self._features

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_classifier")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def __getstate__(self):
        # The classifier packs itself as plain arrays, and the features are made of it.
        state = super().__getstate__().copy()
        state.pop("_features", None)
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        if "_classifier" in state:
            self._features = _Features(state["_classifier"], self.image_shape_)


class _Features(nn.Module):
    """A classifier's network up to its last linear layer, for faces of another size."""

    def __init__(self, classifier, image_shape):
        super().__init__()
        self.module = fold_batch_norm(classifier._predictor.fitted)
        self.size = classifier.image_shape_
        self.resizes = self.size != image_shape
        name, last = last_linear(self.module)
        if last is None:
            raise ModelFileError(
                "The network has no nn.Linear, whose input would be the features. Use "
                "a model whose network ends with one."
            )
        self.n_features = last.in_features
        parent, _, name = name.rpartition(".")
        setattr(self.module.get_submodule(parent), name, nn.Identity())

    def forward(self, faces):
        """Features of a batch of grey levels, (batch, height, width)."""
        if self.resizes:
            faces = functional.interpolate(
                faces[:, None].float(), size=self.size, mode="bilinear", antialias=True
            )[:, 0]
        return self.module(faces).flatten(1)
