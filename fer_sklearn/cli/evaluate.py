"""``fer-sklearn evaluate``: how good a model is on labelled faces."""

import json
import sys

from .._models import image_shape, load_model
from ..datasets import class_names
from ..exceptions import FERError
from ..model_selection import unseen_rows
from . import use_threads
from ._labelled import read_faces
from ._report import format_report, score


def run(args):
    """Score a model and print what it is worth.

    Parameters
    ----------
    args : argparse.Namespace
        With `model`, `data`, `usage`, `unseen_by`, `json` and `threads`.

    Returns
    -------
    status : int
        0.
    """
    use_threads(args.threads)
    pipe = load_model(args.model)
    shape = image_shape(pipe)
    faces, use = choose_rows(read_faces(args.data, shape), args.usage, args.data)
    y_prob = pipe.predict_proba(faces.images)
    title = f"{args.data}{use}: {len(faces)} faces"
    reports = {title: measure(pipe, faces, y_prob)}
    if args.unseen_by is not None:
        unseen = _unseen(faces, args.unseen_by, shape)
        title = f"not in {args.unseen_by}: {unseen.sum()} of these {len(faces)} faces"
        reports[title] = measure(pipe, faces[unseen], y_prob[unseen])
    _print(args, list(reports.items()))
    return 0


def choose_rows(faces, usage, name):
    """Choose the rows to score and how to call them; see ``--usage``."""
    if usage is None:
        usage = next(
            (use for use in ("PublicTest", "PrivateTest") if use in faces.uses()), "all"
        )
    if usage == "all":
        return faces, ""
    if usage not in faces.uses():
        has = ", ".join(sorted(faces.uses())) or "no Usage column"
        raise FERError(f"{name} has no {usage} rows (it has {has}); leave out --usage.")
    return faces[faces.usage == usage], f" ({usage})"


def measure(pipe, faces, y_prob):
    """Measure the probabilities `y_prob` that `pipe` gave for `faces`."""
    names = class_names(pipe)
    strangers = sorted(set(faces.names.tolist()) - set(names))
    if strangers:
        raise FERError(
            f"The model does not know {', '.join(strangers)}; it knows "
            f"{', '.join(names)}. Leave those faces out, or train on them. In Python a "
            "model learns the names of its labels by fit(..., class_names=EMOTIONS)."
        )
    return score(faces.names, y_prob, names)


def _unseen(faces, path, shape):
    train = read_faces(path, shape)
    if "Training" in train.uses():
        train = train[train.usage == "Training"]
    unseen = unseen_rows(faces.images, train.images)
    if not unseen.any():
        raise FERError(
            f"Every one of the {len(faces)} faces stands in {path}: nothing is left to "
            "score. Is it the file that the model was trained on?"
        )
    return unseen


def _print(args, reports):
    if not args.json:
        print("\n\n".join(format_report(metrics, title) for title, metrics in reports))
        return
    result = {"model": args.model, "data": args.data, **reports[0][1]}
    if len(reports) > 1:
        result["unseen"] = reports[1][1]
    json.dump(result, sys.stdout, indent=2, allow_nan=False)
    print()
