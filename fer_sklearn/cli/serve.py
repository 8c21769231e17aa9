"""``fer-sklearn serve``: the web service and its page."""

import os
import sys
from pathlib import Path

from ._models import DEFAULT, open_model, use_threads

TOKEN = "FER_SKLEARN_TOKEN"


def run(args):
    """Answer requests until Ctrl-C or SIGTERM.

    Parameters
    ----------
    args : argparse.Namespace
        With `model`, `host`, `port`, `token`, `no_detection`, `max_body`,
        `max_files`, `threads` and `quiet`.

    Returns
    -------
    status : int
        0.
    """
    # First of all, since it needs the extra.
    from ..serving import Limits, bind, create_app, run

    token = args.token if args.token is not None else os.environ.get(TOKEN)
    limits = Limits(body_bytes=args.max_body * 2**20, files=args.max_files)
    with bind(args.host, args.port) as listener:
        use_threads(args.threads)
        name = args.model or DEFAULT
        app = create_app(
            open_model(name),
            token=token,
            limits=limits,
            detect=None if args.no_detection else "auto",
            name=Path(name).resolve().name,
        )
        _greet(args.host, listener.getsockname()[1], token, args.quiet)
        run(app, listener, limits=limits, access_log=not args.quiet)
    return 0


def _greet(host, port, token, quiet):
    name = f"[{host}]" if ":" in host else host
    if not quiet:
        print(f"fer-sklearn: http://{name}:{port}/ (Ctrl-C stops it)", file=sys.stderr)
    if token is None and not _is_loopback(host):
        print(
            f"fer-sklearn: warning: everybody who reaches {host} can use the service; "
            f"set {TOKEN} to ask for a token.",
            file=sys.stderr,
        )


def _is_loopback(host):
    from ipaddress import ip_address

    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
