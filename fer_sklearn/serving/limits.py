"""What a request may cost, how it is refused, and what holds for every request."""

import asyncio
import hmac
import logging
import time
from dataclasses import dataclass, fields
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials as Credentials
from fastapi.security import HTTPBearer

from ..exceptions import FERError

_log = logging.getLogger("uvicorn.error")


@dataclass(frozen=True)
class Limits:
    """The limits that keep the service up, whatever is sent to it.

    Parameters
    ----------
    body_bytes : int, default=20 * 2**20
        Largest body of one request; counted while it arrives, before it is parsed.
    held_bytes : int, default=256 * 2**20
        Largest total size of the bodies in memory at one time. Requests beyond it get
        a 503.
    files : int, default=64
        Most pictures, or most faces as JSON, in one request.
    faces : int, default=256
        Most faces found in the pictures of one request.
    pixels : int, default=25_000_000
        Most pixels of a picture; checked before it is decoded.
    decoders : int, default=2
        Number of pictures decoded at one time, besides one small one (up to 16 KiB).
        Each may take about 20 bytes per pixel.
    waiting_faces : int, default=1024
        Most faces that wait for the model. Requests beyond it get a 503.
    batch_faces : int, default=64
        Most faces in a batch for the model. The faces of one request are never split,
        so a larger request is a larger batch.
    connections : int, default=512
        Most open connections. Requests beyond it get a 503.
    header_seconds : float, default=10
        Time in which the head of a request has to arrive, how long a client may leave
        its answer unread, and how long an idle connection stays open.
    body_seconds : float, default=30
        Time in which the body of a request has to arrive.
    answer_seconds : float, default=60
        Time in which a request is answered, the arrival of its body included.

    Raises
    ------
    ValueError
        If a limit is not positive.

    Examples
    --------
    >>> from fer_sklearn.serving import Limits
    >>> Limits(files=1).files
    1
    >>> Limits(files=0)
    Traceback (most recent call last):
    ...
    ValueError: files is 0, expected a number above 0.
    """

    body_bytes: int = 20 * 2**20
    held_bytes: int = 256 * 2**20
    files: int = 64
    faces: int = 256
    pixels: int = 25_000_000
    decoders: int = 2
    waiting_faces: int = 1024
    batch_faces: int = 64
    connections: int = 512
    header_seconds: float = 10
    body_seconds: float = 30
    answer_seconds: float = 60

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ValueError(
                    f"{field.name} is {value!r}, expected a number above 0."
                )


class Refusal(Exception):
    """A request is answered with this status, 400 to 503, and one sentence."""

    def __init__(self, status, sentence, headers=None):
        super().__init__(sentence)
        self.status = status
        self.headers = headers or {}


def busy(sentence):
    """Make a 503 that asks the client to try again in a second."""
    return Refusal(503, sentence, {"Retry-After": "1"})


def problem(status, sentence, headers=None):
    """Make the response ``{"detail": sentence}``."""
    # The sentence may quote the request, so it is cut to one line of 400 characters.
    line = " ".join(str(sentence).split())
    if len(line) > 400:
        line = f"{line[:399]}…"
    # JSON can hold half a surrogate pair, such as "\ud800", and UTF-8 cannot.
    line = line.encode("utf-8", "backslashreplace").decode()
    return JSONResponse({"detail": line}, status, headers=headers)


def token_check(token):
    """Make a dependency that accepts only ``Authorization: Bearer TOKEN``."""
    bearer = HTTPBearer(
        scheme_name="token",
        description="The token that the service was started with.",
        auto_error=False,
    )

    async def check(given: Annotated[Credentials | None, Depends(bearer)]):
        # Starlette decodes headers as Latin-1; encoding them again gives the bytes that
        # were sent, in which a token such as "tökén" is UTF-8.
        if given is None or not hmac.compare_digest(
            given.credentials.encode("latin-1"), token.encode()
        ):
            raise Refusal(
                401,
                "This service needs its token, as Authorization: Bearer TOKEN.",
                {"WWW-Authenticate": "Bearer"},
            )

    return Depends(check)


class HostCheck:
    """ASGI middleware: a request has to call the service by a name that it knows.

    A page at evil.example can let this name resolve to 127.0.0.1, and a browser then
    lets it read the answers of a service on its own machine (DNS rebinding). The Host
    header still says evil.example. So on a loopback address the service answers only
    to that address, to localhost, and to the names that it was told. On other
    addresses it answers to every name, unless it was told some.

    Starlette's TrustedHostMiddleware does this for a fixed list, with an answer that
    is not JSON and names no cure; older releases do not know [::1].
    """

    def __init__(self, app, names):
        self._app = app
        self._any = names is not None and "*" in names
        self._restricted = bool(names)
        self._names = {"localhost", "127.0.0.1", "::1"}
        self._names |= {_host_name(name) for name in names or ()}

    async def __call__(self, scope, receive, send):
        """Pass one request on, or refuse it."""
        app = self._app
        if scope["type"] == "http" and not self._any:
            address = (scope.get("server") or ("",))[0]
            host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
            if (
                (self._restricted or is_loopback(address))
                and _host_name(host) not in self._names
                and _host_name(host) != address
            ):
                app = problem(
                    400,
                    f"This service does not answer to the name {host[:80]!r}; the "
                    "option --allowed-host, or allowed_hosts in Python, adds a name.",
                )
        await app(scope, receive, send)


def check_host_names(names):
    """Refuse what is not a sequence of host names, which would match nothing."""
    if isinstance(names, str):
        raise FERError(f"allowed_hosts is {names!r}, expected a list of names.")
    for name in names or ():
        if name != "*" and ("/" in name or not _host_name(name)):
            raise FERError(
                f"allowed_hosts has {name!r}, expected a name such as "
                "'faces.example.org', without http://."
            )


def is_loopback(address):
    """Whether an address, or the name localhost, is reached from this machine only."""
    try:
        return address == "localhost" or ip_address(address).is_loopback
    except ValueError:
        return False


def _host_name(host):
    """Name in a Host header: "[::1]:8000" becomes "::1"; None if there is none."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


# Browsers load nothing from other servers, show the page in no frame, and take every
# answer for the type that it has.
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        b"img-src 'self' blob: data:; media-src 'self' blob:; base-uri 'none'; "
        b"form-action 'none'; frame-ancestors 'none'",
    ),
]


class Guard:
    """ASGI middleware: every request ends in time, is counted, and gets the headers.

    Requests are counted under their path if it is one of `paths`, else under
    ``"other"``, so that made-up paths do not fill the memory.
    """

    def __init__(self, app, limits, metrics, paths):
        self._app = app
        self._limits = limits
        self._metrics = metrics
        self._paths = paths

    async def __call__(self, scope, receive, send):
        """Pass one request on and watch its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), None

        async def send_on(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", []), *_HEADERS]
                message = {**message, "headers": headers}
            await send(message)

        try:
            async with asyncio.timeout(self._limits.answer_seconds):
                await self._app(scope, receive, send_on)
        except Exception as error:
            if status is not None:
                raise
            await _failure(error)(scope, receive, send_on)
        finally:
            # Mounted at /fer, the application is asked for /fer/predict.
            path = scope["path"].removeprefix(scope.get("root_path", ""))
            path = path if path in self._paths else "other"
            self._metrics.requests.labels(path, str(status or 500)).inc()
            self._metrics.seconds.labels(path).observe(time.perf_counter() - start)


def _failure(error):
    if isinstance(error, TimeoutError):
        return problem(
            503, "The answer took too long; try again.", {"Retry-After": "1"}
        )
    _log.error("A request failed.", exc_info=error)
    return problem(500, "The service failed on this request; see its log.")
