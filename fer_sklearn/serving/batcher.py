"""One thread that runs the model, on the faces of many requests at once."""

import threading
from collections import deque
from concurrent.futures import Future

import numpy as np

from .limits import busy


class Batcher:
    """Gather the faces of many requests into batches for one function.

    When the thread has finished a batch, the next one is what has arrived meanwhile.
    No request waits for a batch to fill, and under load the batches grow by themselves.

    Say `batch_faces` is 4, and requests of 1, 2, 1 and 2 faces arrive while the thread
    is busy. The first three are the next batch, since the fourth does not fit any more,
    and the fourth is the batch after that.

    Parameters
    ----------
    predict : callable
        Takes uint8 faces (n, height, width) and returns an array of n rows.
    batch_faces : int, default=64
        Most faces in a batch. A larger request is a batch of its own.
    waiting_faces : int, default=1024
        Most faces that wait.

    Examples
    --------
    >>> import numpy as np
    >>> from fer_sklearn.serving.batcher import Batcher
    >>> batcher = Batcher(lambda faces: faces.mean(axis=(1, 2)))
    >>> batcher.submit(np.full((2, 48, 48), 7, dtype=np.uint8)).result()
    array([7., 7.])
    >>> batcher.close()
    """

    def __init__(self, predict, *, batch_faces=64, waiting_faces=1024):
        self._predict = predict
        self._batch_faces = batch_faces
        self._waiting_faces = waiting_faces
        self._queue = deque()
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(
            target=self._work, name="fer-sklearn-model", daemon=True
        )
        self.waiting = 0  # faces in the queue
        self._thread.start()

    @property
    def alive(self):
        """Whether faces are accepted and the thread runs."""
        return self._thread.is_alive() and not self._closed

    def submit(self, faces):
        """Queue the faces of one request, at least one.

        Returns a Future of their rows, or of the exception that `predict` raised.
        Raises a 503 `Refusal` if the queue is full, and after `close`.
        """
        future = Future()
        with self._changed:
            # A request of more than `waiting_faces` faces is accepted when nothing
            # else waits; otherwise it would be refused whenever it is tried again.
            full = self.waiting and self.waiting + len(faces) > self._waiting_faces
            if self._closed or full:
                raise busy("Too many faces wait already; try again in a second.")
            self._queue.append((faces, future))
            self.waiting += len(faces)
            self._changed.notify()
        return future

    def close(self, timeout=None):
        """Accept no more faces, answer those that wait, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(timeout)

    def _work(self):
        while batch := self._next_batch():
            # A client that went away has cancelled its future. From here on the
            # others can no longer be cancelled.
            wanted = [item for item in batch if item[1].set_running_or_notify_cancel()]
            if wanted:
                self._answer(wanted)

    def _next_batch(self):
        """Wait for requests and take a batch of them; empty after `close`."""
        with self._changed:
            while not self._queue and not self._closed:
                self._changed.wait()
            batch, size = [], 0
            while self._queue:
                length = len(self._queue[0][0])
                if batch and size + length > self._batch_faces:
                    break
                batch.append(self._queue.popleft())
                size += length
            self.waiting -= size
            return batch

    def _answer(self, batch):
        try:
            rows = self._predict(np.concatenate([faces for faces, _ in batch]))
        except BaseException as error:
            for _, future in batch:
                future.set_exception(error)
            return
        start = 0
        for faces, future in batch:
            future.set_result(rows[start : start + len(faces)])
            start += len(faces)
