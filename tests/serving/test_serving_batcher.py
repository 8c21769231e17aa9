"""Batches: their size, their results, and a close that loses no request."""

import threading

import numpy as np
import pytest

from fer_sklearn.serving.batcher import Batcher
from fer_sklearn.serving.limits import Refusal


def faces(*values):
    return np.array(values, dtype=np.uint8)[:, None, None]


class Slow:
    """A function that records its batches and waits until it is released."""

    def __init__(self):
        self.sizes = []
        self.started = threading.Event()
        self.release = threading.Event()

    def __call__(self, X):
        self.sizes.append(len(X))
        self.started.set()
        assert self.release.wait(10)
        if 13 in X:
            raise RuntimeError("unlucky")
        return X[:, 0, 0].astype(int)


@pytest.fixture
def slow():
    return Slow()


@pytest.fixture
def batcher(slow):
    batcher = Batcher(slow, batch_faces=4, waiting_faces=10)
    yield batcher
    slow.release.set()
    batcher.close(10)


def hold(batcher, slow):
    """Keep the thread busy, so that what follows has to wait."""
    first = batcher.submit(faces(0))
    assert slow.started.wait(10)
    return first


def test_what_waits_goes_together_and_comes_back_apart(batcher, slow):
    hold(batcher, slow)
    futures = [batcher.submit(faces(*rows)) for rows in [(1,), (2, 3), (4,), (5, 6)]]
    slow.release.set()
    results = [future.result(10).tolist() for future in futures]
    assert results == [[1], [2, 3], [4], [5, 6]]
    assert slow.sizes == [1, 4, 2]


def test_large_request_stays_together(batcher, slow):
    hold(batcher, slow)
    future = batcher.submit(faces(*range(20, 29)))
    slow.release.set()
    assert future.result(10).tolist() == list(range(20, 29))
    assert slow.sizes == [1, 9]


def test_full_queue_refuses_and_recovers(batcher, slow):
    hold(batcher, slow)
    waiting = [batcher.submit(faces(*range(5))) for _ in range(2)]
    assert batcher.waiting == 10
    with pytest.raises(Refusal, match="Too many faces wait"):
        batcher.submit(faces(1))
    slow.release.set()
    assert [len(future.result(10)) for future in waiting] == [5, 5]
    assert batcher.submit(faces(1)).result(10).tolist() == [1]


def test_lone_request_above_the_limit_is_taken(batcher, slow):
    slow.release.set()
    assert len(batcher.submit(faces(*range(12, 30))[1:]).exception(10).args) == 1
    assert len(batcher.submit(faces(*range(20, 35))).result(10)) == 15


def test_failure_hits_its_batch_alone(batcher, slow):
    hold(batcher, slow)
    bad = [batcher.submit(faces(13)), batcher.submit(faces(1, 2, 3))]
    good = batcher.submit(faces(4))
    slow.release.set()
    for future in bad:
        with pytest.raises(RuntimeError, match="unlucky"):
            future.result(10)
    assert good.result(10).tolist() == [4]


def test_cancelled_requests_are_not_computed(batcher, slow):
    hold(batcher, slow)
    gone, stays = batcher.submit(faces(1)), batcher.submit(faces(2))
    assert gone.cancel()
    slow.release.set()
    assert stays.result(10).tolist() == [2]
    assert slow.sizes == [1, 1]


def test_close_finishes_what_was_accepted(batcher, slow):
    first = hold(batcher, slow)
    others = [batcher.submit(faces(i)) for i in range(8)]
    closing = threading.Thread(target=batcher.close)
    closing.start()
    while batcher.alive:
        pass
    with pytest.raises(Refusal, match="Too many faces wait"):
        batcher.submit(faces(1))
    slow.release.set()
    closing.join(10)
    assert [future.result(0).tolist() for future in [first, *others]] == [
        [0],
        *([i] for i in range(8)),
    ]
