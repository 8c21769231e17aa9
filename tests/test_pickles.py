"""Models travel: to files, to other processes and to other machines."""

import copy
import io
import pickle
import pickletools
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from tiny_network import TinyNet
from torch import nn

from fer_sklearn import EMOTIONS, FERClassifier, make_faces, make_fer_pipeline
from fer_sklearn._training.checkpoint import library_versions

TESTS = Path(__file__).parent


class Bfloat16Net(nn.Module):
    def __init__(self, n_classes):
        super().__init__()
        self.logits = nn.Linear(256, n_classes, dtype=torch.bfloat16)

    def forward(self, faces):
        return self.logits(faces.flatten(1).bfloat16()).float()


def make(**params):
    defaults = {"max_epochs": 1, "batch_size": 64, "random_state": 0, "lr": 0.05}
    defaults |= {"network": TinyNet, "image_shape": (16, 16), "early_stopping": True}
    return make_fer_pipeline(**{**defaults, **params})


@pytest.fixture(scope="module")
def fitted(faces):
    return make().fit(faces.data, faces.target)


def by_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


WAYS = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "oldest protocol": lambda model: pickle.loads(pickle.dumps(model, protocol=2)),
    "joblib": by_joblib,
    "cloudpickle": lambda model: cloudpickle.loads(cloudpickle.dumps(model)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "twice": lambda model: pickle.loads(
        pickle.dumps(pickle.loads(pickle.dumps(model)))
    ),
}


def mentions(data, *words):
    """Whether a pickle names a module that begins with one of the words."""
    texts = [a for _, a, _ in pickletools.genops(data) if isinstance(a, str)]
    return any(text.split(" ")[0].startswith(words) for text in texts)


def n_bytes_of_weights(clf):
    return sum(t.nbytes for t in clf.net_.module_.state_dict().values())


class TestWays:
    @pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
    def test_fitted_is_equal_to_the_last_bit(self, fitted, faces, way):
        copied = way(fitted)
        np.testing.assert_array_equal(
            copied.predict_proba(faces.data), fitted.predict_proba(faces.data)
        )
        assert copied["cnn"].history_.equals(fitted["cnn"].history_)
        assert copied["cnn"].temperature_ == fitted["cnn"].temperature_
        assert copied["cnn"].stop_reason_ == "max_epochs"
        assert len(copied["cnn"].net_.history) == 1

    @pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
    def test_unfitted_is_unfitted(self, way):
        copied = way(make())
        assert repr(copied.get_params()) == repr(make().get_params())
        assert not hasattr(copied["cnn"], "net_")

    def test_copies_share_nothing(self, fitted, faces):
        copied = copy.deepcopy(fitted)
        expected = fitted.predict_proba(faces.data)
        with torch.no_grad():
            for weights in copied["cnn"].net_.module_.parameters():
                weights.zero_()
            for weights in copied["cnn"]._predictor.module().parameters():
                weights.zero_()
        np.testing.assert_array_equal(fitted.predict_proba(faces.data), expected)

    def test_network_of_a_notebook_by_cloudpickle(self, faces):
        """A class that no module holds travels by value."""
        code = "class Local(nn.Sequential):\n    def __init__(self, n_classes):\n"
        code += "        super().__init__(nn.Flatten(), nn.Linear(256, n_classes))"
        # What the notebook's own module holds.
        space = {"nn": nn, "__name__": "__main__"}
        exec(code, space)
        pipe = make(network=space["Local"]).fit(faces.data, faces.target)
        copied = cloudpickle.loads(cloudpickle.dumps(pipe))
        np.testing.assert_array_equal(
            copied.predict_proba(faces.data), pipe.predict_proba(faces.data)
        )

    def test_parameters_set_after_fit_do_not_break_it(self, fitted, faces):
        changed = copy.deepcopy(fitted)
        changed.set_params(cnn__network="compact", cnn__network_params={"dropout": 0.1})
        copied = pickle.loads(pickle.dumps(changed))
        np.testing.assert_array_equal(
            copied.predict_proba(faces.data), fitted.predict_proba(faces.data)
        )


class TestContents:
    @pytest.mark.parametrize("network", ["nano", "compact", "large", "baseline"])
    def test_size_is_that_of_the_weights(self, network):
        faces = make_faces(14, image_shape=(40, 40), random_state=0)
        pipe = make(network=network, image_shape=(40, 40), early_stopping=False)
        pipe.fit(faces.data, faces.target)
        weights = n_bytes_of_weights(pipe["cnn"])
        assert weights < len(pickle.dumps(pipe)) < 1.1 * weights

    def test_no_faces_whatever_their_number(self, faces):
        few = make().fit(faces.data[:70], faces.target[:70])
        many = make().fit(faces.data, faces.target)
        assert abs(len(pickle.dumps(few)) - len(pickle.dumps(many))) < 300

    def test_optimizer_only_for_warm_start(self, faces):
        def size(**params):
            pipe = make(network="nano", **params).fit(
                faces.data[:70], faces.target[:70]
            )
            return len(pickle.dumps(pipe))

        assert size(warm_start=True) > 1.8 * size()

    def test_warm_start_goes_on_as_if_never_stored(self, faces, images):
        def clf():
            return FERClassifier(
                TinyNet, max_epochs=2, warm_start=True, random_state=0, batch_size=64
            )

        kept = clf().fit(images, faces.target).fit(images, faces.target)
        stored = pickle.loads(pickle.dumps(clf().fit(images, faces.target)))
        stored.fit(images, faces.target)
        np.testing.assert_array_equal(
            kept.predict_proba(images), stored.predict_proba(images)
        )
        assert stored.n_iter_ == 4

    def test_no_pandas(self, faces, images):
        """Else a pickle opens only where pandas, and pyarrow, are the same."""
        labels = pd.Series(np.array(EMOTIONS)[faces.target], dtype="string")
        X = pd.DataFrame(images.reshape(210, -1)).add_prefix("pixel")
        for model, x in ((make(), pd.Series(faces.data)), (make()["cnn"], X)):
            data = pickle.dumps(model.fit(x, labels))
            assert not mentions(data, "pandas", "pyarrow")
        assert mentions(pickle.dumps(labels), "pandas")

    @pytest.mark.parametrize("warm_start", [False, True])
    def test_plain_arrays_only(self, faces, warm_start):
        """No tensor, so no device: nothing in the file knows a GPU."""
        pipe = make(warm_start=warm_start).fit(faces.data, faces.target)
        data = pickle.dumps(pipe)
        assert not mentions(data, "torch.", "skorch.", "cuda")
        assert mentions(pickle.dumps(torch.zeros(1)), "torch.")

    @pytest.mark.parametrize("warm_start", [False, True])
    def test_bfloat16_weights(self, warm_start, faces, images):
        """NumPy has no bfloat16; float32 holds each of its values."""
        clf = FERClassifier(Bfloat16Net, max_epochs=2, batch_size=64, random_state=0)
        clf.set_params(warm_start=warm_start).fit(images, faces.target)
        copied = pickle.loads(pickle.dumps(clf))
        assert copied.net_.module_.network.logits.weight.dtype == torch.bfloat16
        np.testing.assert_array_equal(
            copied.predict_proba(images), clf.predict_proba(images)
        )
        copied.fit(images, faces.target)
        np.testing.assert_array_equal(
            copied.predict_proba(images),
            clf.fit(images, faces.target).predict_proba(images),
        )


class TestOtherMachines:
    def test_opens_in_a_process_that_imports_nothing(self, fitted, faces, tmp_path):
        joblib.dump(fitted, tmp_path / "model.joblib")
        (tmp_path / "model.pkl").write_bytes(pickle.dumps(fitted))
        (tmp_path / "faces.pkl").write_bytes(pickle.dumps(faces.data.tolist()))
        code = (
            "import pickle, sys\n"
            "from joblib import load\n"
            "sys.path.append(sys.argv[1])\n"
            "faces = pickle.load(open('faces.pkl', 'rb'))\n"
            "models = pickle.load(open('model.pkl', 'rb')), load('model.joblib')\n"
            "print(*[m.predict_proba(faces).tobytes().hex() for m in models])"
        )
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code, str(TESTS)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        expected = fitted.predict_proba(faces.data)
        for answer in done.stdout.split():
            got = np.frombuffer(bytes.fromhex(answer), np.float32).reshape(-1, 7)
            # The other process may run on another number of threads.
            np.testing.assert_allclose(got, expected, atol=1e-6)

    @pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
    def test_opens_without_the_device_it_was_made_for(self, fitted, faces):
        from_gpu = copy.deepcopy(fitted).set_params(cnn__device="cuda")
        data = pickle.dumps(from_gpu)
        with pytest.warns(UserWarning, match=r"device='cuda', which is not here.*CPU"):
            opened = pickle.loads(data)
        np.testing.assert_array_equal(
            opened.predict_proba(faces.data), fitted.predict_proba(faces.data)
        )
        with pytest.raises(ValueError, match="device 'cuda' cannot be used here"):
            opened.fit(faces.data, faces.target)

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
    def test_trained_on_a_gpu_opens_without_one(self, faces, tmp_path):
        pipe = make(device="cuda").fit(faces.data, faces.target)
        (tmp_path / "model.pkl").write_bytes(pickle.dumps(pipe))
        (tmp_path / "faces.pkl").write_bytes(pickle.dumps(faces.data.tolist()))
        code = (
            "import os; os.environ['CUDA_VISIBLE_DEVICES'] = ''\n"
            "import pickle, sys; sys.path.append(sys.argv[1])\n"
            "model = pickle.load(open('model.pkl', 'rb'))\n"
            "faces = pickle.load(open('faces.pkl', 'rb'))\n"
            "print(model.predict_proba(faces).tobytes().hex())"
        )
        answer = subprocess.run(
            [sys.executable, "-c", code, str(TESTS)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        got = np.frombuffer(bytes.fromhex(answer), np.float32).reshape(-1, 7)
        np.testing.assert_allclose(got, pipe.predict_proba(faces.data), atol=1e-3)

    def test_other_versions_are_told(self, fitted, faces, monkeypatch):
        older = {**library_versions(), "torch": "1.9.0", "skorch": "0.15.0"}
        with monkeypatch.context() as patch:
            patch.setattr("fer_sklearn._classifier.library_versions", lambda: older)
            data = pickle.dumps(fitted)
        with pytest.warns(UserWarning) as caught:
            opened = pickle.loads(data)
        assert len(caught) == 1
        assert re.search(
            r"stored with torch 1\.9\.0 \(here .*\), skorch 0\.15\.0 \(here "
            r".*\)\. It will most likely work; check a few predictions",
            str(caught[0].message),
        )
        np.testing.assert_array_equal(
            opened.predict_proba(faces.data), fitted.predict_proba(faces.data)
        )

    def test_patches_and_local_builds_are_the_same_version(self, fitted, monkeypatch):
        here = library_versions()
        built = {
            name: ".".join([*version.split(".")[:2], "99+cu130"])
            for name, version in here.items()
        }
        with monkeypatch.context() as patch:
            patch.setattr("fer_sklearn._classifier.library_versions", lambda: built)
            data = pickle.dumps(fitted)
        pickle.loads(data)


def test_right_answers_on_several_threads_at_once(fitted, faces):
    opened = pickle.loads(pickle.dumps(fitted))
    parts = [faces.data[start : start + 21] for start in range(0, 210, 21)]
    expected = [fitted.predict_proba(part) for part in parts]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(opened.predict_proba, parts * 6))
    for answer, right in zip(answers, expected * 6, strict=True):
        np.testing.assert_array_equal(answer, right)
