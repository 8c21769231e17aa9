"""What holds for every request: it is timed, counted, and ends."""

import asyncio
import logging
import time

from ._problems import problem

_log = logging.getLogger("uvicorn.error")

# Browsers: nothing from elsewhere, nobody frames the page, no guessing of types.
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
# A client that is still sending reads its refusal only if the connection stays open.
_DRAIN_SECONDS = 2.0
_DRAIN_BYTES = 64 * 2**20


class Guard:
    """ASGI middleware around the application.

    Parameters
    ----------
    app : ASGI application
        What answers.
    limits : Limits
        Of which `answer_seconds` is used.
    metrics : Metrics
        Where requests are counted.
    paths : set of str
        Paths that are counted by name; the rest is ``"other"``, so that made-up
        paths do not fill the memory.
    """

    def __init__(self, app, limits, metrics, paths):
        self._app = app
        self._limits = limits
        self._metrics = metrics
        self._paths = paths

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send)
        start = time.perf_counter()
        try:
            async with asyncio.timeout(self._limits.answer_seconds):
                await self._app(scope, exchange.receive, exchange.send)
        except Exception as error:
            if exchange.status is not None:
                raise
            await _failure(error)(scope, exchange.receive, exchange.send)
        finally:
            path = scope["path"].removeprefix(scope.get("root_path", ""))
            path = path if path in self._paths else "other"
            status = exchange.status or 500
            self._metrics.requests.labels(path, str(status)).inc()
            self._metrics.seconds.labels(path).observe(time.perf_counter() - start)


def _failure(error):
    if isinstance(error, TimeoutError):
        return problem(
            503, "The answer took too long; try again.", {"Retry-After": "1"}
        )
    _log.error("A request failed.", exc_info=error)
    return problem(500, "The service failed on this request; its log says why.")


class _Exchange:
    """One request and its answer, watched on the way."""

    def __init__(self, scope, receive, send):
        self._receive = receive
        self._send = send
        names = {name for name, value in scope["headers"] if value != b"0"}
        self._body_done = not names & {b"content-length", b"transfer-encoding"}
        self.status = None

    async def receive(self):
        message = await self._receive()
        self._body_done = not message.get("more_body", False)
        return message

    async def send(self, message):
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message.get("headers", []), *_HEADERS]
            if not self._body_done:
                headers.append((b"connection", b"close"))
            message = {**message, "headers": headers}
        elif not message.get("more_body", False) and not self._body_done:
            # The whole answer first: a client that reads while it sends stops here.
            await self._send({**message, "more_body": True})
            await self._drain()
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    async def _drain(self):
        size = 0
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                while not self._body_done and size < _DRAIN_BYTES:
                    size += len((await self.receive()).get("body", b""))
        except TimeoutError:
            pass
