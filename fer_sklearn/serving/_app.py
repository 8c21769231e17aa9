"""The application: routes, and what they share."""

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from .. import __version__
from ..exceptions import FERError
from ._card import card_route
from ._limits import Limits
from ._metrics import CONTENT_TYPE
from ._middleware import Guard
from ._model import EmotionModel
from ._page import page_routes
from ._problems import Refusal, busy, problem
from ._schemas import Answer, Health, Model, Problem, predict_body
from ._service import Service
from ._tokens import TokenCheck

_DESCRIPTION = """\
Emotions of faces. Pictures stay in memory while they are answered; none is kept or
logged. Every refusal is `{"detail": "one sentence"}`.
"""
_TEXT = {"text/plain": {"schema": {"type": "string"}}}
_REFUSALS = (400, 401, 408, 413, 415, 422, 503)


def create_app(
    model,
    *,
    token=None,
    limits=None,
    detect="auto",
    name=None,
    card=None,
    class_names=None,
):
    """Build the web application around a fitted pipeline.

    Parameters
    ----------
    model : estimator
        Fitted; its `predict_proba` takes uint8 faces of shape (n, 48, 48), as that of
        every pipeline of :func:`~fer_sklearn.make_fer_pipeline` does.
    token : str, default=None
        What clients have to send as ``Authorization: Bearer TOKEN``; the page asks
        for it. None lets everybody in.
    limits : Limits, default=None
        Sizes, numbers and times that a request may have. None takes the defaults.
    detect : "auto", None or callable, default="auto"
        How faces are found in pictures: ``"auto"`` by `fer_sklearn.photos`, which
        needs OpenCV, None not at all (a picture is a face), or a callable as
        :func:`fer_sklearn.photos.detect_faces` takes it.
    name : str, default=None
        What the model is called in ``GET /model`` and on the page; None takes its
        class.
    card : dict, default=None
        What ``GET /model`` tells about the model. The page shows its texts and
        numbers, except `text`: this is Markdown, and becomes the page ``/card``, which
        needs no token.
    class_names : sequence of str, default=None
        Names of ``model.classes_``; None takes those that the model has, see
        `fer_sklearn.datasets.class_names`.

    Returns
    -------
    app : fastapi.FastAPI
        For uvicorn, or for :func:`fer_sklearn.serving.run`.

    Raises
    ------
    FERError
        If the model is not fitted or gives no probabilities, or the token is empty.
    MissingExtraError
        If `detect` is "auto" and OpenCV is not installed.

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
    ['/health', '/metrics', '/model', '/predict']
    """
    emotions = EmotionModel(model, class_names=class_names)
    service = Service(emotions, limits or Limits(), detect)
    facts = Model(
        name=name or type(model).__name__,
        emotions=list(emotions.names),
        image_shape=list(emotions.image_shape),
        detects_faces=service.reader.detects_faces,
        card=card or {},
    )
    app = FastAPI(
        title="fer_sklearn",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=service.lifespan,
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
    )
    _add_routes(app, service, facts, _guards(token))
    _add_refusals(app)
    pages = page_routes()
    if facts.card.get("text"):
        pages.append(card_route(facts.name, facts.card["text"]))
    app.router.routes.extend(pages)
    paths = {"/predict", "/model", "/health", "/metrics", "/openapi.json"}
    paths |= {route.path for route in pages}
    app.add_middleware(
        Guard, limits=service.limits, metrics=service.metrics, paths=paths
    )
    return app


def _guards(token):
    if token is None:
        return []
    if not token.strip():
        raise FERError("The token is empty; give one, or start without a token.")
    return [Depends(TokenCheck(token))]


def _add_routes(app, service, facts, guards):
    refusals = {status: {"model": Problem} for status in _REFUSALS}
    locked = {401: refusals[401]} if guards else {}

    @app.post(
        "/predict",
        summary="Name the emotion of faces",
        response_model=Answer,
        responses=refusals,
        dependencies=guards,
        openapi_extra=predict_body(service.limits, service.emotions.image_shape),
    )
    async def predict(request: Request, cropped: bool = False):
        """Pictures as files of a form, one picture as the body, or faces as JSON.

        With `cropped` every picture is a face already, and none is searched for.
        """
        return JSONResponse(await service.answer(request, cropped))

    @app.get(
        "/model",
        summary="The model and its card",
        responses=locked,
        dependencies=guards,
    )
    async def model() -> Model:
        return facts

    @app.get(
        "/health", summary="Whether requests are taken", responses={503: refusals[503]}
    )
    async def health() -> Health:
        if service.stopping:
            raise busy("The service is stopping.")
        return Health(status="ok")

    @app.get(
        "/metrics",
        summary="Counters in Prometheus' form",
        dependencies=guards,
        response_class=Response,
        responses={200: {"content": _TEXT}, **locked},
    )
    async def metrics():
        return Response(service.metrics.render(), media_type=CONTENT_TYPE)


def _add_refusals(app):
    async def refusal(request, error):
        return problem(error.status, error, error.headers)

    async def http_error(request, error):
        sentence = {
            404: "There is nothing at this address.",
            405: "This address does not take this method.",
        }.get(error.status_code, error.detail)
        return problem(error.status_code, sentence, error.headers)

    async def invalid(request, error):
        first = error.errors()[0]
        return problem(422, f"{'.'.join(map(str, first['loc']))}: {first['msg']}.")

    async def gone(request, error):
        return problem(400, "The client went away.")

    app.add_exception_handler(Refusal, refusal)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(ClientDisconnect, gone)
