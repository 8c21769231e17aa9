"""What it costs to begin: the import, and the first word of the command line."""

import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

from ._faces import face_images
from ._timing import interleave, slow_down, value


def rows(rounds):
    """Compare whole processes."""
    yield slow_down(
        "`import fer_sklearn`, a whole process",
        "`import sklearn`",
        python("-c", "import fer_sklearn"),
        python("-c", "import sklearn"),
        rounds=rounds,
        note="no network is needed yet, so no torch is imported",
    )
    yield slow_down(
        "`from fer_sklearn import make_fer_pipeline`, a whole process",
        "`import sklearn.pipeline, pandas, skorch`, which bring torch",
        python("-c", "from fer_sklearn import make_fer_pipeline"),
        python("-c", "import sklearn.pipeline, pandas, skorch"),
        rounds=rounds,
    )
    ours, bare = interleave(
        python("-m", "fer_sklearn", "--help"),
        python("-c", "import argparse"),
        rounds=rounds,
    )
    yield value(
        "`fer-sklearn --help`, a whole process",
        '`python -c "import argparse"`',
        f"**+ {np.median(ours - bare):.2f} s**",
        note=f"{np.median(ours):.2f} s against {np.median(bare):.2f} s",
    )

    with tempfile.TemporaryDirectory() as folder:
        face = f"{folder}/face.png"
        Image.fromarray(face_images(1)[0][0]).save(face)
        for runtime, library in (("onnx", "onnxruntime"), ("torch", "torch")):
            predict = ("predict", face, "--cropped", "--runtime", runtime)
            yield slow_down(
                "`fer-sklearn predict face.png --cropped`, `compact` in "
                f"{library}, a whole process",
                f"`import {library}`",
                python("-m", "fer_sklearn", *predict),
                python("-c", f"import {library}"),
                rounds=rounds,
            )


def python(*arguments):
    """Give a function that runs Python and waits for it."""

    def run():
        subprocess.run(
            [sys.executable, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    return run
