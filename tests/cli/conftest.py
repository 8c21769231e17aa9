"""A csv of synthetic faces and a run that was trained on it."""

import pandas as pd
import pytest

from fer_sklearn.cli import main

SIZE = "pixels__image_shape=(16, 16)"


@pytest.fixture(scope="session")
def faces_csv(faces, tmp_path_factory):
    """The 210 synthetic faces in FER2013's form, the last 70 of them PublicTest."""
    path = tmp_path_factory.mktemp("data") / "faces.csv"
    usage = ["Training"] * 140 + ["PublicTest"] * 70
    table = {"emotion": faces.target, "pixels": faces.data, "Usage": usage}
    pd.DataFrame(table).to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def train():
    """Run ``fer-sklearn train`` on small faces with a small network, two epochs."""

    def run(*args):
        small = ["--network", "nano", "--epochs", "2", "--set", SIZE]
        return main(["train", *small, *map(str, args)])

    return run


@pytest.fixture(scope="session")
def run(faces_csv, train, tmp_path_factory):
    """A finished run folder; do not write into it."""
    path = tmp_path_factory.mktemp("runs") / "run"
    assert train(faces_csv, "--out", path, "--quiet", "--set", "cnn__lr=0.02") == 0
    return path
