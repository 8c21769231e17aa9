"""``fer-sklearn train``: from faces to a run folder with a model."""

import ctypes
import os
import platform
import re
import sys
import time
import warnings
from ast import literal_eval

import numpy as np
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from skorch.callbacks import Callback
from tqdm import tqdm

from .._model_format import find_model, pretrained_names
from .._models import image_shape, load_model, save_model
from .._pipeline import make_baseline_pipeline, make_fer_pipeline
from .._training.callbacks import BestWeights
from .._training.checkpoint import library_versions
from .._training.module import network_specs
from .._training.net import resolve_device, resolve_lr
from .._utils import require
from ..datasets import class_names, load_ferplus
from ..exceptions import DataFileError, FERError, MissingExtraError
from ..model_selection import train_test_split_faces
from ..networks import NETWORKS
from .evaluate import format_report, score
from .labelled_faces import read_faces, synthetic_faces
from .run_folder import RunFolder, use_threads

# The options that a run folder stores, by their names in the parser.
_OPTIONS = (
    "network preset pretrained teacher votes settings epochs max_time batch_size "
    "lr no_augment seed device precision threads"
).split()

# Options that are parameters of the pipeline functions.
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

# Without DATA: under a minute on two cores, and the emotions are learnt.
_SYNTHETIC = {"max_epochs": 5, "batch_size": 32}
_N_SYNTHETIC = 1400

# In two minutes on 2,500 faces of FER2013, `compact` reaches 0.32 from scratch and 0.69
# from its pretrained weights.
_FEW_FACES = 5000

# Numbers of malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def run(args):
    """Train, score, and write the run folder.

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
    # config.json has only the options that were given.
    options = dict.fromkeys(_OPTIONS) | config["options"]
    use_threads(options["threads"])
    keep_freed_memory()
    pipe = build_pipeline(options, synthetic=config["data"] is None)
    train, valid = read_data(config, pipe)
    resolved = {"parameters": resolve_parameters(pipe)}
    folder = earlier or RunFolder.create(args.out, config | resolved)
    say = _silence if args.quiet else _say
    say(f"{len(train)} faces to train on, {len(valid)} to validate, in {folder.path}")
    # Hours of training are worth a hint; synthetic faces take less than a minute.
    many = config["data"] is not None and len(train) >= _FEW_FACES
    if config["data"] is not None and _too_few(train, pipe["cnn"]):
        say(
            "with so few faces, a trained model learns more: "
            f"--pretrained {pipe['cnn'].network}"
        )
    if many and _bfloat16_is_faster(pipe["cnn"]):
        say(
            "this processor trains about twice as fast with --precision bfloat16, "
            "to about the same accuracy"
        )
    try:
        if options["teacher"]:
            say(f"asking {len(options['teacher'])} teacher(s) about {len(train)} faces")
        soft_targets = find_soft_targets(
            train, teachers=options["teacher"] or [], votes=options["votes"]
        )
        fit(pipe, train, valid, folder, soft_targets, quiet=args.quiet)
        return finish(pipe, train, valid, folder, say)
    except KeyboardInterrupt:
        folder.discard()
        raise KeyboardInterrupt(_what_is_saved(folder)) from None
    except BaseException:
        folder.discard()
        raise


def _too_few(train, cnn):
    """Whether a pretrained model is likely to be better than one from scratch."""
    return (
        len(train) < _FEW_FACES
        and train.images.shape[1:] == (48, 48)
        and cnn.pretrained is None
        and cnn.network in pretrained_names()
    )


def _bfloat16_is_faster(cnn):
    """Whether the processor has instructions that this training does not use."""
    if cnn.precision != "float32" or resolve_device(cnn.device).type != "cpu":
        return False
    # torch 2.4 cannot tell; only a hint is missing then.
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16"))


def _what_is_saved(folder):
    if folder.finished:
        return f"the model is {folder.model}"
    if folder.checkpoint.exists():
        return f"to resume: fer-sklearn train --resume {folder.path}"
    return "no epoch was complete, so nothing is saved"


def _say(line):
    print(line, file=sys.stderr, flush=True)


def _silence(line):
    pass


def keep_freed_memory():
    """Let glibc keep the memory that a training step frees for the next step.

    By default it returns large blocks to the system, and getting them back takes up to
    a tenth of a step. This applies to the whole process, so only the command does it. A
    setting of the user is kept.
    """
    chosen = any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ)
    if sys.platform != "linux" or chosen:
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        for option in _M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD:
            mallopt(option, 2**31 - 1)


def _earlier_run(args):
    """Open the run that ``--resume`` names; its settings cannot be changed."""
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
            f"{folder.path} is finished: its model is {folder.model}. To continue from "
            "its weights, start a new run with --pretrained."
        )
    return folder


def make_config(args):
    """Collect everything that determines this run, for ``config.json``."""
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
    """Make the path of a model absolute; leave a pretrained name as it is."""
    return model if model in pretrained_names() else str(find_model(model).resolve())


def resolve_parameters(pipe):
    """Return all parameters of the pipeline as plain values, with "auto" resolved."""
    steps = set(pipe.named_steps)
    # "cnn__lr" is a parameter; "cnn" is a step, and "steps" or "memory" are of no use.
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


def build_pipeline(options, *, synthetic=False):
    """Build the pipeline that the options describe, and check its parameters."""
    options = dict.fromkeys(_OPTIONS) | options
    make = make_fer_pipeline if options["preset"] is None else make_baseline_pipeline
    defaults = _SYNTHETIC if synthetic else {}
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
    """Raise an error that lists the parameters if `name` is not one of them."""
    step, _, parameter = name.partition("__")
    if step not in pipe.named_steps:
        steps = ", ".join(pipe.named_steps)
        raise FERError(f"--set {name}: the steps of the pipeline are {steps}.")
    known = pipe[step].get_params()
    if parameter not in known:
        raise FERError(f"--set {name}: {step} has {', '.join(known)}.")


def _image_shape(pipe):
    """Return the face size that is set, or that of FER2013 if the data decides."""
    shape = pipe["pixels"].image_shape
    return (48, 48) if shape == "auto" else shape


def _check(pipe):
    """Find errors that `fit` would raise before seconds are spent on reading data."""
    cnn, shape = pipe["cnn"], _image_shape(pipe)
    for name, step in pipe.steps:
        try:
            step._validate_params()
        except ValueError as error:
            # The parser has checked all other options, so this is one of --set:
            # "The 'lr' parameter of FERClassifier must be" -> "--set cnn__lr must be".
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
        return _hold_out(synthetic_faces(_N_SYNTHETIC, _image_shape(pipe), seed), seed)
    faces = read_faces(config["data"], shape)
    # The first rule that applies: official validation data, a part of Training, an
    # error for test faces alone, a part of all faces if the data has no Usage.
    if faces.uses() >= {"Training", "PublicTest"}:
        return [faces[faces.usage == use] for use in ("Training", "PublicTest")]
    if "Training" in faces.uses():
        faces = faces[faces.usage == "Training"]
    elif faces.uses() & {"PublicTest", "PrivateTest"}:
        has = ", ".join(sorted(faces.uses()))
        raise FERError(
            f"{config['data']} has no Training faces; it has {has}, which are never "
            "used in training. Give the csv or folder that has Training faces."
        )
    return _hold_out(faces, seed)


def _hold_out(faces, seed):
    """Hold out a tenth of the faces, stratified and with copies on one side."""
    names, counts = np.unique(faces.names, return_counts=True)
    try:
        *_, train, valid = train_test_split_faces(
            faces.images,
            faces.target,
            np.arange(len(faces)),
            # Or more, where a tenth has fewer faces than there are emotions.
            test_size=max(0.1, len(names) / max(1, len(faces))),
            random_state=seed,
        )
    except ValueError as error:
        numbers = ", ".join(
            f"{name} {n}" for name, n in zip(names, counts, strict=True)
        )
        raise DataFileError(
            f"There are too few faces ({numbers}) to hold some out for validation: "
            "each emotion needs at least two different ones. Give more faces, or leave "
            "the emotion out."
        ) from error
    return faces[train], faces[valid]


# -- teachers and votes ---------------------------------------------------------------


def find_soft_targets(train, *, teachers=(), votes=None):
    """Average the probabilities that teachers and votes give to each label.

    Parameters
    ----------
    train : LabelledFaces
        The faces to train on.
    teachers : sequence of str, default=()
        Model files, run folders or pretrained names.
    votes : path-like, default=None
        The csv of FER+.

    Returns
    -------
    ndarray of shape (n_faces, n_classes) or None
        Probabilities of the sorted labels; rows sum to 1. None without teachers and
        votes.

    Raises
    ------
    FERError
        If a teacher or the votes do not fit the faces.
    """
    opinions = [_ask_teacher(teacher, train) for teacher in teachers]
    if votes is not None:
        opinions.append(_learn_from_votes(votes, train))
    return np.mean(opinions, axis=0) if opinions else None


def _ask_teacher(model, train):
    teacher = load_model(model)
    classes = np.unique(train.target).tolist()
    if teacher.classes_.tolist() != classes:
        raise FERError(
            f"The teacher {model} has the classes {teacher.classes_.tolist()}, but the "
            f"faces to train on have {classes}; they must be the same."
        )
    theirs, ours = image_shape(teacher), train.images.shape[1:]
    if theirs != ours:
        raise FERError(
            f"The teacher {model} takes faces of {theirs[0]}x{theirs[1]} pixels, but "
            f"those to train on have {ours[0]}x{ours[1]}; they must be the same."
        )
    return teacher.predict_proba(train.images)


def _learn_from_votes(path, train):
    """Turn the votes on each face into probabilities of its label.

    The votes of FER+ and the labels of FER2013 disagree on many faces. A logistic
    regression from the shares of the votes, such as 0.8 fear and 0.2 surprise, to the
    labels tells how likely each label is for a face with such votes.
    """
    if "Training" not in train.uses():
        raise FERError(
            "--votes needs fer2013.csv with its Usage column: FER+ identifies faces by "
            "their row only."
        )
    votes = load_ferplus(path, usage="Training").votes
    if len(votes) != len(train):
        raise FERError(
            f"{path} has votes on {len(votes)} Training faces, but there are "
            f"{len(train)} to train on; FER+ has one row per row of fer2013.csv."
        )
    shares = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
    model = LogisticRegression(max_iter=1000).fit(shares, train.target)
    return model.predict_proba(shares)


# -- training and its results ----------------------------------------------------------


def fit(pipe, train, valid, folder, soft_targets=None, *, quiet=False):
    """Fit with a checkpoint in the run folder and progress on standard error."""
    cnn = pipe["cnn"]
    callbacks = [*(cnn.callbacks or []), ("best_on_interrupt", BestOnInterrupt())]
    if not quiet:
        planned = None if cnn.max_time else cnn.max_epochs
        callbacks.append(("progress", Progress(planned)))
    pipe.set_params(cnn__callbacks=callbacks, cnn__checkpoint=str(folder.checkpoint))
    with warnings.catch_warnings():
        # `finish` prints a message of its own.
        warnings.filterwarnings("ignore", "Training interrupted by user")
        pipe.fit(
            train.images,
            train.target,
            cnn__soft_targets=soft_targets,
            cnn__X_val=valid.images,
            cnn__y_val=valid.target,
            cnn__class_names=train.target_names,
        )
    # They belong to this run, not to the model.
    pipe.set_params(cnn__callbacks=None, cnn__checkpoint=None)


def finish(pipe, train, valid, folder, say):
    """Write the run folder, the model first, and print the scores."""
    cnn = pipe["cnn"]
    interrupted = cnn.stop_reason_ == "interrupt"
    if interrupted:
        say("stopped by Ctrl-C: saving the best model so far (again to stop at once)")
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
        draw_plots(folder, pipe, train, valid.names, y_prob, names)
    except MissingExtraError as error:
        say(f"no plots: {error}")
    if interrupted:
        say(f"to resume: fer-sklearn train --resume {folder.path}")
        return 130
    folder.checkpoint.unlink(missing_ok=True)
    return 0


def draw_plots(run, pipe, train, y_true, y_prob, names):
    """Write all plots into the run folder.

    Parameters
    ----------
    run : RunFolder
    pipe : Pipeline
        Fitted; without a step ``augment`` the faces are shown as they are.
    train : LabelledFaces
        The training faces.
    y_true : ndarray of shape (n_faces,), dtype str
        True emotions of the validation faces.
    y_prob : ndarray of shape (n_faces, n_classes)
        Their probabilities.
    names : list of str of length n_classes
        The emotion of each column.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    require("matplotlib", extra="plots").use("agg")  # works without a display
    from matplotlib import pyplot

    from ..plots import (
        ClassFrequencyDisplay,
        TrainingCurvesDisplay,
        plot_confusion_matrix,
    )

    y_pred = np.asarray(names)[y_prob.argmax(axis=1)]
    plots = {
        "class_frequencies.png": lambda: ClassFrequencyDisplay.from_labels(train.names),
        "augmented_faces.png": lambda: _augmented_faces(pipe, train),
        "training_curves.png": lambda: TrainingCurvesDisplay.from_estimator(pipe),
        "confusion_matrix.png": lambda: plot_confusion_matrix(y_true, y_pred),
    }
    for name, draw in plots.items():
        display = draw()
        run.write_plot(name, display.figure_)
        pyplot.close(display.figure_)


def _augmented_faces(pipe, train, n_faces=28):
    """Draw a grid of training faces, augmented as for the network."""
    from ..plots import FaceGridDisplay

    rows = np.linspace(0, len(train) - 1, min(n_faces, len(train))).astype(int)
    faces = train.images[rows]
    if "augment" in pipe.named_steps:
        faces = clone(pipe["augment"]).fit_transform(faces)
    return FaceGridDisplay.from_faces(faces, train.names[rows])


# -- progress --------------------------------------------------------------------------


class Progress(Callback):
    """Shows how far training is and how long it will take.

    On a terminal there is a bar with the time left, and each epoch adds a line above
    it. Otherwise there are only the lines.

    Parameters
    ----------
    max_epochs : int or None, default=None
        Number of epochs that are planned; None if the time decides.
    stream : file, default=None
        Where to write; None is standard error.
    """

    def __init__(self, max_epochs=None, stream=None):
        self.max_epochs = max_epochs
        self.stream = stream

    def on_train_begin(self, net, **kwargs):
        """Start the clock."""
        self.stream_ = self.stream or sys.stderr
        self.start_ = time.monotonic()
        self.first_ = None
        self.bar_ = None
        if self.stream_.isatty():
            self.bar_ = tqdm(
                total=1.0,
                bar_format="{desc} {percentage:3.0f}%|{bar}| {remaining} left",
                file=self.stream_,
                leave=False,
                dynamic_ncols=True,
            )

    def on_epoch_begin(self, net, **kwargs):
        """Name the epoch on the bar."""
        if self.bar_ is not None:
            self.bar_.set_description_str(self._epoch(len(net.history)))

    def on_batch_end(self, net, training=False, **kwargs):
        """Move the bar to the fraction of the training that is done."""
        if not training:
            return
        progress = net.training_progress
        if self.first_ is None:
            self.first_ = progress
            if self.bar_ is not None and progress > 0:
                # A resumed training: the bar starts where it was, and the time left is
                # estimated from the progress since then.
                bar = self.bar_
                bar.initial = bar.n = bar.last_print_n = progress
                bar.refresh()
        if self.bar_ is not None:
            self.bar_.update(progress - self.bar_.n)

    def on_epoch_end(self, net, **kwargs):
        """Print a line about the epoch."""
        done = len(net.history)
        line = f"{self._epoch(done)}  {describe_epoch(net.history[-1])}"
        if self.bar_ is not None:
            self.bar_.write(line, file=self.stream_)
        else:
            left = self._seconds_left(done, net.training_progress)
            if left is not None:
                line += f"  {tqdm.format_interval(left)} left"
            print(line, file=self.stream_, flush=True)

    def on_train_end(self, net, **kwargs):
        """Remove the bar."""
        if self.bar_ is not None:
            self.bar_.close()
            self.bar_ = None

    def _epoch(self, number):
        if self.max_epochs is None:
            return f"epoch {number}"
        return f"epoch {number:>{len(str(self.max_epochs))}}/{self.max_epochs}"

    def _seconds_left(self, done, progress):
        if self.first_ is None or progress <= self.first_ or done == self.max_epochs:
            return None
        # Resumed at 0.5 and now at 0.6 after 20 s: 0.4 is left, which takes 80 s.
        spent = time.monotonic() - self.start_
        return spent / (progress - self.first_) * (1 - progress)


def describe_epoch(row):
    """Format one row of the history as a line."""
    parts = [
        f"{label} {row[key]:.3f}"
        for label, key in (
            ("loss", "train_loss"),
            ("accuracy", "train_accuracy"),
            ("validation loss", "valid_loss"),
            ("accuracy", "valid_accuracy"),
        )
        if key in row
    ]
    return "  ".join([*parts, f"{row['dur']:.1f} s"])


class BestOnInterrupt(BestWeights):
    """Restores the weights of the best epoch if Ctrl-C ends the training.

    A complete training keeps its last weights, because the schedule leads up to them.
    """

    def __init__(self):
        super().__init__(patience=float("inf"))

    def on_train_end(self, net, **kwargs):
        """Restore the best weights after an interruption."""
        if net.stop_reason == "interrupt":
            super().on_train_end(net, **kwargs)
