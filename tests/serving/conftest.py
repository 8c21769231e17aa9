"""One stand-in and one service for all tests of the service."""

import pytest

from fer_sklearn import PixelStringTransformer
from fer_sklearn.datasets import make_faces

for module in (
    "fastapi",
    "markdown_it",
    "prometheus_client",
    "python_multipart",
    "uvicorn",
):
    pytest.importorskip(module, reason="needs the extra [serve]")


@pytest.fixture(scope="session")
def pipe():
    from serving_helpers import stand_in

    return stand_in()


@pytest.fixture(scope="session")
def pictures():
    """28 synthetic faces, uint8 (28, 48, 48), that the stand-in was not fitted on."""
    data = make_faces(28, random_state=1).data
    return PixelStringTransformer().transform(data)


@pytest.fixture(scope="session")
def client(pipe):
    """A service that treats every picture as one face."""
    from serving_helpers import serving

    with serving(pipe, detect=None, name="stand-in", card={"accuracy": 0.5}) as client:
        yield client
