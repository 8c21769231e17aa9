"""Searches on several processes and threads: the same results, and an end on Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

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
    faces = make_faces(140, image_size=16, random_state=0)
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
        for process in processes:
            if process.is_running():
                process.kill()

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
