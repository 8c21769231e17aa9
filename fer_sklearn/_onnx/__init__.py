"""Models as ONNX: prediction without torch, in any language that has a runtime."""

import json
from pathlib import Path

from .._persistence._classes import unpack_classes
from .._utils import require
from ..datasets._emotions import name_classes
from ..exceptions import ModelFileError
from ._classifier import METADATA_KEY, OnnxClassifier

__all__ = ["load_onnx", "to_onnx"]


def to_onnx(model, path, *, int8=False, calibration=None, evaluation=None):
    """Write a fitted pipeline or classifier as an ONNX model.

    The model takes grey levels, uint8 of shape (batch, height, width), as ``"faces"``
    and gives float32 of shape (batch, n_classes) as ``"probabilities"``.
    Normalisation, the mirrored second look and the temperature are inside; classes,
    their names and the size of a face stand in its metadata. It is compared with
    `model` before it is written. Needs onnx and onnxruntime.

    Parameters
    ----------
    model : Pipeline, FERClassifier or a search over one
        Fitted; a pipeline as `make_fer_pipeline` makes it. Of a search, its
        ``best_estimator_`` is taken.
    path : path-like
        The file; its usual suffix is ``.onnx``.
    int8 : bool, default=False
        Whether to quantise weights and activations to 8 bits: a quarter of the size,
        and faster on processors with VNNI or the like, for some loss of accuracy.
    calibration : sequence of str or array of shape (n_samples, height, width), \
default=None
        Faces like those of the later use, a few hundred, from which `int8` takes the
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
        If the ONNX model differs from `model` by more than 1e-5 (without `int8`), the
        network cannot be exported, or calibration faces are missing.

    See Also
    --------
    load_onnx : Predict with the file.

    Examples
    --------
    >>> import tempfile
    >>> from fer_sklearn import load_onnx, make_faces, make_fer_pipeline, to_onnx
    >>> faces = make_faces(70, image_size=16, random_state=0)
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
    # Here, because it brings torch: to predict needs none.
    from ._export import export

    return export(
        model, path, int8=int8, calibration=calibration, evaluation=evaluation
    )


def load_onnx(path, *, n_threads=None):
    """Open an ONNX model that `to_onnx` wrote; needs no torch.

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
    require("onnxruntime", extra="onnx")
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path} cannot be opened: {error.strerror}.") from error
    return _open(content, n_threads, path)


def _open(content, n_threads, path):
    model = OnnxClassifier(content, n_threads=n_threads)
    try:
        metadata = model.session_metadata()
    except Exception as error:
        # onnxruntime has error classes of its own, none of them public.
        raise ModelFileError(
            f"{path} is damaged or not an ONNX model ({type(error).__name__}: "
            f"{str(error).splitlines()[0]}). Write it again with to_onnx."
        ) from error
    try:
        described = json.loads(metadata[METADATA_KEY])
        model.classes_ = unpack_classes(described["classes"])
        model.class_names_ = described["class_names"] or name_classes(model.classes_)
        model.image_shape_ = tuple(described["image_shape"])
        model.predict_proba_of_blank()
    except Exception as error:
        raise ModelFileError(
            f"{path} is an ONNX model, but not one of fer_sklearn's. Give a file that "
            "to_onnx wrote."
        ) from error
    return model
