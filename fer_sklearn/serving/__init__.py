"""A web service and its page around a fitted pipeline: ``create_app`` and ``run``.

The application answers ``POST /predict``, ``GET /model``, ``GET /health`` and
``GET /metrics``, and shows a page at ``/`` that needs nothing from elsewhere. It opens
no model from a request, writes nothing to disk and logs no pictures.
"""

from .._extras import require

# Before the modules below import them, so that the message says how to install them.
for _module in (
    "fastapi",
    "uvicorn",
    "python_multipart",
    "prometheus_client",
    "markdown_it",
):
    require(_module, extra="serve")

from ._app import create_app  # noqa: E402
from ._limits import Limits  # noqa: E402
from ._server import bind, run  # noqa: E402

__all__ = ["Limits", "bind", "create_app", "run"]
