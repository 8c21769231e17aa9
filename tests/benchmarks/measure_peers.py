"""Score the models in the package and a peer's on the same faces; print a table.

    FER2013_CSV=fer2013.csv python -m tests.benchmarks.measure_peers

The faces are those of PublicTest, handed to the networks directly: no detector comes
between. The peer needs FER_BENCH_TFLITE_PYTHON and FER_BENCH_TFLITE_MODEL, as
bench_nano.py says, and Pillow beside it; its classes have to be FER2013's, in their
order.
"""

import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from sklearn.metrics import f1_score

from fer_sklearn import PixelStringTransformer, load_fer2013, load_pretrained
from fer_sklearn._model_format import pretrained_names
from fer_sklearn.metrics import accuracy_interval, expected_calibration_error


def main():
    """Print a row a model."""
    faces = load_fer2013(os.environ["FER2013_CSV"], usage="PublicTest")
    images = PixelStringTransformer().fit_transform(faces.data)
    target = np.asarray(faces.target)
    print("| model | accuracy (95 % interval) | macro F1 | calibration error |")
    print("|---|---|---|---|")
    for name in pretrained_names():
        pipe = load_pretrained(name)
        for flip in (True, False):
            pipe.set_params(cnn__test_time_flip=flip)
            what = f"{name}, with the mirrored face" if flip else name
            print(row(what, target, pipe.predict_proba(images)), flush=True)
    python = os.environ.get("FER_BENCH_TFLITE_PYTHON")
    model = os.environ.get("FER_BENCH_TFLITE_MODEL")
    if python and model:
        print(row(Path(model).name, target, peer(python, model, images)))


def row(name, target, probabilities):
    """Describe the probabilities that a model gives."""
    predicted = probabilities.argmax(axis=1)
    low, high = accuracy_interval(target, predicted)
    numbers = (
        f"{np.mean(predicted == target):.3f} ({low:.3f} to {high:.3f})",
        f"{f1_score(target, predicted, average='macro'):.3f}",
        f"{expected_calibration_error(target, probabilities, labels=range(7)):.3f}",
    )
    return f"| {name} | {' | '.join(numbers)} |"


def peer(python, model, images):
    """Give the probabilities of a model in TensorFlow Lite."""
    script = Path(__file__).with_name("_tflite_scores.py")
    with tempfile.TemporaryDirectory() as folder:
        faces, result = Path(folder, "faces.npy"), Path(folder, "result.npy")
        np.save(faces, images)
        command = [python, str(script), model, str(faces), str(result)]
        subprocess.run(command, check=True)
        return np.load(result)


if __name__ == "__main__":
    main()
