"""One thread that runs the model, on the faces of many requests at once."""

import threading
from collections import deque
from concurrent.futures import Future

import numpy as np


class QueueFullError(Exception):
    """More faces wait for the model than the limit allows."""


class Batcher:
    """Gather faces of many requests into batches for one function.

    A batch is whatever waits when the thread comes back: nobody waits for a batch to
    fill, and under load the batches grow by themselves.

    Parameters
    ----------
    predict : callable
        From uint8 faces (n, height, width) to an array of n rows.
    batch_faces : int, default=64
        Most faces in a batch; a larger request makes a batch of its own.
    waiting_faces : int, default=1024
        Most faces that wait.
    observe : callable, default=None
        Called with the number of faces of each batch, in the thread.

    Examples
    --------
    >>> import numpy as np
    >>> from fer_sklearn.serving._batcher import Batcher
    >>> batcher = Batcher(lambda faces: faces.mean(axis=(1, 2)))
    >>> batcher.submit(np.full((2, 48, 48), 7, dtype=np.uint8)).result()
    array([7., 7.])
    >>> batcher.close()
    """

    def __init__(self, predict, *, batch_faces=64, waiting_faces=1024, observe=None):
        self._predict = predict
        self._batch_faces = batch_faces
        self._waiting_faces = waiting_faces
        self._observe = observe
        self._queue = deque()
        self._waiting = 0
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(
            target=self._work, name="fer-sklearn-model", daemon=True
        )
        self._thread.start()

    @property
    def waiting(self):
        """Number of faces that wait for the model."""
        return self._waiting

    @property
    def alive(self):
        """Whether faces are taken and the thread is there to do them."""
        return self._thread.is_alive() and not self._closed

    def submit(self, faces):
        """Queue the faces of one request.

        Parameters
        ----------
        faces : ndarray of shape (n, height, width), dtype uint8
            At least one face.

        Returns
        -------
        rows : concurrent.futures.Future
            Holds the n rows that the function gave for them, or what it raised.

        Raises
        ------
        QueueFullError
            If `waiting_faces` would be exceeded, or after `close`.
        """
        future = Future()
        with self._changed:
            # A lone request above the limit would otherwise be refused for ever.
            full = self._waiting and self._waiting + len(faces) > self._waiting_faces
            if self._closed or full:
                raise QueueFullError
            self._queue.append((faces, future))
            self._waiting += len(faces)
            self._changed.notify()
        return future

    def close(self, timeout=None):
        """Take no more faces, finish those that wait, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(timeout)

    def _work(self):
        while batch := self._next_batch():
            # Who gave up waiting has cancelled; the others no longer can.
            wanted = [item for item in batch if item[1].set_running_or_notify_cancel()]
            if wanted:
                self._answer(wanted)

    def _next_batch(self):
        with self._changed:
            while not self._queue and not self._closed:
                self._changed.wait()
            requests, size = [], 0
            while self._queue:
                length = len(self._queue[0][0])
                if requests and size + length > self._batch_faces:
                    break
                requests.append(self._queue.popleft())
                size += length
            self._waiting -= size
            return requests

    def _answer(self, requests):
        faces = np.concatenate([faces for faces, _ in requests])
        try:
            if self._observe is not None:
                self._observe(len(faces))
            rows = self._predict(faces)
        except BaseException as error:
            for _, future in requests:
                future.set_exception(error)
            return
        start = 0
        for part, future in requests:
            future.set_result(rows[start : start + len(part)])
            start += len(part)
