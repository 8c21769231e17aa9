"""The server under the application: its socket, slow clients, an orderly end."""

import socket
from functools import partial

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..exceptions import FERError
from .limits import Limits


def bind(host, port):
    """Open the socket that the service listens on.

    Call it before the model is loaded, which takes seconds: if the port is in use, the
    error comes at once.

    Parameters
    ----------
    host : str
        Name or address, such as ``"127.0.0.1"`` or ``"::1"``.
    port : int
        From 0 to 65535; 0 takes any free one.

    Returns
    -------
    listener : socket.socket
        Its `getsockname` has the port.

    Raises
    ------
    FERError
        If the address is not one of this machine, not allowed, or in use.

    Examples
    --------
    >>> from fer_sklearn.serving import bind
    >>> with bind("127.0.0.1", 0) as listener:
    ...     listener.getsockname()[0]
    '127.0.0.1'
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.create_server(address[:2], family=family, backlog=512)
        # create_server leaves the protocol 0, and asyncio sets TCP_NODELAY only on
        # connections that say IPPROTO_TCP. Without it the end of an answer waits for
        # the client to acknowledge the beginning, some 40 ms.
        return socket.socket(family, kind, protocol, fileno=listener.detach())
    except (OSError, UnicodeError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        cure = "Choose another port with --port, or 0 for any free one."
        if isinstance(error, (socket.gaierror, UnicodeError)):
            cure = "--host names this machine, such as 127.0.0.1, or 0.0.0.0 for all."
        raise FERError(
            f"Cannot listen on {host}, port {port}: {reason}. {cure}"
        ) from error


def run(app, listener, *, limits=None, access_log=True):
    """Serve `app` on `listener` until SIGTERM or Ctrl-C.

    After such a signal no connection is accepted, and the requests that were accepted
    before are answered.

    Parameters
    ----------
    app : ASGI application
        As `create_app` makes it.
    listener : socket.socket
        As `bind` opens it; it is closed at the end.
    limits : Limits, default=None
        Its times and its number of connections are used.
    access_log : bool, default=True
        Whether one line is logged per request: address, path and status.

    Raises
    ------
    SystemExit
        If the application cannot start.

    Examples
    --------
    >>> from fer_sklearn import load_pretrained
    >>> from fer_sklearn.serving import bind, create_app, run
    >>> app = create_app(load_pretrained("compact"))  # doctest: +SKIP
    >>> run(app, bind("127.0.0.1", 8000))  # doctest: +SKIP
    """
    make_server(app, limits=limits, access_log=access_log).run(sockets=[listener])


def make_server(app, *, limits=None, access_log=True):
    """Make the uvicorn server of `run`, not started."""
    limits = limits or Limits()
    config = uvicorn.Config(
        app,
        http=partial(_Connection, patience=limits.header_seconds),
        ws="none",
        lifespan="on",
        access_log=access_log,
        log_level="info" if access_log else "warning",
        server_header=False,
        limit_concurrency=limits.connections,
        timeout_keep_alive=limits.header_seconds,
        timeout_graceful_shutdown=int(limits.answer_seconds) + 1,
    )
    return uvicorn.Server(config)


class _Connection(H11Protocol):
    """uvicorn's connection, except that it does not wait for its client for ever.

    uvicorn limits how long a connection is idle between two requests, and has no limit
    for the head of a request, for a client that does not read its answer, or for the
    rest of a body that was refused. A few hundred such clients would take all
    connections, so those that keep the server waiting for `patience` seconds are
    dropped.
    """

    def __init__(self, *args, patience, **kwargs):
        super().__init__(*args, **kwargs)
        self._patience = patience
        self._timer = None

    def _watch(self):
        # In h11's words, a client is IDLE until the head of its request is complete,
        # and we are DONE when our answer was sent before the body had arrived.
        client_is_slow = (
            self.flow.write_paused
            or self.conn.their_state is h11.IDLE
            or self.conn.our_state is h11.DONE
        )
        if not client_is_slow:
            self._stop_timer()
        elif self._timer is None:
            self._timer = self.loop.call_later(self._patience, self.transport.abort)

    def _stop_timer(self):
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def connection_made(self, transport):
        super().connection_made(transport)
        self._watch()

    def data_received(self, data):
        super().data_received(data)
        self._watch()

    def pause_writing(self):
        super().pause_writing()
        self._watch()

    def resume_writing(self):
        super().resume_writing()
        self._watch()

    def connection_lost(self, exc):
        super().connection_lost(exc)
        self._stop_timer()
