"""Serve a fitted pipeline as a web service with a page: ``create_app`` and ``run``.

The application answers ``POST /predict``, ``GET /model``, ``GET /health`` and
``GET /metrics``, and shows a page at ``/`` that loads nothing from other servers. No
request can make it open a model; it writes nothing to disk and logs no pictures.
"""

from .._utils import require

# Before the imports below, so that a missing package is named with the command that
# installs it.
for _module in (
    "fastapi",
    "uvicorn",
    "python_multipart",
    "prometheus_client",
    "markdown_it",
):
    require(_module, extra="serve")

from .app import create_app  # noqa: E402
from .limits import Limits  # noqa: E402
from .server import bind, run  # noqa: E402

__all__ = ["Limits", "bind", "create_app", "run"]
