"""The server under the application: sockets, time limits, an orderly end."""

import socket

import uvicorn

from ..exceptions import FERError
from ._limits import Limits
from ._protocol import PatientProtocol


def bind(host, port):
    """Open the socket that the service listens on.

    It comes first, since loading a model takes seconds and a port in use is said at
    once.

    Parameters
    ----------
    host : str
        Name or address, such as ``"127.0.0.1"`` or ``"::1"``.
    port : int
        From 0 to 65535; 0 takes a free one.

    Returns
    -------
    listener : socket.socket
        Its `getsockname` has the port.

    Raises
    ------
    FERError
        If the address is not here, not allowed or in use.

    Examples
    --------
    >>> from fer_sklearn.serving import bind
    >>> with bind("127.0.0.1", 0) as listener:
    ...     listener.getsockname()[0]
    '127.0.0.1'
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=512)
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

    On SIGTERM nothing new is accepted, and what was accepted is answered.

    Parameters
    ----------
    app : ASGI application
        As `create_app` makes it.
    listener : socket.socket
        As `bind` opens it; closed in the end.
    limits : Limits, default=None
        Of which the times and the number of connections are used.
    access_log : bool, default=True
        Whether a line is logged for each request: address, path and status.

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

    class Protocol(PatientProtocol):
        patience = limits.header_seconds

    config = uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="on",
        access_log=access_log,
        log_level="info" if access_log else "warning",
        server_header=False,
        limit_concurrency=limits.connections,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=int(limits.answer_seconds) + 1,
    )
    return uvicorn.Server(config)
