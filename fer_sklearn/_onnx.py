"""Models as ONNX: prediction without torch, in any language that has a runtime.

`to_onnx` brings torch, inside functions; `load_onnx` and `OnnxClassifier` need none.
"""

import io
import json
import logging
import tempfile
import warnings
from contextlib import contextmanager
from copy import copy, deepcopy
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from ._model_format import check_metadata, pack_classes
from ._onnx_model import (
    DESCRIBED,
    HALF,
    INPUT,
    METADATA_KEY,
    OUTPUT,
    PREDICTOR,
    OnnxModel,
    open_onnx,
)
from ._pixels import PixelStringTransformer
from ._utils import require, torch_needed, write_atomically
from .exceptions import ModelFileError

__all__ = ["OnnxClassifier", "load_onnx", "to_onnx"]

FEATURES = "features"  # the output of a FaceEmbedder
_OPSET = 18
_TOLERANCE = 1e-5
# In an int8 model, the arithmetic on grey levels (mean, contrast) and the softmax stay
# in float32.
_QUANTIZED = ["Conv", "Gemm", "MatMul", "Add", "MaxPool", "GlobalAveragePool"]


# -- predicting


class OnnxClassifier(ClassifierMixin, OnnxModel, BaseEstimator):
    """A trained model that predicts with onnxruntime; `load_onnx` opens one.

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


def load_onnx(path, *, n_threads=None):
    """Open an ONNX model that `to_onnx` wrote; needs no torch.

    The same as `load_model`, with a number of threads.

    Parameters
    ----------
    path : path-like
        The file.
    n_threads : int, default=None
        Threads of a prediction; None takes as many as there are cores.

    Returns
    -------
    model : OnnxClassifier
        With `predict`, `predict_proba`, `score` and `classes_`, from pixel strings or
        uint8 faces. It holds the model itself and can be pickled.

    Raises
    ------
    ModelFileError
        If the file cannot be read, or is not one of `to_onnx`.
    MissingExtraError
        If onnxruntime is not installed.

    See Also
    --------
    to_onnx : Write such a file, with an example.

    Examples
    --------
    >>> from fer_sklearn import load_onnx
    >>> load_onnx("emotions.txt")
    Traceback (most recent call last):
    ...
    fer_sklearn.exceptions.ModelFileError: emotions.txt cannot be opened: No such file \
or directory.
    """
    return open_onnx(path, n_threads=n_threads, cls=OnnxClassifier)


# -- exporting


def to_onnx(model, path, *, int8=False, calibration=None, evaluation=None):
    """Write a fitted pipeline, classifier or `FaceEmbedder` as an ONNX model.

    The model takes grey levels, uint8 of shape (batch, height, width), as ``"faces"``
    and gives float32 of shape (batch, n_classes) as ``"probabilities"``.
    Normalisation, the average over the mirrored face and the temperature are inside;
    classes, their names and the size of a face are in its metadata. Weights that were
    saved with ``dtype="float16"`` take half the space here, too. The model of a
    `FaceEmbedder` gives float32 of shape (batch, n_features_out), as ``"features"``.
    It is compared with `model` before it is written. Needs onnx and onnxruntime.

    Parameters
    ----------
    model : Pipeline, FERClassifier, FaceEmbedder or a search over a pipeline
        Fitted; a pipeline as `make_fer_pipeline` makes it. Of a search, its
        ``best_estimator_`` is taken.
    path : path-like
        The file; its usual suffix is ``.onnx``.
    int8 : bool, default=False
        Whether to quantise weights and activations to 8 bits: a quarter of the size
        and about twice as fast, for some loss of accuracy.
    calibration : sequence of str or array of shape (n_samples, height, width), \
default=None
        A few hundred faces like those to be predicted, from which `int8` takes the
        ranges of activations. Training faces will do.
    evaluation : tuple of (X, y), default=None
        Faces and labels to measure accuracy on.

    Returns
    -------
    report : Bunch
        ``max_difference`` of a probability from that of `model`, ``agreement`` (share
        of equal predictions) and, with `evaluation`, ``accuracy`` of `model` and
        ``onnx_accuracy``.

    Raises
    ------
    ModelFileError
        If the probabilities differ from those of `model` by more than 1e-5 (without
        `int8`), or the features by more than 1e-4 of the largest; if the network
        cannot be exported, or calibration faces are missing.

    See Also
    --------
    load_onnx : Predict with the file. That of a `FaceEmbedder` is opened with
        ``onnxruntime.InferenceSession``.

    Examples
    --------
    >>> import tempfile
    >>> from fer_sklearn import load_onnx, make_faces, make_fer_pipeline, to_onnx
    >>> faces = make_faces(70, image_shape=(16, 16), random_state=0)
    >>> pipe = make_fer_pipeline("nano", image_shape=(16, 16), max_epochs=1)
    >>> pipe = pipe.fit(faces.data, faces.target)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = to_onnx(pipe, f"{folder}/emotions.onnx")
    ...     model = load_onnx(f"{folder}/emotions.onnx")
    >>> report.max_difference < 1e-5
    True
    >>> model.predict_proba(faces.data[:2]).shape
    (2, 7)
    """
    require("onnxruntime", extra="onnx")
    require("onnx", extra="onnx")
    with torch_needed():
        from ._pipeline import storable_steps

    # A FaceEmbedder, whose module is above this one: it opens models.
    if hasattr(model, "_fitted_features"):
        if int8 or evaluation is not None:
            raise ModelFileError(
                "A FaceEmbedder is written in float32, and has no accuracy to measure. "
                "Leave out int8 and evaluation."
            )
        return _write_features(model, path)
    classifier = storable_steps(model)[-1][1]
    check_is_fitted(classifier)
    reader = PixelStringTransformer(image_shape=classifier.image_shape_)
    # Weights that were read from a file of half precision are written as they are.
    # With batch normalisation folded in, they would need twice the space.
    halved = not int8 and _is_half_precision(classifier._predictor.fitted)
    content = _trace_classifier(classifier, fold=not halved)
    if halved:
        content = _store_halved(content)
    if int8:
        if calibration is None:
            raise ModelFileError(
                "int8=True needs calibration=: a few hundred faces like those to be "
                "predicted, such as calibration=faces.data[:500]."
            )
        content = _quantize(content, reader.transform(calibration))
    described = {
        "classes": pack_classes(classifier.classes_),
        "class_names": list(classifier.class_names_),
        "image_shape": [int(n) for n in classifier.image_shape_],
    }
    check_metadata("The model", described, DESCRIBED)
    content = _describe(content, described)
    report = _compare(content, classifier, reader, calibration, evaluation)
    if not int8 and not report.max_difference <= _TOLERANCE:
        raise ModelFileError(
            f"The ONNX model's probabilities differ by {report.max_difference:.2g} "
            f"from the classifier's, more than {_TOLERANCE}; {path} is not written. If "
            "the network is your own, look for steps that depend on values."
        )
    write_atomically(path, lambda file: file.write(content))
    return report


def _write_features(embedder, path) -> Bunch:
    """Write a fitted FaceEmbedder, if its ONNX model gives the same features."""
    import torch

    onnxruntime = require("onnxruntime", extra="onnx")
    fitted = embedder._fitted_features()

    class Features(torch.nn.Module):
        """From grey levels to features, as `FaceEmbedder.transform`."""

        def __init__(self):
            super().__init__()
            self.features = deepcopy(fitted).cpu()

        def forward(self, faces):
            features = self.features(faces)
            if embedder.test_time_flip:
                features = (features + self.features(faces.flip(-1))) / 2
            return features

    shape, size = embedder.image_shape_, fitted.size
    if fitted.resizes:
        raise ModelFileError(
            f"The FaceEmbedder was fitted on faces of {shape[0]}x{shape[1]} pixels. It "
            "resizes them, which cannot be written as ONNX. Fit it on faces of "
            f"{size[0]}x{size[1]}."
        )
    content = _trace(Features(), shape, FEATURES, f"The network of {embedder}")
    described = {"image_shape": [int(n) for n in shape]}
    content = _describe(content, described)
    faces = _probe(shape)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    got, expected = (
        session.run([FEATURES], {INPUT: faces})[0],
        embedder.transform(faces),
    )
    difference = float(np.abs(got - expected).max())
    # Features are not limited as probabilities are; those of "compact" reach 10.
    if not difference <= 10 * _TOLERANCE * max(1, np.abs(expected).max()):
        raise ModelFileError(
            f"The ONNX model's features differ by {difference:.2g} from those of the "
            f"FaceEmbedder; {path} is not written."
        )
    write_atomically(path, lambda file: file.write(content))
    return Bunch(max_difference=difference)


def _trace_classifier(classifier, *, fold) -> bytes:
    import torch

    predictor = classifier._predictor

    class Probabilities(torch.nn.Module):
        """From grey levels to probabilities, as `FERClassifier.predict_proba`."""

        def __init__(self):
            super().__init__()
            module = predictor.module() if fold else predictor.fitted
            self.add_module(PREDICTOR, deepcopy(module).cpu())

        def forward(self, faces):
            predict = self.get_submodule(PREDICTOR)
            logits = predict(faces)
            if classifier.test_time_flip:
                logits = (logits + predict(faces.flip(-1))) / 2
            return torch.softmax(logits / classifier.temperature_, dim=1)

    name = f"The network {classifier.network!r}"
    return _trace(Probabilities(), classifier.image_shape_, OUTPUT, name, fold=fold)


def _trace(module, image_shape, output, name, *, fold=True) -> bytes:
    """Write a module from faces to `output` as ONNX."""
    import torch

    modes = torch.onnx.TrainingMode
    faces = torch.zeros((2, *image_shape), dtype=torch.uint8)
    file = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode():
        # The newer exporter takes half a minute, needs onnxscript and warns as well.
        # Remove when torch has only that one.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        try:
            torch.onnx.export(
                module.eval(),
                (faces,),
                file,
                dynamo=False,
                # The exporter folds only in this mode, whatever the module's mode.
                training=modes.EVAL if fold else modes.PRESERVE,
                do_constant_folding=fold,
                opset_version=_OPSET,
                input_names=[INPUT],
                output_names=[output],
                dynamic_axes={INPUT: {0: "batch"}, output: {0: "batch"}},
            )
        except Exception as error:
            raise ModelFileError(
                f"{name} cannot be written as ONNX: {str(error).splitlines()[0]}"
            ) from error
    return file.getvalue()


def _is_half_precision(module) -> bool:
    return all(
        bool((tensor == tensor.half()).all())
        for tensor in module.state_dict().values()
        if tensor.is_floating_point()
    )


def _store_halved(content: bytes) -> bytes:
    """Store weights that are numbers of half precision as such, losing nothing.

    Casts turn them into float32 again, once, when the model is opened.
    """
    onnx = require("onnx", extra="onnx")
    model = onnx.load_from_string(content)
    casts = []
    for weight in model.graph.initializer:
        array = onnx.numpy_helper.to_array(weight)
        with np.errstate(over="ignore"):
            half = array.astype(np.float16)
        name = weight.name
        # The constants of the arithmetic on grey levels stay as they are.
        if name.startswith(PREDICTOR) and (half == array).all():
            weight.CopyFrom(onnx.numpy_helper.from_array(half, name + HALF))
            to = onnx.TensorProto.FLOAT
            casts.append(onnx.helper.make_node("Cast", [weight.name], [name], to=to))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model.SerializeToString()


def _describe(content: bytes, described: dict) -> bytes:
    """Put a description and the versions of the libraries into the metadata."""
    from ._training.checkpoint import library_versions

    onnx = require("onnx", extra="onnx")
    model = onnx.load_from_string(content)
    described = {**described, "versions": library_versions()}
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(described)})
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _compare(content, classifier, reader, calibration, evaluation) -> Bunch:
    """Run both models on the same faces."""
    onnx_model = OnnxClassifier(content)
    onnx_model.image_shape_ = classifier.image_shape_
    given = calibration if evaluation is None else evaluation[0]
    shape = classifier.image_shape_
    faces = _probe(shape) if given is None else reader.transform(given)
    expected = classifier.predict_proba(faces)
    got = onnx_model.predict_proba(faces)
    labels = [classifier.classes_[p.argmax(axis=1)] for p in (expected, got)]
    report = Bunch(
        max_difference=float(np.abs(expected - got).max()),
        agreement=float((labels[0] == labels[1]).mean()),
    )
    if evaluation is not None:
        y = np.asarray(evaluation[1])
        report.accuracy, report.onnx_accuracy = (float((p == y).mean()) for p in labels)
    return report


def _probe(shape):
    """Noise of several contrasts, and faces of one grey level: 261, not a batch."""
    rng = np.random.default_rng(0)
    contrast = rng.uniform(1, 80, size=(256, 1, 1))
    noise = rng.normal(size=(256, *shape)) * contrast + 128
    flat = np.broadcast_to(np.array([0, 1, 37, 128, 255])[:, None, None], (5, *shape))
    return np.concatenate([noise.clip(0, 255), flat]).astype(np.uint8)


class _Batches:
    """Calibration faces in batches, as onnxruntime asks for them."""

    def __init__(self, faces):
        self._parts = (faces[i : i + 128] for i in range(0, len(faces), 128))

    def get_next(self):
        part = next(self._parts, None)
        return None if part is None else {INPUT: np.ascontiguousarray(part)}


def _quantize(content: bytes, faces) -> bytes:
    """Quantise weights (one scale per channel) and activations of a float32 model.

    The result is in QDQ form: integers, with a scale between the layers.
    """
    quantization = require("onnxruntime.quantization", extra="onnx")
    with tempfile.TemporaryDirectory() as folder, _quiet():
        before, after = Path(folder, "float32.onnx"), Path(folder, "int8.onnx")
        before.write_bytes(content)
        quantization.quantize_static(
            before,
            after,
            _Batches(faces),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            # Weights of 7 bits: processors without VNNI add up pairs of products in 16
            # bits, which 8 would overflow. The accuracy is the same.
            reduce_range=True,
            op_types_to_quantize=_QUANTIZED,
        )
        return after.read_bytes()


@contextmanager
def _quiet():
    """Keep onnxruntime's advice on quantisation off the root logger."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(level)
