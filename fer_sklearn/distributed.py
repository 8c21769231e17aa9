"""Searches and predictions on the machines of a Dask cluster."""

import asyncio
import importlib.metadata
import warnings
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager

import joblib

from . import __version__
from ._utils import require
from .exceptions import FERError

__all__ = ["dask_cluster"]

# Versions of these decide whether a worker trains the same network.
_PACKAGES = ("scikit-learn", "torch", "numpy")


@contextmanager
def dask_cluster(address, *, scatter=(), timeout=5):
    """Run searches and predictions on a Dask cluster instead of this machine.

    Within the ``with`` block, everything that scikit-learn runs through joblib, such as
    the fits of :class:`~sklearn.model_selection.GridSearchCV`, runs on the workers of
    the cluster, whatever `n_jobs` is. `predict_file` takes the client that the block
    gives. If a worker dies, other workers repeat its fits. The results are those of a
    search on one machine, bit for bit if torch has the same number of threads and the
    processors are alike.

    Start workers with one thread each, ``dask worker ADDRESS --nworkers 8 --nthreads
    1``: trainings in threads of one process take turns.

    Parameters
    ----------
    address : str, distributed.Client or cluster
        Address of the scheduler, such as ``"tcp://10.0.0.5:8786"``; or a client or a
        cluster object, such as `distributed.LocalCluster`.
    scatter : sequence, default=()
        Objects that are sent to each worker once, at the start. Pass ``(X, y)``, the
        same objects that `fit` is called with. Otherwise lists are sent with every
        fit, and data that only one worker has is lost if it dies.
    timeout : float, default=5
        Seconds to wait for the scheduler, and for its first worker.

    Yields
    ------
    client : distributed.Client
        Connected to the cluster. It is closed at the end of the block; the cluster
        keeps running.

    Raises
    ------
    FERError
        If no scheduler answers in time, it has no workers, a worker lacks this
        package, or all workers die.
    MissingExtraError
        If dask is not installed.

    Warns
    -----
    UserWarning
        If a worker has other versions of this package, scikit-learn, torch or numpy.

    See Also
    --------
    fer_sklearn.predict_file : Predict on a file of any size.

    Notes
    -----
    Uses joblib's own Dask backend. During the block, Dask's active memory manager is
    stopped on the cluster: it would drop copies of the faces that workers do not need
    at the moment, and fetch them again later. On a cluster with one thread in all,
    joblib runs the fits in this process.

    Examples
    --------
    >>> from distributed import LocalCluster
    >>> from sklearn.model_selection import GridSearchCV
    >>> from fer_sklearn import make_faces, make_fer_pipeline
    >>> from fer_sklearn.distributed import dask_cluster
    >>> X, y = make_faces(70, image_shape=(16, 16), random_state=0, return_X_y=True)
    >>> pipe = make_fer_pipeline("nano", image_shape=(16, 16), max_epochs=1)
    >>> search = GridSearchCV(pipe, {"cnn__lr": [0.01, 0.1]}, cv=2)
    >>> with LocalCluster(1, processes=False, dashboard_address=":0") as cluster:
    ...     with dask_cluster(cluster, scatter=(X, y)):
    ...         search = search.fit(X, y)
    >>> len(search.cv_results_["mean_test_score"])
    2

    If nothing answers at the address:

    >>> with dask_cluster("tcp://127.0.0.1:1", timeout=0.5):
    ...     pass
    Traceback (most recent call last):
    ...
    fer_sklearn.exceptions.FERError: No Dask scheduler answers at tcp://127.0.0.1:1 \
within 0.5 seconds (...
    """
    distributed = require("distributed", extra="distributed")
    with _open_client(distributed, address, timeout) as client:
        _wait_for_worker(client, timeout)
        _check_workers(client)
        was_running = client.amm.running()
        client.amm.stop()
        try:
            with joblib.parallel_config("dask", client=client, scatter=list(scatter)):
                yield client
        except CancelledError as error:
            raise FERError(
                "All workers that had a piece of the data died, so it is lost. Their "
                "logs say why (often memory: start fewer workers on a machine). Then "
                "run it again, on two workers or more."
            ) from error
        finally:
            if was_running:
                client.amm.start()


def _open_client(distributed, address, timeout):
    class Client(distributed.Client):
        """Scatters data to all workers.

        joblib scatters the rows of each fold to one worker only; if that one dies, the
        rows are lost and the search fails.
        """

        def scatter(self, data, broadcast=True, **kwargs):
            return super().scatter(data, broadcast=broadcast, **kwargs)

    options = {"set_as_default": False, "timeout": timeout}
    if not isinstance(address, str):
        options["security"] = address.security
        # A cluster has an address, a client has a scheduler with an address.
        place = getattr(address, "scheduler_address", None)
        return Client(place or address.scheduler.address, **options)
    try:
        identity = _identify(distributed, address, timeout)
    except Exception as error:
        # Another server may answer anything, for which Dask has no common error class.
        raise FERError(
            f"No Dask scheduler answers at {address} within {timeout:g} seconds "
            f"({type(error).__name__}: {error}). Expected an address such as "
            "tcp://10.0.0.5:8786; start one with: dask scheduler"
        ) from error
    if identity.get("type") != "Scheduler":
        raise FERError(
            f"At {address} there is a Dask {identity.get('type')}, expected the "
            "scheduler. `dask scheduler` prints its address when it starts."
        )
    return Client(address, **options)


def _identify(distributed, address, timeout):
    """Ask the server at an address what it is, and wait `timeout` for the answer.

    `distributed.Client` waits forever for a server that accepts the connection and then
    sends nothing.
    """

    async def ask():
        arguments = distributed.Security().get_connection_args("client")
        async with distributed.rpc(address, connection_args=arguments) as scheduler:
            return await scheduler.identity()

    async def ask_in_time():
        return await asyncio.wait_for(ask(), timeout)

    # In another thread, because in a notebook this one already runs a loop.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(ask_in_time())).result()


def _wait_for_worker(client, timeout):
    try:
        client.wait_for_workers(1, timeout=timeout)
    except TimeoutError as error:
        address = client.scheduler.address
        raise FERError(
            f"The Dask scheduler at {address} has had no worker for {timeout:g} "
            "seconds. Start some on each machine: "
            f"dask worker {address} --nworkers 8 --nthreads 1"
        ) from error


def _check_workers(client):
    """Raise an error for workers without this package; warn of other versions."""
    own = _installed()
    for worker, versions in client.run(_installed, on_error="return").items():
        if isinstance(versions, BaseException):
            needed = " ".join(f"{name}=={version}" for name, version in own.items())
            raise FERError(
                f"The Dask worker {worker} cannot use fer_sklearn ({versions}). "
                f"Install the same packages there: pip install {needed}"
            ) from versions
        for name, version in versions.items():
            if version != own[name]:
                warnings.warn(
                    f"The Dask worker {worker} has {name} {version}, this process has "
                    f"{own[name]}: results may differ. Install the same version.",
                    UserWarning,
                    stacklevel=4,
                )


def _installed():
    others = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {"fer-sklearn": __version__, **others}
