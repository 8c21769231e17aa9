"""``fer-sklearn serve``: the web service and its page."""

import os
import sys
from pathlib import Path

from .._shipped_models import open_pretrained, weights_folder
from ._models import DEFAULT, model_file, open_model, use_threads

TOKEN = "FER_SKLEARN_TOKEN"

# Of the metadata, what people ask for; the rest is for opening the file.
_ENTRIES = ("network", "class_names", "temperature", "training", "versions")


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
        card = describe(name)
        app = create_app(
            open_model(name),
            token=token,
            limits=limits,
            detect=None if args.no_detection else "auto",
            name=Path(name).resolve().name,
            card=card,
            class_names=card.get("class_names"),
        )
        _greet(args.host, listener.getsockname()[1], token, args.quiet)
        run(app, listener, limits=limits, access_log=not args.quiet)
    return 0


def describe(name):
    """Give what a model file says of itself, and its card where it has one.

    Parameters
    ----------
    name : str
        Model file, run folder or pretrained name.

    Returns
    -------
    card : dict
        Empty for an ONNX file.
    """
    path = model_file(name)
    if path is not None and path.suffix == ".onnx":
        return {}
    with open_pretrained(path or name) as file:
        card = {entry: file.metadata[entry] for entry in _ENTRIES}
    text = weights_folder() / f"{name}.md"
    if path is None and text.is_file():
        card["text"] = text.read_text(encoding="utf-8")
    return {entry: value for entry, value in card.items() if value is not None}


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
