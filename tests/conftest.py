"""What tests and doctests share: faces, one thread, no windows, no open figures."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from fer_sklearn.datasets import make_faces

SIDE = 16

os.environ.setdefault("MPLBACKEND", "Agg")
# The networks of the tests are tiny: more threads would wait for each other, for
# minutes where other programs run beside them. Processes that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")


class FigureCloser:
    """Close the figures of a test: pyplot keeps them, and warns after 20."""

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self, item):
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is not None:
            pyplot.close("all")


def pytest_configure(config):
    # Registered, so that it serves the doctests of the package as well.
    config.pluginmanager.register(FigureCloser())


@pytest.fixture(scope="session")
def faces():
    """210 synthetic faces of 16x16 pixels, 30 of each emotion; do not write into it."""
    return make_faces(210, image_shape=(SIDE, SIDE), random_state=0)


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
