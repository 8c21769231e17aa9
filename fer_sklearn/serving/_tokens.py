"""The token that a service may ask for."""

import hmac

from fastapi import Request
from fastapi.security import HTTPBearer

from ._problems import Refusal


class TokenCheck(HTTPBearer):
    """Dependency that lets a request pass with ``Authorization: Bearer TOKEN``.

    Parameters
    ----------
    token : str
        Compared in constant time.
    """

    def __init__(self, token):
        super().__init__(
            scheme_name="token",
            description="The token that the service was started with.",
            auto_error=False,
        )
        self._token = token.encode()

    async def __call__(self, request: Request):
        given = await super().__call__(request)
        # Headers come as Latin-1; so encoded they are the bytes that were sent.
        if given is None or not hmac.compare_digest(
            given.credentials.encode("latin-1"), self._token
        ):
            raise Refusal(
                401,
                "This service needs its token, as Authorization: Bearer TOKEN.",
                {"WWW-Authenticate": "Bearer"},
            )
