"""From a fitted model to an ONNX model that is known to agree with it."""

import io
import json
import warnings
from copy import deepcopy

import numpy as np
import torch
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted
from torch import nn

from .._persistence._classes import pack_classes
from .._persistence._steps import best_of, steps_of
from .._pixels import PixelStringTransformer
from .._training.checkpoint import library_versions
from .._utils import require, write_atomically
from ..datasets import class_names
from ..exceptions import ModelFileError
from ._classifier import INPUT, METADATA_KEY, OUTPUT, OnnxClassifier
from ._quantization import quantize

OPSET = 18
TOLERANCE = 1e-5


class _Probabilities(nn.Module):
    """From grey levels to probabilities, as `FERClassifier.predict_proba`."""

    def __init__(self, predictor, *, flip, temperature):
        super().__init__()
        self.predictor = predictor
        self.flip = flip
        self.temperature = temperature

    def forward(self, faces):
        logits = self.predictor(faces)
        if self.flip:
            logits = (logits + self.predictor(faces.flip(-1))) / 2
        return torch.softmax(logits / self.temperature, dim=1)


def export(model, path, *, int8, calibration, evaluation) -> Bunch:
    """Write a model as ONNX, after comparing the two; see `to_onnx`."""
    classifier = steps_of(best_of(model))[-1][1]
    check_is_fitted(classifier)
    reader = PixelStringTransformer(image_shape=classifier.image_shape_)
    content = _trace(classifier)
    if int8:
        if calibration is None:
            raise ModelFileError(
                "int8=True needs calibration=: some hundred faces like those of the "
                "later use, such as calibration=faces.data[:500]."
            )
        content = quantize(content, reader.transform(calibration))
    content = _describe(content, classifier)
    report = _compare(content, classifier, reader, calibration, evaluation)
    if not int8 and not report.max_difference <= TOLERANCE:
        raise ModelFileError(
            f"The ONNX model's probabilities differ by {report.max_difference:.2g} "
            f"from the classifier's, more than {TOLERANCE}; {path} is not written. If "
            "the network is your own, look for steps that depend on values."
        )
    write_atomically(path, lambda file: file.write(content))
    return report


def _trace(classifier) -> bytes:
    module = _Probabilities(
        deepcopy(classifier._predictor.module()).cpu(),
        flip=classifier.test_time_flip,
        temperature=classifier.temperature_,
    ).eval()
    faces = torch.zeros((2, *classifier.image_shape_), dtype=torch.uint8)
    file = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode():
        # The newer exporter takes half a minute, needs onnxscript and warns as well.
        # Remove when torch has only that one.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        try:
            torch.onnx.export(
                module,
                (faces,),
                file,
                dynamo=False,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_axes={INPUT: {0: "batch"}, OUTPUT: {0: "batch"}},
            )
        except Exception as error:
            raise ModelFileError(
                f"The network {classifier.network!r} cannot be written as ONNX: "
                f"{str(error).splitlines()[0]}"
            ) from error
    return file.getvalue()


def _describe(content: bytes, classifier) -> bytes:
    """Put classes and the size of a face into the model's metadata."""
    onnx = require("onnx", extra="onnx")
    model = onnx.load_from_string(content)
    described = {
        "classes": pack_classes(classifier.classes_),
        "class_names": class_names(classifier),
        "image_shape": [int(n) for n in classifier.image_shape_],
        "versions": library_versions(),
    }
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(described)})
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _compare(content, classifier, reader, calibration, evaluation) -> Bunch:
    """Run both models on the same faces."""
    onnx_model = OnnxClassifier(content)
    onnx_model.classes_ = classifier.classes_
    onnx_model.image_shape_ = classifier.image_shape_
    given = calibration if evaluation is None else evaluation[0]
    faces = _probe(classifier) if given is None else reader.transform(given)
    expected = classifier.predict_proba(faces)
    got = onnx_model.predict_proba(faces)
    report = Bunch(
        max_difference=float(np.abs(expected - got).max()),
        agreement=float((expected.argmax(axis=1) == got.argmax(axis=1)).mean()),
    )
    if evaluation is not None:
        y = np.asarray(evaluation[1])
        report.accuracy = float(
            (classifier.classes_[expected.argmax(axis=1)] == y).mean()
        )
        report.onnx_accuracy = float(
            (classifier.classes_[got.argmax(axis=1)] == y).mean()
        )
    return report


def _probe(classifier):
    """Noise of several contrasts, and faces of one grey level: 261, not a batch."""
    rng = np.random.default_rng(0)
    shape = classifier.image_shape_
    contrast = rng.uniform(1, 80, size=(256, 1, 1))
    noise = rng.normal(size=(256, *shape)) * contrast + 128
    flat = np.broadcast_to(np.array([0, 1, 37, 128, 255])[:, None, None], (5, *shape))
    return np.concatenate([noise.clip(0, 255), flat]).astype(np.uint8)
