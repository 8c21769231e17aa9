"""The faces that benchmarks run on."""

import os
from functools import cache

import numpy as np
import pandas as pd

from fer_sklearn import PixelStringTransformer
from fer_sklearn.datasets import make_faces


@cache
def face_strings(n_faces):
    """Give pixel strings and emotions: real ones where FER2013_CSV names a file."""
    path = os.environ.get("FER2013_CSV")
    if path:
        frame = pd.read_csv(path, nrows=n_faces)
        return frame["pixels"], frame["emotion"].to_numpy()
    faces = make_faces(n_faces, random_state=0)
    return faces.data, faces.target


@cache
def face_images(n_faces):
    """Give the same faces as a uint8 array of shape (n_faces, 48, 48), and emotions."""
    strings, emotions = face_strings(n_faces)
    images = PixelStringTransformer().transform(strings)
    images.flags.writeable = False
    return images, np.asarray(emotions)


def full_size(n_faces, *, else_take):
    """Give how many faces a benchmark takes: all of them only with ``--full``."""
    return n_faces if os.environ.get("FER_BENCH_FULL") else else_take


def kind_of_faces():
    """Say which faces those are."""
    return "real faces" if os.environ.get("FER2013_CSV") else "synthetic faces"
