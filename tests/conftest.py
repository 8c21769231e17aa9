"""Faces shared by the tests: drawn, small and the same in every run."""

import os
from pathlib import Path

import numpy as np
import pytest

from fer_sklearn.datasets import make_faces

SIDE = 16


@pytest.fixture(scope="session")
def faces():
    """210 drawn faces of 16x16 pixels, 30 of each emotion; do not write into it."""
    return make_faces(210, image_size=SIDE, random_state=0)


@pytest.fixture(scope="session")
def images(faces):
    """The faces of `faces` as a read-only uint8 array of shape (210, 16, 16)."""
    levels = [np.array(text.split(), dtype=np.uint8) for text in faces.data]
    images = np.stack(levels).reshape(-1, SIDE, SIDE)
    images.flags.writeable = False
    return images


@pytest.fixture(scope="session")
def fer2013_csv():
    """Path of the user's own fer2013.csv, for the tests on real faces."""
    path = os.environ.get("FER2013_CSV")
    if path is None:
        pytest.skip("the environment variable FER2013_CSV names no fer2013.csv")
    return Path(path)
