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
BACKENDS = ("scipy", "torch")


def what(backend):
    """Say what is measured."""
    return (
        f'`RandomAffineAugmenter(backend="{backend}")`, everything sampled and '
        "applied, uint8 faces"
    )


def epochs_of(images, *, n_epochs=1, batch_size=128, **parameters):
    """Give a function that samples the next epochs, batch by batch."""
    augmenter = RandomAffineAugmenter(random_state=0, **parameters)
    view = augmenter.fit_transform(images)
    epochs = itertools.count()
    order = np.random.default_rng(0).permutation(len(images))

    def sample():
        for epoch in itertools.islice(epochs, n_epochs):
            for start in range(0, len(images), batch_size):
                view.sample(order[start : start + batch_size], epoch)

    return sample


def rows(rounds):
    """Compare an epoch of each backend with Keras, scipy's loop and two threads."""
    images, _ = face_images(N_FACES)
    about = {"items": N_FACES, "note": kind_of_faces(), "rounds": rounds}
    matrix = np.array([[0.98, -0.17], [0.17, 0.98]])
    offset = np.array([23.5, 23.5]) - matrix @ np.array([23.5, 23.5])

    def bare_loop():
        return [
            ndimage.affine_transform(image, matrix, offset, order=1) for image in images
        ]

    for backend in BACKENDS:
        yield _against_keras(backend, images, about)
        yield speed_up(
            what(backend),
            "a bare loop of `scipy.ndimage.affine_transform(order=1)`, one matrix",
            epochs_of(images, backend=backend),
            bare_loop,
            **about,
        )
        # Ten epochs: long enough for a virtual machine's second processor to wake up.
        n_epochs = 10
        options = {"backend": backend, "n_epochs": n_epochs, "batch_size": 512}
        yield speed_up(
            "the same on 2 threads, batches of 512",
            "on 1",
            epochs_of(images, n_jobs=2, **options),
            epochs_of(images, **options),
            **about | {"items": n_epochs * N_FACES},
        )


def _against_keras(backend, images, about):
    against = "Keras' `ImageDataGenerator.flow`, the settings of the Keras script"
    python = os.environ.get("FER_BENCH_KERAS_PYTHON")
    if not python:
        note = "FER_BENCH_KERAS_PYTHON names no Python with Keras"
        return not_measured(what(backend), against, note=note)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "faces.npy")
        np.save(path, images)
        script = Path(__file__).with_name("_keras_flow.py")
        with Child(python, script, path) as keras:
            ours = epochs_of(images, backend=backend)
            return speed_up(what(backend), against, ours, keras, **about)
