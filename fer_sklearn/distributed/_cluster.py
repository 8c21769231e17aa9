"""dask_cluster: what joblib runs, run on a Dask cluster."""

import asyncio
import importlib.metadata
import warnings
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager

import joblib

from .. import __version__
from .._utils import require
from ..exceptions import FERError

# What must be there on a worker to train the same network.
_PACKAGES = ("scikit-learn", "torch", "numpy")


@contextmanager
def dask_cluster(address, *, scatter=(), timeout=5):
    """Run searches on a Dask cluster instead of this machine.

    Within the ``with`` block everything that scikit-learn runs through joblib, such
    as the fits of :class:`~sklearn.model_selection.GridSearchCV`, runs on the workers
    of the cluster; ``n_jobs`` may stay as it is. A worker that dies in the middle
    costs the fits that it was at, which others do again. The results are those of a
    search on one machine, bit for bit if torch has as many threads there and the
    processors are alike.

    Start workers with one thread each, ``dask worker ADDRESS --nworkers 8 --nthreads
    1``: trainings in threads of one process take turns.

    Parameters
    ----------
    address : str, distributed.Client or cluster
        Address of the scheduler, such as ``"tcp://10.0.0.5:8786"``; or a client or a
        cluster object, such as `distributed.LocalCluster`, whose scheduler it is.
    scatter : sequence, default=()
        What goes to each worker once, at the start: give ``(X, y)``, the very objects
        that `fit` is called with. Without it, lists travel with every fit, and what
        only a worker that died had is lost with it.
    timeout : float, default=5
        Seconds to wait for the scheduler, and for its first worker.

    Yields
    ------
    client : distributed.Client
        For what else you want of the cluster. It is closed at the end, the cluster
        is left running.

    Raises
    ------
    FERError
        If nobody answers in time, what answers is no scheduler, it has no workers, a
        worker lacks this package, or all workers die.
    MissingExtraError
        If dask is not installed.

    Warns
    -----
    UserWarning
        If a worker has other versions of this package, scikit-learn, torch or numpy.

    See Also
    --------
    predict_file : Predict on a file of any size, on request on a cluster.

    Notes
    -----
    Uses joblib's own Dask backend. Until the end of the block, Dask's active memory
    manager is stopped on the cluster: it would drop the copies of the faces that
    workers do not need at the moment, and fetch them again later. On a cluster of one
    thread in all, joblib runs the fits in this process.

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

    Where nobody listens:

    >>> with dask_cluster("tcp://127.0.0.1:1", timeout=0.5):
    ...     pass
    Traceback (most recent call last):
    ...
    fer_sklearn.exceptions.FERError: No Dask scheduler answers at tcp://127.0.0.1:1 \
within 0.5 seconds (...
    """
    with connected(address, timeout) as client:
        with joblib.parallel_config("dask", client=client, scatter=list(scatter)):
            try:
                yield client
            except CancelledError as error:
                raise FERError(
                    "The cluster lost data that it was to work on: all workers that "
                    "had it died. Their logs say why (often memory: start fewer on a "
                    "machine); then run it again, on two workers or more."
                ) from error


@contextmanager
def connected(address, timeout):
    """Give a client of a cluster that has workers fit to train, and close it.

    Parameters
    ----------
    address, timeout
        See `dask_cluster`.

    Yields
    ------
    distributed.Client
    """
    distributed = require("distributed", extra="distributed")
    with _open_client(distributed, address, timeout) as client:
        _wait_for_worker(client, timeout)
        _check_workers(client)
        was_running = client.amm.running()
        client.amm.stop()
        try:
            yield client
        finally:
            if was_running:
                client.amm.start()


def _open_client(distributed, address, timeout):
    class Client(distributed.Client):
        """Scatters to all workers.

        joblib scatters the rows of each fold, but to one worker each; when that one
        dies they are lost, and so is the search.
        """

        def scatter(self, data, broadcast=True, **kwargs):
            return super().scatter(data, broadcast=broadcast, **kwargs)

    options = {"set_as_default": False, "timeout": timeout}
    if not isinstance(address, str):
        options["security"] = address.security
        # A cluster has its address as an attribute, a client in its scheduler.
        place = getattr(address, "scheduler_address", None)
        return Client(place or address.scheduler.address, **options)
    try:
        identity = _ask_who_is_there(distributed, address, timeout)
    except Exception as error:
        # What is no scheduler answers anything; Dask has no one class for that.
        raise FERError(
            f"No Dask scheduler answers at {address} within {timeout:g} seconds "
            f"({type(error).__name__}: {error}). Expected an address such as "
            "tcp://10.0.0.5:8786; start one with: dask scheduler"
        ) from error
    if identity.get("type") != "Scheduler":
        raise FERError(
            f"At {address} there is a Dask {identity.get('type')}, expected the "
            "scheduler; its address is in the first lines that `dask scheduler` prints."
        )
    return Client(address, **options)


def _ask_who_is_there(distributed, address, timeout):
    """Ask for the identity, with a time limit for the answer.

    `distributed.Client` waits without limit for what connects and then is silent.
    """

    async def ask():
        arguments = distributed.Security().get_connection_args("client")
        async with distributed.rpc(address, connection_args=arguments) as scheduler:
            return await scheduler.identity()

    async def ask_in_time():
        return await asyncio.wait_for(ask(), timeout)

    # In a thread of its own, because a notebook has a running loop in this one.
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
    """Refuse workers without this package, warn of other versions."""
    own = _installed()
    for worker, versions in client.run(_installed, on_error="return").items():
        if isinstance(versions, BaseException):
            needed = " ".join(f"{name}=={version}" for name, version in own.items())
            raise FERError(
                f"The Dask worker {worker} cannot use fer_sklearn ({versions}). "
                f"Install there what is here: pip install {needed}"
            ) from versions
        for name, version in versions.items():
            if version != own[name]:
                warnings.warn(
                    f"The Dask worker {worker} has {name} {version}, this process has "
                    f"{own[name]}: results may differ. Install the same version.",
                    UserWarning,
                    stacklevel=5,
                )


def _installed():
    others = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {"fer-sklearn": __version__, **others}
