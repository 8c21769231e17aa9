"""Predictions on parts of files, here or on a cluster, in order."""

from collections import deque
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from .._utils import require
from ..exceptions import PixelStringError
from ._reading import read_pixels


@dataclass
class Chunk:
    """Rows of a file that follow each other.

    Attributes
    ----------
    path : Path
        The file.
    start : int
        Its row that is the first here, from 0.
    texts : list
        Pixel strings.
    """

    path: Path
    start: int
    texts: list

    def place(self, error, row=None):
        """Name the row of the file in an error that names one of the chunk."""
        if error.row is None:
            end = self.start + len(self.texts) - 1
            return f"Rows {self.start} to {end} of {self.path}: {error}"
        row = self.start + (error.row if row is None else row)
        text = f"Row {row} of {self.path} (counted from 0) {error.reason}"
        return f"{text}. {error.cure}" if error.cure else text


def read_chunks(paths, n_rows):
    """Yield the rows of some files as chunks of at most `n_rows`."""
    for path in paths:
        start = 0
        for texts in read_pixels(path, n_rows):
            yield Chunk(path, start, texts)
            start += len(texts)


def predict_chunks(model, chunks, *, skip, client=None):
    """Predict on chunks and give the answers in their order.

    Parameters
    ----------
    model : Pipeline
        Fitted.
    chunks : iterable of Chunk
        Read no further than the cluster can keep up with.
    skip : bool
        Leave out rows that are no faces.
    client : distributed.Client, default=None
        Whose workers predict; None predicts here.

    Yields
    ------
    chunk : Chunk
    rows : ndarray of int
        Rows of the file.
    y_prob : ndarray of shape (n_rows, n_classes)
        Their probabilities.
    errors : list of str
        What is wrong with each row that was left out.

    Raises
    ------
    PixelStringError
        If a row is no face and `skip` is False; it names the row of the file.
    """
    submit, ahead = partial(partial, predict_rows, model), 0
    if client is not None:
        submit, ahead = _on_workers(client, model)
    waiting = deque()
    for chunk in chunks:
        waiting.append((chunk, submit(chunk.texts, skip)))
        if len(waiting) > ahead:
            yield _answer(*waiting.popleft())
    while waiting:
        yield _answer(*waiting.popleft())


def _on_workers(client, model):
    """Give a function that sends rows, and how many chunks may be on their way."""
    dask = require("dask", extra="distributed")
    # A task, not scattered data: should each worker that has it die, it is sent again.
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"}):
        sent = client.submit(_itself, model, pure=False)

    def submit(texts, skip):
        return client.submit(predict_rows, sent, texts, skip, pure=False).result

    return submit, 2 * sum(client.nthreads().values())


def _itself(model):
    return model


def _answer(chunk, get_answer):
    try:
        kept, y_prob, errors = get_answer()
    except PixelStringError as error:
        raise PixelStringError(chunk.place(error)) from error
    left_out = np.setdiff1d(np.arange(len(chunk.texts)), kept)
    placed = [chunk.place(*pair) for pair in zip(errors, left_out, strict=True)]
    return chunk, chunk.start + kept, y_prob, placed


def predict_rows(model, texts, skip):
    """Give rows, their probabilities, and the errors of rows that are left out.

    Rows that are no faces are found by halving: reading fails before the network
    runs, so that this costs little.
    """
    try:
        return np.arange(len(texts)), model.predict_proba(texts), []
    except PixelStringError as error:
        if not skip:
            raise
        if len(texts) == 1:
            nothing = np.empty((0, len(model.classes_)), dtype=np.float32)
            return np.arange(0), nothing, [error]
    half = len(texts) // 2
    rows, y_prob, errors = predict_rows(model, texts[:half], skip)
    more_rows, more_prob, more_errors = predict_rows(model, texts[half:], skip)
    return (
        np.concatenate([rows, half + more_rows]),
        np.concatenate([y_prob, more_prob]),
        errors + more_errors,
    )
