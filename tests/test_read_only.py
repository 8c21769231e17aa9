"""Opening models, predicting and serving write nothing: docker run --read-only."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

from fer_sklearn import load_model, load_pretrained, save_model, to_onnx
from fer_sklearn.datasets import make_faces
from fer_sklearn.exceptions import ModelFileError

# From here on, no file is opened for writing, and no folder is for temporary files.
READ_ONLY = """
import errno, os, sys, tempfile

sys.dont_write_bytecode = True
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
EVENTS = {"os.mkdir", "os.rename", "os.remove", "os.symlink", "os.link"}

def refuse(event, arguments):
    if event == "open" and (arguments[0] == os.devnull or not arguments[2] & WRITING):
        return
    if event == "open" or event in EVENTS or event.startswith("tempfile."):
        raise OSError(errno.EROFS, "Read-only file system", str(arguments[0]))

def no_folder():
    raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

tempfile._get_default_tempdir = no_folder
sys.addaudithook(refuse)
"""

PREDICT = """
from fer_sklearn import load_model
from fer_sklearn.cli import main
from fer_sklearn.datasets import make_faces

model = load_model(sys.argv[1])
print(model.predict(make_faces(3, random_state=0).data))
assert main(["predict", "--model", sys.argv[1], "faces.csv"]) == 0
"""

SERVE = """
import numpy as np
from fer_sklearn import load_pretrained
from serving_helpers import encode, send, serving

noise = np.random.default_rng(0).integers(0, 256, (1200, 1200, 3), dtype=np.uint8)
with serving(load_pretrained("nano")) as client:
    answer = send(client, encode(noise))  # 4 MB in a form
    print(answer.json())
    assert answer.status_code == 200
"""


def run_read_only(code, folder, *arguments):
    home = folder / "home"
    home.mkdir()
    pd.DataFrame({"pixels": make_faces(3, random_state=0).data}).to_csv(
        folder / "faces.csv"
    )
    path = [os.environ.get("PYTHONPATH", ""), str(Path(__file__).parent / "serving")]
    done = subprocess.run(
        [sys.executable, "-c", READ_ONLY + code, *arguments],
        cwd=folder,
        env={**os.environ, "HOME": str(home), "PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    # What is written by libraries in C passes no audit hook.
    assert list(home.rglob("*")) == []


@pytest.mark.parametrize("suffix", [".fer", ".onnx"])
def test_opening_and_predicting(suffix, tmp_path):
    path = tmp_path / f"model{suffix}"
    if suffix == ".onnx":
        pytest.importorskip("onnx", reason="needs the extra [onnx]")
        pytest.importorskip("onnxruntime", reason="needs the extra [onnx]")
        to_onnx(load_pretrained("nano"), path)
    else:
        save_model(load_pretrained("nano"), path)
    run_read_only(PREDICT, tmp_path, str(path))


@pytest.mark.skipif(
    any(find_spec(name) is None for name in ("fastapi", "cv2", "httpx")),
    reason="needs the extras [serve] and [photos]",
)
def test_serving(tmp_path):
    run_read_only(SERVE, tmp_path)


def test_errors_of_the_system_are_not_taken_for_damage(tmp_path, monkeypatch):
    from fer_sklearn import FERClassifier

    save_model(load_pretrained("nano"), tmp_path / "model.fer")

    def restore(self, fitted, packed):
        raise FileNotFoundError(2, "No usable temporary directory found in", "/tmp")

    monkeypatch.setattr(FERClassifier, "_restore", restore)
    with pytest.raises(
        FileNotFoundError, match=r"temporary directory .*/tmp"
    ) as caught:
        load_model(tmp_path / "model.fer")
    assert not isinstance(caught.value, ModelFileError)
