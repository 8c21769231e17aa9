"""Bodies of requests, held in memory and counted while they arrive."""

import asyncio
from contextlib import asynccontextmanager

from ._problems import Refusal, busy


class Bodies:
    """Reads bodies, each below a limit and all of them below another.

    Parameters
    ----------
    limits : Limits
        Of which `body_bytes`, `held_bytes` and `body_seconds` are used.
    """

    def __init__(self, limits):
        self._limits = limits
        self.held = 0

    @asynccontextmanager
    async def read(self, request, limit):
        """Hold the body of `request` while the block runs.

        Parameters
        ----------
        request : starlette.requests.Request
            Its body has not been read.
        limit : int
            Most bytes; the limit for all requests holds as well.

        Raises
        ------
        Refusal
            408, 413, 415 or 503, as soon as it is certain.
        """
        limit = min(limit, self._limits.body_bytes)
        self._check_head(request, limit)
        body = bytearray()
        try:
            await self._fill_in_time(body, request, limit)
            yield body
        finally:
            self.held -= len(body)

    def _check_head(self, request, limit):
        encoding = request.headers.get("content-encoding", "identity").lower()
        if encoding != "identity":
            raise Refusal(415, "Send the body as it is, without Content-Encoding.")
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > limit:
            raise _too_large(limit)

    async def _fill_in_time(self, body, request, limit):
        seconds = self._limits.body_seconds
        try:
            async with asyncio.timeout(seconds):
                await self._fill(body, request, limit)
        except TimeoutError:
            raise Refusal(
                408, f"The body did not arrive within {seconds:g} seconds."
            ) from None

    async def _fill(self, body, request, limit):
        async for chunk in request.stream():
            if len(body) + len(chunk) > limit:
                raise _too_large(limit)
            if self.held + len(chunk) > self._limits.held_bytes:
                raise busy("Too many uploads at once; try again in a second.")
            self.held += len(chunk)
            body += chunk


def _too_large(limit):
    size = f"{limit / 2**20:g} MiB" if limit >= 2**20 else f"{limit} bytes"
    return Refusal(413, f"The body is larger than the {size} that are taken.")
