"""``fer-sklearn serve``: the web service and its page."""

import os
import re
import sys
from pathlib import Path

from .._model_format import find_model, read_model_metadata, weights_folder
from ..exceptions import MissingExtraError
from .inspect import last_validation_accuracy
from .run_folder import DEFAULT_MODEL, open_model

TOKEN = "FER_SKLEARN_TOKEN"  # noqa: S105, the name of the variable


def run(args):
    """Answer requests until Ctrl-C or SIGTERM.

    Parameters
    ----------
    args : argparse.Namespace
        With `model`, `host`, `port`, `allowed_host`, `token`, `no_detection`,
        `min_confidence`, `max_body`, `max_files`, `runtime`, `threads` and `quiet`.

    Returns
    -------
    status : int
        0.
    """
    # First, because this fails if the extra is not installed.
    from ..serving import Limits, bind, create_app, run

    token = args.token if args.token is not None else os.environ.get(TOKEN)
    limits = Limits(body_bytes=args.max_body * 2**20, files=args.max_files)
    with bind(args.host, args.port) as listener:
        name = args.model or DEFAULT_MODEL
        card = describe(name)
        model = open_model(
            name, runtime=args.runtime, threads=args.threads, quiet=args.quiet
        )
        try:
            app = create_app(
                model,
                token=token,
                limits=limits,
                detect=None if args.no_detection else "auto",
                name=Path(name).resolve().name,
                card=card,
                allowed_hosts=args.allowed_host,
                min_confidence=args.min_confidence,
            )
        except MissingExtraError as error:
            raise MissingExtraError(
                f"{error}. With --no-detection, each picture is taken as one face."
            ) from error
        _greet(args.host, listener.getsockname()[1], token, args.quiet)
        run(app, listener, limits=limits, access_log=not args.quiet)
    return 0


def describe(name):
    """Describe a model for ``GET /model`` and the page.

    Parameters
    ----------
    name : str
        Model file, run folder or pretrained name.

    Returns
    -------
    card : dict
        Network, number of parameters and scores; `text` is the whole model card of a
        pretrained model, in Markdown. Empty for an ONNX file.
    """
    path = find_model(name)
    if path.suffix == ".onnx":
        return {}
    metadata = read_model_metadata(path)
    card = {
        "network": metadata["network"]["name"],
        "parameters": metadata["network"]["n_parameters"],
    }
    if path.parent == weights_folder():
        text = path.with_suffix(".md").read_text(encoding="utf-8")
        card |= {**_scores(text), "text": text}
    elif (accuracy := last_validation_accuracy(metadata)) is not None:
        card["last validation accuracy"] = accuracy
    return card


def _scores(text):
    """Read the scores from a model card.

    They are in its first table, in rows such as ``| accuracy | 0.722 | 0.704 |``, below
    a line such as ``On PublicTest, 3,589 faces.`` that says what was measured.
    """
    row = r"^\| (accuracy|95 % interval|macro F1) \| ([^|]+) \|"
    scores = dict(re.findall(row, text, re.MULTILINE))
    faces = re.search(r"^On (\w+, [\d,]+ faces)", text, re.MULTILINE)
    return scores | ({"measured on": faces[1]} if faces else {})


def _greet(host, port, token, quiet):
    from ..serving.limits import is_loopback

    name = f"[{host}]" if ":" in host else host
    if not quiet:
        print(f"fer-sklearn: http://{name}:{port}/ (Ctrl-C stops it)", file=sys.stderr)
    if token is None and not is_loopback(host):
        print(
            f"fer-sklearn: warning: everybody who reaches {host} can use the service; "
            f"set {TOKEN} to require a token.",
            file=sys.stderr,
        )
