"""Several processes and threads: the same results, no hang, and an end on Ctrl-C."""

import contextlib
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from urllib.request import urlopen

import joblib
import numpy as np
import psutil
import pytest
import torch
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from tiny_network import TinyNet

from fer_sklearn import make_fer_pipeline

TESTS = Path(__file__).parent


def make(**params):
    defaults = {"max_epochs": 2, "batch_size": 64, "random_state": 0, "lr": 0.05}
    defaults |= {"network": TinyNet, "image_shape": (16, 16)}
    return make_fer_pipeline(**{**defaults, **params})


def search(**params):
    return GridSearchCV(
        make(),
        {"cnn__lr": [0.02, 0.1]},
        cv=StratifiedKFold(2, shuffle=True, random_state=0),
        scoring="neg_log_loss",
        error_score="raise",
        **params,
    )


def assert_same(one, other):
    for name in ("split0_test_score", "split1_test_score", "rank_test_score"):
        np.testing.assert_array_equal(one.cv_results_[name], other.cv_results_[name])
    one, other = (
        found.best_estimator_["cnn"].net_.module_.state_dict() for found in (one, other)
    )
    for name in one:
        assert torch.equal(one[name], other[name]), name


@pytest.fixture(scope="module", autouse=True)
def one_thread_a_fit():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def alone(faces):
    return search(n_jobs=1).fit(faces.data, faces.target)


class TestSameResults:
    def test_on_two_processes(self, alone, faces):
        with joblib.parallel_config("loky", inner_max_num_threads=1):
            both = search(n_jobs=2).fit(faces.data, faces.target)
            in_worker = joblib.Parallel(n_jobs=2)([joblib.delayed(n_threads)()])
        assert in_worker[0] != (os.getpid(), 1)
        assert in_worker[0][1] == 1
        assert_same(alone, both)

    def test_on_two_threads(self, alone, faces):
        with joblib.parallel_config("threading"):
            both = search(n_jobs=2).fit(faces.data, faces.target)
        assert_same(alone, both)

    def test_members_of_an_ensemble_on_two_threads(self, faces):
        members = [(f"seed{seed}", make(random_state=seed)) for seed in range(2)]
        vote = VotingClassifier(members, voting="soft")
        one = vote.fit(faces.data, faces.target).predict_proba(faces.data)
        with joblib.parallel_config("threading"):
            both = vote.set_params(n_jobs=2).fit(faces.data, faces.target)
        np.testing.assert_array_equal(both.predict_proba(faces.data), one)


def n_threads():
    """Threads that PyTorch takes in a worker, where the classifier is imported too."""
    from fer_sklearn import FERClassifier

    assert FERClassifier
    return os.getpid(), torch.get_num_threads()


class TestProgress:
    def test_lines_of_a_search(self, faces, capsys):
        search(verbose=3, n_jobs=1).fit(faces.data, faces.target)
        out = capsys.readouterr().out
        assert "Fitting 2 folds for each of 2 candidates, totalling 4 fits" in out
        assert out.count("END") == 4

    @pytest.mark.skipif(
        find_spec("sklearn.callback") is None,
        reason="scikit-learn has callbacks from 1.9 on",
    )
    def test_scikit_learns_progress_bar_reaches_every_epoch(self, faces, capsys):
        pytest.importorskip("rich", reason="ProgressBar needs rich")
        from sklearn.callback import ProgressBar

        found = search().set_callbacks(ProgressBar(max_propagation_depth=None))
        found.fit(faces.data, faces.target)
        out = capsys.readouterr().out
        assert "GridSearchCV" in out
        assert "FERClassifier - fit" in out
        assert "100%" in out


ENDLESS = """
import os, sys
from pathlib import Path
sys.path.append(sys.argv[1])
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback
from tiny_network import TinyNet
from fer_sklearn import make_faces, make_fer_pipeline

class Tell(Callback):
    def on_batch_end(self, net, **kwargs):
        if len(net.history) == 2:  # so one epoch is there to be kept
            Path(f"training-{os.getpid()}").touch()

if __name__ == "__main__":
    faces = make_faces(140, image_shape=(16, 16), random_state=0)
    pipe = make_fer_pipeline(
        TinyNet, image_shape=(16, 16), max_time=600, batch_size=8, callbacks=[Tell()]
    )
    if sys.argv[2] == "search":
        grid = {"cnn__lr": [0.01, 0.02]}
        GridSearchCV(pipe, grid, cv=2, n_jobs=2).fit(faces.data, faces.target)
    else:
        pipe.set_params(cnn__num_workers=2).fit(faces.data, faces.target)
    print(pipe["cnn"].n_iter_)
"""


POOL = """
import json, pickle
from multiprocessing import get_context
import torch

def probabilities(faces):
    return torch.get_num_threads(), model.predict_proba(faces).tolist()

def n_epochs(faces):
    return model.fit(faces, [0, 1] * (len(faces) // 2))["cnn"].n_iter_

if __name__ == "__main__":
    model = pickle.load(open("model.pkl", "rb"))
    faces = pickle.load(open("faces.pkl", "rb"))
    assert torch.get_num_threads() == 2
    with get_context("fork").Pool(2) as pool:
        answers = pool.map_async(probabilities, [faces] * 4, chunksize=1).get(60)
    model.predict(faces)
    with get_context("fork").Pool(2) as pool:
        answers += pool.map_async(probabilities, [faces] * 2, chunksize=1).get(60)
        assert pool.map_async(n_epochs, [faces[:64]]).get(60) == [1]
    assert torch.get_num_threads() == 2
    print(json.dumps(answers))
"""

# The second as well: Dask's workers, in earlier tests, leave it at one.
TWO_THREADS = {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}

PRELOADED = """
import json, os, pickle
import torch

model = pickle.load(open("model.pkl", "rb"))
faces = pickle.load(open("faces.pkl", "rb"))
parent = os.getpid()

def app(environ, start_response):
    assert os.getpid() != parent
    start_response("200 OK", [("Content-Type", "application/json")])
    answer = torch.get_num_threads(), model.predict_proba(faces).tolist()
    return [json.dumps(answer).encode()]
"""


@pytest.fixture(scope="module")
def expected(deployed, faces):
    return deployed.predict_proba(faces.data)


@pytest.fixture(scope="module")
def deployed(faces):
    # Large enough for torch to share the work out among threads at loading.
    pipe = make(network="compact", max_epochs=1)
    return pipe.fit(faces.data[:70], faces.target[:70])


@pytest.fixture(scope="module")
def place(deployed, faces, tmp_path_factory):
    """A folder with a pickled model in it, some faces, and programs."""
    folder = tmp_path_factory.mktemp("deployed")
    (folder / "model.pkl").write_bytes(pickle.dumps(deployed))
    (folder / "faces.pkl").write_bytes(pickle.dumps(faces.data.tolist()))
    (folder / "pool.py").write_text(POOL)
    (folder / "preloaded.py").write_text(PRELOADED)
    return folder


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
class TestFork:
    """A forked process has none of the threads that torch had, and waits for them."""

    @pytest.fixture
    def start(self, place):
        """Start Python in that folder, and see that nothing of it is left."""
        started = []

        def start(*arguments, **kwargs):
            process = psutil.Popen(
                [sys.executable, *arguments],
                cwd=place,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, **TWO_THREADS},
                **kwargs,
            )
            started.append(process)
            return process

        yield start
        for process in started:
            if not process.is_running():
                continue
            family = [process, *process.children(recursive=True)]
            process.terminate()
            for left in psutil.wait_procs(family, timeout=20)[1]:
                left.kill()
            process.communicate()

    def test_pool(self, start, expected):
        out, err = start("pool.py").communicate(timeout=180)
        assert out, err
        self.check(json.loads(out), expected)

    def test_preloaded_gunicorn(self, start, expected):
        pytest.importorskip("gunicorn", reason="needs gunicorn")
        with socket.create_server(("127.0.0.1", 0)) as server:
            port, fd = server.getsockname()[1], server.fileno()
            options = ["--preload", "--workers=2", f"--bind=fd://{fd}"]
            start("-m", "gunicorn", *options, "preloaded:app", pass_fds=[fd])

        def answer(_):
            with urlopen(f"http://127.0.0.1:{port}/", timeout=60) as response:
                return json.load(response)

        with ThreadPoolExecutor(4) as pool:
            self.check(list(pool.map(answer, range(8))), expected)

    @staticmethod
    def check(answers, expected):
        for n_threads, got in answers:
            assert n_threads == 1
            np.testing.assert_allclose(got, expected, atol=1e-6)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no process groups for Ctrl-C")
class TestCtrlC:
    @pytest.fixture
    def interrupted(self, tmp_path):
        """Start a script, press Ctrl-C in the middle, and see that nothing is left."""
        (tmp_path / "endless.py").write_text(ENDLESS)

        processes = []

        def interrupted(what, *, n_training):
            process = subprocess.Popen(
                [sys.executable, "endless.py", str(TESTS), what],
                cwd=tmp_path,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                start_new_session=True,
            )
            processes.append(psutil.Process(process.pid))
            wait_for(lambda: len(list(tmp_path.glob("training-*"))) >= n_training)
            wait_for(lambda: len(processes[0].children(recursive=True)) >= 2)
            processes.extend(processes[0].children(recursive=True))
            # A terminal sends the signal to all processes of its foreground group.
            os.killpg(process.pid, signal.SIGINT)
            out, err = process.communicate(timeout=60)
            _, alive = psutil.wait_procs(processes, timeout=20)
            assert not alive
            return process.returncode, out, err

        yield interrupted
        # All of their group: a test that fails leaves no workers to train for minutes.
        for process in processes[:1]:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def test_search_leaves_no_orphans(self, interrupted):
        code, out, err = interrupted("search", n_training=2)
        assert code != 0
        assert not out
        assert "KeyboardInterrupt" in err

    def test_fit_keeps_its_model_and_leaves_no_loaders(self, interrupted):
        code, out, err = interrupted("fit", n_training=1)
        assert code == 0, err
        assert int(out) >= 1
        assert "Training interrupted by user" in err


def wait_for(condition, timeout=120):
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
