"""A model without a network, for tests that need no torch or that workers import."""

import os
import time

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from fer_sklearn import PixelStringTransformer


def note(path):
    """Append the number of this process to a file."""
    with open(path, "a") as file:
        file.write(f"{os.getpid()}\n")


def noted(path):
    """Numbers of the processes that called `note`, in order."""
    try:
        with open(path) as file:
            return [int(line) for line in file]
    except FileNotFoundError:
        return []


class BrightnessModel(ClassifierMixin, BaseEstimator):
    """A fitted model without a network: two classes, dark and bright."""

    def __init__(self, log=None, seconds=0, arrivals=None):
        self.log = log
        self.seconds = seconds
        self.arrivals = arrivals
        self.classes_ = np.array(["dark", "bright"])

    def fit(self, X, y=None):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def __setstate__(self, state):
        super().__setstate__(state)
        if self.arrivals is not None:
            note(self.arrivals)

    def predict_proba(self, X):
        faces = PixelStringTransformer(image_shape=(16, 16)).transform(X)
        if self.log is not None:
            note(self.log)
        time.sleep(self.seconds)
        bright = faces.mean(axis=(1, 2)).astype(np.float32) / 255
        return np.column_stack([1 - bright, bright])
