"""Refusals: a status and one sentence, as JSON."""

from fastapi.responses import JSONResponse


class Refusal(Exception):
    """A request that is answered with `status` and one sentence.

    Parameters
    ----------
    status : int
        HTTP status, from 400 to 503.
    sentence : str
        What is wrong, and what to do.
    headers : dict, default=None
        Further headers of the answer.
    """

    def __init__(self, status, sentence, headers=None):
        super().__init__(sentence)
        self.status = status
        self.headers = headers or {}


def busy(sentence):
    """Make a 503 that asks to come again in a second."""
    return Refusal(503, sentence, {"Retry-After": "1"})


def problem(status, sentence, headers=None):
    """Make the answer ``{"detail": sentence}``.

    The sentence may quote what was sent: it is cut to a line of 400 characters, and
    what UTF-8 cannot hold (half a surrogate pair) is escaped.
    """
    line = " ".join(str(sentence).split())
    if len(line) > 400:
        line = f"{line[:399]}…"
    line = line.encode("utf-8", "backslashreplace").decode()
    return JSONResponse({"detail": line}, status, headers=headers)
