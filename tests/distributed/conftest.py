"""One cluster of real processes for all tests of this folder."""

import pytest

distributed = pytest.importorskip("distributed", reason="needs the extra [distributed]")
pytest.importorskip("pyarrow", reason="needs the extra [distributed]")


@pytest.fixture(scope="session")
def cluster():
    """Two worker processes of one thread on loopback; those that die are replaced."""
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=":0",
        host="127.0.0.1",
    ) as cluster:
        yield cluster


@pytest.fixture
def address(cluster):
    """Address of the scheduler, once both workers are there."""
    with distributed.Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    return cluster.scheduler_address
