"""``fer-sklearn train``: from faces to a run folder with a model."""

import os
import platform
import re
import sys
import warnings
from ast import literal_eval

import numpy as np

from .._model_format import find_model, pretrained_names
from .._models import save_model
from .._pipeline import make_baseline_pipeline, make_fer_pipeline
from .._training.checkpoint import library_versions
from .._training.module import network_specs
from .._training.net import resolve_device, resolve_lr
from ..datasets import class_names
from ..exceptions import DataFileError, FERError, MissingExtraError
from ..model_selection import train_test_split_faces
from ..networks import NETWORKS
from . import use_threads
from ._labelled import draw_faces, read_faces
from ._pictures import draw_pictures
from ._progress import BestOnInterrupt, Progress
from ._report import format_report, score
from ._run_folder import RunFolder
from ._teachers import find_soft_targets

_OPTIONS = (
    "network preset pretrained teacher votes settings epochs max_time batch_size "
    "lr no_augment seed device precision threads"
).split()


def run(args):
    """Train, score, and fill the run folder.

    Parameters
    ----------
    args : argparse.Namespace
        With the options of ``fer-sklearn train``.

    Returns
    -------
    status : int
        0, or 130 if Ctrl-C ended the training early.
    """
    earlier = _earlier_run(args)
    config = earlier.config if earlier else make_config(args)
    # A run folder holds the options that were given.
    options = dict.fromkeys(_OPTIONS) | config["options"]
    use_threads(options["threads"])
    pipe = build_pipeline(options, drawn=config["data"] is None)
    train, valid = read_data(config, pipe)
    resolved = {"parameters": resolve_parameters(pipe)}
    folder = earlier or RunFolder.create(args.out, config | resolved)
    say = _silence if args.quiet else _say
    say(f"{len(train)} faces to train on, {len(valid)} to validate, in {folder.path}")
    try:
        soft_targets = ask(options, train, say)
        fit(pipe, train, valid, folder, soft_targets, quiet=args.quiet)
        return finish(pipe, train, valid, folder, say)
    except KeyboardInterrupt:
        folder.discard()
        raise KeyboardInterrupt(_what_is_saved(folder)) from None
    except BaseException:
        folder.discard()  # nothing came of it
        raise


def _what_is_saved(folder):
    if folder.finished:
        return f"the model is {folder.model}"
    if folder.checkpoint.exists():
        return f"to resume: fer-sklearn train --resume {folder.path}"
    return "no epoch had ended, so nothing is saved"


def _say(line):
    print(line, file=sys.stderr, flush=True)


def _silence(line):
    pass


def _earlier_run(args):
    """Open the run that ``--resume`` names; nothing of it can be changed."""
    if args.resume is None:
        return None
    given = [name for name in (*_OPTIONS, "out", "data") if getattr(args, name)]
    if given:
        flags = ", ".join("--" + name.replace("_", "-") for name in given)
        raise FERError(
            f"--resume takes data and settings from the run's config.json; leave out "
            f"{flags.replace('--data', 'DATA').replace('--settings', '--set')}."
        )
    folder = RunFolder.open(args.resume)
    if folder.finished:
        raise FERError(
            f"{folder.path} is finished: its model is {folder.model}. To train on with "
            "other settings, start a new run."
        )
    return folder


def make_config(args):
    """Gather everything that makes this run, for ``config.json``."""
    options = {name: getattr(args, name) for name in _OPTIONS if getattr(args, name)}
    options.setdefault("seed", 0)
    if args.pretrained:
        options["pretrained"] = _from_any_folder(args.pretrained)
    if args.teacher:
        options["teacher"] = list(map(_from_any_folder, args.teacher))
    if args.votes:
        options["votes"] = os.path.abspath(args.votes)
    data = None if args.data is None else os.path.abspath(args.data)
    versions = {"python": platform.python_version(), **library_versions()}
    return {"versions": versions, "data": data, "options": options}


def _from_any_folder(model):
    """Make the path of a model absolute; a pretrained name stays."""
    return model if model in pretrained_names() else str(find_model(model).resolve())


def resolve_parameters(pipe):
    """Give all parameters of the pipeline as plain values, "auto" resolved."""
    steps = set(pipe.named_steps)
    params = {
        name: value
        for name, value in pipe.get_params().items()
        if name.partition("__")[0] in steps - {name}
    }
    params["cnn__lr"] = resolve_lr(pipe["cnn"])
    params["cnn__device"] = str(resolve_device(pipe["cnn"].device))
    return {name: _plain(value) for name, value in params.items()}


def _plain(value):
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | None) else repr(value)


def build_pipeline(options, *, drawn=False):
    """Build the pipeline that the options describe, its parameters checked."""
    options = dict.fromkeys(_OPTIONS) | options
    make = make_fer_pipeline if options["preset"] is None else make_baseline_pipeline
    defaults = _DRAWN if drawn else {}
    given = {
        parameter: options[name]
        for name, parameter in _PARAMETERS.items()
        if options[name] is not None
    }
    pipe = make(random_state=options["seed"], **{**defaults, **given})
    if options["no_augment"]:
        pipe.steps = [step for step in pipe.steps if step[0] != "augment"]
    for setting in options["settings"] or []:
        name, value = parse_setting(setting)
        _check_name(pipe, name)
        pipe.set_params(**{name: value})
    _check(pipe)
    return pipe


def _check_name(pipe, name):
    """Refuse what is no parameter of the pipeline, and name those that are."""
    step, _, parameter = name.partition("__")
    if step not in pipe.named_steps:
        steps = ", ".join(pipe.named_steps)
        raise FERError(f"--set {name}: the steps of the pipeline are {steps}.")
    known = pipe[step].get_params()
    if parameter not in known:
        raise FERError(f"--set {name}: {step} has {', '.join(known)}.")


def _image_shape(pipe):
    """Give the size of the faces, or of FER2013's if the data will tell."""
    shape = pipe["pixels"].image_shape
    return (48, 48) if shape == "auto" else shape


def _check(pipe):
    """Refuse now, not after seconds of reading, what `fit` would refuse."""
    cnn, shape = pipe["cnn"], _image_shape(pipe)
    for name, step in pipe.steps:
        try:
            step._validate_params()
        except ValueError as error:
            # Other options are checked as they are parsed.
            option = rf"--set {name}__\1"
            text = re.sub(r"^The '(\w+)' parameter of \w+", option, str(error))
            raise FERError(text) from error
    if cnn.network not in NETWORKS:
        raise FERError(
            f"--network {cnn.network} is unknown; choose one of {', '.join(NETWORKS)}."
        )
    resolve_device(cnn.device)
    network_specs(
        cnn.network, params=cnn.network_params, n_classes=7, image_shape=shape
    )


_PARAMETERS = {
    "network": "network",
    "pretrained": "pretrained",
    "epochs": "max_epochs",
    "max_time": "max_time",
    "batch_size": "batch_size",
    "lr": "lr",
    "device": "device",
    "precision": "precision",
}
# Under a minute on two cores, and the expressions are learnt.
_DRAWN = {"max_epochs": 5, "batch_size": 32}
_N_DRAWN = 1400


def parse_setting(text):
    """Read ``cnn__lr=0.1`` as ``("cnn__lr", 0.1)``; a bare word is a string."""
    name, _, value = text.partition("=")
    try:
        return name, literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def read_data(config, pipe):
    """Read the faces to fit and the faces to validate on.

    Returns
    -------
    train, valid : LabelledFaces
    """
    shape = pipe["pixels"].image_shape
    seed = config["options"]["seed"]
    if config["data"] is None:
        return _hold_out(draw_faces(_N_DRAWN, _image_shape(pipe), seed), seed)
    faces = read_faces(config["data"], shape)
    if faces.uses() >= {"Training", "PublicTest"}:
        return [faces[faces.usage == use] for use in ("Training", "PublicTest")]
    if "Training" in faces.uses():
        faces = faces[faces.usage == "Training"]
    elif faces.uses() & {"PublicTest", "PrivateTest"}:
        has = ", ".join(sorted(faces.uses()))
        raise FERError(
            f"{config['data']} has no Training faces; it has {has}, which are never "
            "trained on. Give the csv or folder that has them."
        )
    return _hold_out(faces, seed)


def _hold_out(faces, seed):
    """Hold a tenth out, each emotion's share kept and copies on one side."""
    rows, (names, counts) = (
        np.arange(len(faces)),
        np.unique(faces.names, return_counts=True),
    )
    try:
        *_, train, valid = train_test_split_faces(
            faces.images,
            faces.target,
            rows,
            test_size=max(0.1, len(names) / max(1, len(faces))),
            random_state=seed,
        )
    except ValueError as error:
        numbers = ", ".join(
            f"{name} {n}" for name, n in zip(names, counts, strict=True)
        )
        raise DataFileError(
            f"There are too few faces ({numbers}) to hold some out for validation: "
            "each emotion needs two different ones or more. Give more faces, or leave "
            "the emotion out."
        ) from error
    return faces[train], faces[valid]


def ask(options, train, say):
    """Ask teachers and voters about the faces; None where the options name none."""
    teachers, votes = options["teacher"] or [], options["votes"]
    if teachers:
        say(f"asking {len(teachers)} teacher(s) about {len(train)} faces")
    return find_soft_targets(train, teachers=teachers, votes=votes)


def fit(pipe, train, valid, folder, soft_targets=None, *, quiet=False):
    """Fit, with a checkpoint in the run folder and progress on standard error."""
    cnn = pipe["cnn"]
    callbacks = [*(cnn.callbacks or []), ("best_on_interrupt", BestOnInterrupt())]
    if not quiet:
        planned = None if cnn.max_time else cnn.max_epochs
        callbacks.append(("progress", Progress(planned)))
    pipe.set_params(cnn__callbacks=callbacks, cnn__checkpoint=str(folder.checkpoint))
    with warnings.catch_warnings():
        # `finish` says it in its own words.
        warnings.filterwarnings("ignore", "Training interrupted by user")
        pipe.fit(
            train.images,
            train.target,
            cnn__soft_targets=soft_targets,
            cnn__X_val=valid.images,
            cnn__y_val=valid.target,
            cnn__class_names=train.target_names,
        )
    # The model will be used elsewhere than it was trained.
    pipe.set_params(cnn__callbacks=None, cnn__checkpoint=None)


def finish(pipe, train, valid, folder, say):
    """Fill the run folder, the model first, and print what the model is worth."""
    cnn = pipe["cnn"]
    interrupted = cnn.stop_reason_ == "interrupt"
    if interrupted:
        say("stopped by Ctrl-C: saving the best model so far (once more ends at once)")
    save_model(pipe, folder.model)
    folder.write_table("history.csv", cnn.history_)
    y_prob = pipe.predict_proba(valid.images)
    names = class_names(pipe)
    metrics = score(valid.names, y_prob, names)
    training = {"epochs": cnn.n_iter_, "stop_reason": cnn.stop_reason_}
    folder.write_json("metrics.json", {**training, **metrics})
    print(format_report(metrics, f"{len(valid)} validation faces"))
    print(f"model              {folder.model}", flush=True)
    try:
        draw_pictures(folder, pipe, train, valid.names, y_prob, names)
    except MissingExtraError as error:
        say(f"no pictures: {error}")
    if interrupted:
        say(f"to go on: fer-sklearn train --resume {folder.path}")
        return 130
    folder.checkpoint.unlink(missing_ok=True)
    return 0
