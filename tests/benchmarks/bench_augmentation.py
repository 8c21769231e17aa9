"""Augmenting faces.

The comparison with Keras needs the environment variable FER_BENCH_KERAS_PYTHON: the
path of a Python that has Keras, as from ``python -m venv keras`` and
``keras/bin/pip install tensorflow-cpu scipy pandas``.
"""

import itertools
import os
import tempfile
from pathlib import Path

import numpy as np
from scipy import ndimage

from fer_sklearn import RandomAffineAugmenter

from ._faces import face_images, kind_of_faces
from ._timing import Child, not_measured, speed_up

N_FACES = 4096
WHAT = "`RandomAffineAugmenter`, everything drawn and applied, uint8 faces"
KERAS_BOUNDS = {"at_least": 2.5, "aim": 5}


def epochs_of(images, *, n_epochs=1, batch_size=128, **parameters):
    """Give a function that draws the next epochs, batch by batch in random order."""
    augmenter = RandomAffineAugmenter(random_state=0, **parameters)
    view = augmenter.fit_transform(images)
    epochs = itertools.count()
    order = np.random.default_rng(0).permutation(len(images))

    def draw():
        for epoch in itertools.islice(epochs, n_epochs):
            for start in range(0, len(images), batch_size):
                view.draw(order[start : start + batch_size], epoch)

    return draw


def rows(rounds):
    """Compare an epoch with scipy's loop, with Keras, and two threads with one."""
    images, _ = face_images(N_FACES)
    about = {"items": N_FACES, "note": kind_of_faces(), "rounds": rounds}
    yield _against_keras(images, about)
    matrix = np.array([[0.98, -0.17], [0.17, 0.98]])
    offset = np.array([23.5, 23.5]) - matrix @ np.array([23.5, 23.5])

    def bare_loop():
        return [
            ndimage.affine_transform(image, matrix, offset, order=1) for image in images
        ]

    yield speed_up(
        WHAT,
        "a bare loop of `scipy.ndimage.affine_transform(order=1)`, one fixed matrix",
        epochs_of(images),
        bare_loop,
        at_least=0.9,
        aim=1.5,
        **about,
    )
    yield speed_up(
        "the same on 2 threads, batches of 512",
        "on 1",
        # Long enough for a virtual machine's second processor to wake up.
        epochs_of(images, n_epochs=10, batch_size=512, n_jobs=2),
        epochs_of(images, n_epochs=10, batch_size=512),
        at_least=1.7,
        aim=1.9,
        **about | {"items": 10 * N_FACES},
    )


def _against_keras(images, about):
    against = "Keras' `ImageDataGenerator.flow`, the settings of the Keras script"
    python = os.environ.get("FER_BENCH_KERAS_PYTHON")
    if not python:
        bounds = {"bound": ">= {at_least}".format(**KERAS_BOUNDS)}
        note = "FER_BENCH_KERAS_PYTHON names no Python with Keras"
        return not_measured(WHAT, against, note=note, aim=KERAS_BOUNDS["aim"], **bounds)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "faces.npy")
        np.save(path, images)
        script = Path(__file__).with_name("_keras_flow.py")
        with Child(python, script, path) as keras:
            ours = epochs_of(images)
            return speed_up(WHAT, against, ours, keras, **KERAS_BOUNDS, **about)
