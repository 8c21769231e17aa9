"""dask_cluster: searches on worker processes, and what can go wrong."""

import os
import signal
import socket
import threading
import time
from collections import Counter

import numpy as np
import pytest
import torch
from brightness_model import noted
from distributed_helpers import NotedFaces, wait_for
from noted_network import NotedNet
from sklearn.model_selection import GridSearchCV

from fer_sklearn import distributed as module
from fer_sklearn import make_fer_pipeline
from fer_sklearn.distributed import dask_cluster
from fer_sklearn.exceptions import FERError


@pytest.fixture
def one_thread():
    """As many threads of torch as a Dask worker has."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make_search(log, seconds=0.0):
    pipe = make_fer_pipeline(
        NotedNet,
        network_params={"log": str(log), "seconds": seconds},
        image_shape=(16, 16),
        max_epochs=1,
        batch_size=32,
        random_state=0,
    )
    return GridSearchCV(
        pipe,
        {"cnn__lr": [0.01, 0.1]},
        # 140 rows to train on: joblib scatters arrays of more than a kilobyte.
        cv=3,
        scoring=["accuracy", "neg_log_loss"],
        refit="neg_log_loss",
        error_score="raise",
    )


def scores(search):
    return {
        key: value
        for key, value in search.cv_results_.items()
        if "_test_" in key or key == "params"
    }


def test_faces_travel_once_a_worker(address, faces, tmp_path):
    X = NotedFaces(faces.data, str(tmp_path / "arrivals"))
    with dask_cluster(address, scatter=(X, faces.target), timeout=60) as client:
        client.wait_for_workers(2, timeout=60)
        workers = set(client.run(os.getpid).values())
        make_search(tmp_path / "log").fit(X, faces.target)
    arrivals = noted(tmp_path / "arrivals")
    # Six fits.
    assert set(arrivals) <= workers and len(arrivals) == len(set(arrivals))
    assert set(noted(tmp_path / "log")) - {os.getpid()} <= set(arrivals)


def test_memory_manager_is_back_afterwards(cluster, address):
    with distributed_client(address) as client:
        assert client.amm.running()
        with dask_cluster(address, timeout=60):
            assert not client.amm.running()
        assert client.amm.running()


def distributed_client(address):
    from distributed import Client

    return Client(address, set_as_default=False)


@pytest.mark.parametrize("kind", ["cluster", "client"])
def test_takes_clusters_and_clients(kind, cluster, address):
    with distributed_client(address) as own:
        target = own if kind == "client" else cluster
        with dask_cluster(target, timeout=60) as client:
            assert client.submit(sum, [1, 2]).result() == 3
        assert own.submit(sum, [2, 3]).result() == 5, "the user's client still works"


def listen(reply=None):
    """Listen on a port; answer with `reply`, or be silent for ever."""
    server = socket.create_server(("127.0.0.1", 0))
    held = []

    def answer():
        while True:
            try:
                connection = server.accept()[0]
            except OSError:
                return
            held.append(connection)
            if reply is not None:
                connection.sendall(reply)
                connection.close()

    threading.Thread(target=answer, daemon=True).start()
    return server


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "127.0.0.1:1", "1", "x://y"])
def test_no_scheduler_answers(address):
    start = time.monotonic()
    with pytest.raises(FERError, match=f"No Dask scheduler answers at {address} "):
        with dask_cluster(address, timeout=0.5):
            pass
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("reply", [None, b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_something_else_listens(reply):
    with listen(reply) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        start = time.monotonic()
        with pytest.raises(FERError, match="start one with: dask scheduler"):
            with dask_cluster(address, timeout=0.5):
                pass
        assert time.monotonic() - start < 10


def test_a_worker_is_no_scheduler(cluster):
    worker = next(iter(cluster.scheduler_info["workers"]))
    with pytest.raises(FERError, match="there is a Dask Worker, expected the sched"):
        with dask_cluster(worker):
            pass


def test_no_workers():
    from distributed import Scheduler, SpecCluster

    options = {"host": "127.0.0.1", "port": 0, "dashboard_address": ":0"}
    with SpecCluster({}, {"cls": Scheduler, "options": options}) as empty:
        with pytest.raises(FERError, match=r"no worker for 0.1 seconds.*dask worker"):
            with dask_cluster(empty, timeout=0.1):
                pass


def test_lost_data_is_explained(address):
    with pytest.raises(FERError, match="All workers that had a piece of the data died"):
        with dask_cluster(address, timeout=60) as client:
            future = client.submit(time.sleep, 0.5, pure=False)
            future.cancel()
            future.result()


class FakeClient:
    """Workers that answer what they are told."""

    def __init__(self, **answers):
        self.answers = answers

    def run(self, function, on_error):
        return self.answers


def test_workers_with_other_versions_are_named():
    versions = module._installed()
    client = FakeClient(a=versions, b={**versions, "torch": "1.0"})
    with pytest.warns(UserWarning, match=r"worker b has torch 1.0, this process has"):
        module._check_workers(client)


def test_workers_without_the_package_are_named():
    client = FakeClient(a=ModuleNotFoundError("No module named 'fer_sklearn'"))
    with pytest.raises(FERError, match=r"worker a cannot use .*pip install fer-sklear"):
        module._check_workers(client)


# Last, because it costs the others a worker that has torch.
def kill_while_fitting(log, killed):
    """Kill the worker that began the third fit, while it is at it."""
    pid = wait_for(lambda: noted(log)[2:3])[0]
    os.kill(pid, signal.SIGKILL)
    killed.append(pid)


def test_search_survives_a_killed_worker(address, faces, tmp_path, one_thread):
    local = make_search(tmp_path / "local").fit(faces.data, faces.target)
    log, killed = tmp_path / "log", []
    search = make_search(log, seconds=0.3)
    killer = threading.Thread(target=kill_while_fitting, args=(log, killed))
    with dask_cluster(address, scatter=(faces.data, faces.target), timeout=60):
        killer.start()
        search.fit(faces.data, faces.target)
    killer.join()
    pids = Counter(noted(log))
    # The last fit, on all faces, is this process's own.
    assert pids.pop(os.getpid()) == 1
    assert killed[0] in pids and len(pids) >= 2
    assert pids.total() > 2 * 3, "the fit that was interrupted was repeated"
    for key, value in scores(local).items():
        np.testing.assert_array_equal(scores(search)[key], value, err_msg=key)
    np.testing.assert_array_equal(
        search.predict_proba(faces.data), local.predict_proba(faces.data)
    )
