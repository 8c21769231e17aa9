"""The arguments of ``fer-sklearn``: only argparse is imported, so help is instant."""

import argparse
import re
from importlib import import_module

from .. import __version__
from .._utils import install_command

_MAIN = """\
examples:
  fer-sklearn train                            train on synthetic faces, a minute
  fer-sklearn train fer2013.csv                fit on Training, score on PublicTest
  fer-sklearn evaluate runs/today fer2013.csv  score the model of that run
  fer-sklearn predict photos/ -o emotions.csv  with the weights in the package
  fer-sklearn COMMAND --help                   the options of one command

exit status: 0 success, 1 error, 2 wrong usage, 130 stopped by Ctrl-C
"""

_TRAIN = """\
DATA is fer2013.csv, train.csv or icml_face_data.csv (also as .gz, .xz or .zip), or
a folder of images with one folder per emotion. Without DATA, the faces are
synthetic.

If the file has a Usage column, the Training faces are fitted and the PublicTest
faces are the validation data; PrivateTest is kept for a final `fer-sklearn
evaluate`. The folders train, val and test of a folder of images are used in the
same way. Without validation data, a tenth of the training faces is held out, with
all copies of a face on one side. Test faces are never used in training.

RUN receives model.fer, config.json, history.csv, metrics.json and plots.
"""

_TRAIN_EXAMPLES = """\
examples:
  fer-sklearn train fer2013.csv --max-time 2h
  fer-sklearn train fer2013.csv --preset baseline --epochs 5
  fer-sklearn train faces/ --network nano --set cnn__label_smoothing=0.05
  fer-sklearn train faces.csv --set "pixels__image_shape=(64, 48)"
  fer-sklearn train --resume runs/2031-01-31_12-00-00

Ctrl-C ends the training and saves the best model so far; a second one stops at once.
"""

_EVALUATE = """\
Print the precision and recall of each emotion, accuracy with its standard error,
macro F1 and the calibration error. Without --usage, the PublicTest faces (folder
val) are scored; if there are none, PrivateTest (folder test), or else all faces.
"""

_EVALUATE_EXAMPLES = """\
examples:
  fer-sklearn evaluate runs/today fer2013.csv --usage PrivateTest
  fer-sklearn evaluate compact fer2013.csv --unseen-by fer2013.csv
  fer-sklearn evaluate model.fer test_faces/ --json > metrics.json
"""

_PREDICT = f"""\
Write the emotion and the probabilities of each face as csv. An INPUT is a table
(csv, or parquet if pyarrow is installed) with a pixels column, a photo, a video,
or a folder with photos in it.

Faces in photos and videos are detected, which needs these packages (or --cropped):
  {install_command("photos")}
A picture that is as small as a face is taken as one.

The columns row (of a table), frame (of a video) and face (of a photo or frame)
count from 0; x, y, width and height are in pixels. A column is there if an input
needs it. Inputs can be larger than memory. In a photo, the largest face is the
first. In a video, a face keeps its number from frame to frame; if it is not found
for half a second, it is a new face.

A file that cannot be read is reported, and the next one is predicted. If a row of
a table is bad, the output may have faces from before that row.
"""

_PREDICT_EXAMPLES = """\
examples:
  fer-sklearn predict photos/ -o emotions.csv --annotate annotated/
  fer-sklearn predict faces/ --cropped > emotions.csv
  fer-sklearn predict holiday.mp4 --smooth 0.5 | head
  fer-sklearn predict --camera --model nano
  fer-sklearn predict --model runs/today test.csv | head
"""

_SERVE = f"""\
Open the address in a browser to see the emotions of a photo or from the camera.
Programs send pictures to /predict; /openapi.json describes how. The service needs
these packages, and others to detect faces in photos (or --no-detection):
  {install_command("serve")}
  {install_command("photos")}

Without a token, everybody who can reach the address can use the service. The
environment variable FER_SKLEARN_TOKEN sets a token that the list of processes does
not show. After SIGTERM or Ctrl-C, accepted requests are still answered.
"""

_SERVE_EXAMPLES = """\
examples:
  fer-sklearn serve
  fer-sklearn serve runs/today --port 9000
  FER_SKLEARN_TOKEN=... fer-sklearn serve --host 0.0.0.0
  curl -F files=@photo.jpg http://127.0.0.1:8000/predict
"""

# What messages of the library say, and how to do it in a shell.
_IN_SHELL = (
    (
        r"set image_shape=\(height, width\)",
        'train a model on them: fer-sklearn train --set "pixels__image_shape=(height, '
        'width)"',
    ),
    (
        r"Give a file that save_model wrote\.",
        "Give a model file, a run folder or the name of a pretrained model.",
    ),
    (r"^max_time\b", "--max-time"),
    (r"^image_shape\b", "--set pixels__image_shape"),
    (r"^device\b", "--device"),
)


def in_shell(text):
    """Replace the Python parameters in a message by the options of the command."""
    for python, shell in _IN_SHELL:
        text = re.sub(python, shell, text)
    return text


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def duration(text):
    """Read the seconds in ``2h``, ``90m``, ``1h30m`` or ``45`` (seconds)."""
    # "1h30m" gives [("1", "h"), ("30", "m")]. Joined again, they must be the text:
    # "2h!" and "1h 30m" are refused.
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text.lower())
    if "".join(number + unit for number, unit in parts) == text.lower() and parts:
        seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    elif re.fullmatch(r"\d+(\.\d+)?", text):
        seconds = float(text)
    else:
        seconds = 0
    if seconds <= 0:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time; write it as 45s, 90m, 2h or 1h30m"
        )
    return seconds


def positive_int(text):
    """Read a whole number of at least 1."""
    if not re.fullmatch(r"\d+", text) or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a whole number of at least 1"
        )
    return int(text)


def rate(text):
    """Read a number above 0."""
    if not re.fullmatch(r"\d*\.?\d+(e[+-]?\d+)?", text.lower()) or not float(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return float(text)


def share(text):
    """Read a number from 0 to 1."""
    if not re.fullmatch(r"\d*\.?\d+", text) or float(text) > 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return float(text)


def port(text):
    """Read a port from 0 to 65535."""
    if not re.fullmatch(r"\d{1,5}", text) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)


def seed(text):
    """Read a whole number that seeds a 32-bit generator."""
    if not re.fullmatch(r"\d+", text) or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a whole number from 0 to 4294967295"
        )
    return int(text)


def setting(text):
    """Check that `text` is ``STEP__PARAMETER=VALUE``; `train` parses it."""
    if not re.fullmatch(r"[a-z]\w*__\w+=.*", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not STEP__PARAMETER=VALUE, such as cnn__label_smoothing=0.1"
        )
    return text


def build_parser():
    """Build the parser of ``fer-sklearn`` with all its commands.

    Returns
    -------
    parser : argparse.ArgumentParser
        Its namespace has ``command``, the name of the module with the command.
    """
    parser = argparse.ArgumentParser(
        prog="fer-sklearn",
        description="Facial expressions from 48x48 grey-scale faces.",
        epilog=_MAIN,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"fer-sklearn {__version__}"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_train(commands)
    _add_evaluate(commands)
    _add_predict(commands)
    _add_inspect(commands)
    _add_serve(commands)
    for command in commands.choices.values():
        command.add_argument(
            "--debug", action="store_true", help="show the traceback of an error"
        )
    return parser


def _add(commands, name, summary, description, examples):
    return commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.\n\n{description}",
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_train(commands):
    parser = _add(
        commands, "train", "train a classifier on faces", _TRAIN, _TRAIN_EXAMPLES
    )
    add = parser.add_argument
    add("data", nargs="?", metavar="DATA", help="csv file or folder of images")
    add("--out", metavar="RUN", help="run folder (default: runs/DATE_TIME)")
    add("--resume", metavar="RUN", help="resume an interrupted run")
    model = parser.add_argument_group("model")
    either = model.add_mutually_exclusive_group()
    add = either.add_argument
    add("--network", metavar="NAME", help="compact (default), nano, large or baseline")
    add(
        "--preset",
        choices=["baseline"],
        help="network and settings of the Keras baseline",
    )
    model.add_argument(
        "--pretrained",
        metavar="MODEL",
        help="start from these weights: model file, run folder or pretrained name",
    )
    model.add_argument(
        "--teacher",
        action="append",
        metavar="MODEL",
        help="learn from the probabilities of this model as well as from the labels; "
        "if repeated, from the mean of the models",
    )
    model.add_argument(
        "--votes",
        metavar="CSV",
        help="learn from the votes of FER+ (fer2013new.csv) as well as from the labels",
    )
    model.add_argument(
        "--set",
        dest="settings",
        type=setting,
        action="append",
        metavar="STEP__PARAMETER=VALUE",
        help="any parameter of the pipeline, such as cnn__label_smoothing=0.1",
    )
    training = parser.add_argument_group("training")
    add = training.add_argument
    add("--epochs", type=positive_int, metavar="N", help="number of epochs")
    add(
        "--max-time",
        type=duration,
        metavar="TIME",
        help="such as 45s, 90m or 2h: the learning rate schedule spans this time",
    )
    add("--batch-size", type=positive_int, metavar="N", help="faces per mini-batch")
    add("--lr", type=rate, metavar="RATE", help="largest learning rate")
    add("--no-augment", action="store_true", help="train on the faces as they are")
    add(
        "--seed", type=seed, metavar="N", help="seed of all random numbers (default: 0)"
    )
    machine = parser.add_argument_group("machine")
    add = machine.add_argument
    add("--device", metavar="NAME", help="auto (default), cpu, cuda, cuda:1 or mps")
    add(
        "--precision",
        choices=["float32", "bfloat16"],
        help="of the training steps (default: float32)",
    )
    add("--threads", type=positive_int, metavar="N", help="number of CPU threads")
    add("--quiet", action="store_true", help="no progress messages")


def _add_evaluate(commands):
    parser = _add(
        commands,
        "evaluate",
        "score a model on labelled faces",
        _EVALUATE,
        _EVALUATE_EXAMPLES,
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help="model file, run folder or pretrained name")
    add("data", metavar="DATA", help="csv file or folder of images")
    add(
        "--usage",
        choices=["Training", "PublicTest", "PrivateTest", "all"],
        help="faces to score, by the Usage column; in a folder: train, val, test",
    )
    add(
        "--unseen-by",
        metavar="TRAIN",
        help="also score the faces that are not in this csv or folder (in its Training "
        "rows, if it has a Usage column)",
    )
    add("--json", action="store_true", help="print JSON instead of tables")
    add(
        "--report",
        metavar="HTML",
        help="also write a report with plots and the mistakes, as one HTML file",
    )
    _add_runtime(parser)


def _add_predict(commands):
    parser = _add(
        commands, "predict", "predict the emotion of faces", _PREDICT, _PREDICT_EXAMPLES
    )
    add = parser.add_argument
    add("inputs", nargs="*", metavar="INPUT", help="table, photo, video or folder")
    add(
        "--camera",
        nargs="?",
        type=int,
        const=0,
        metavar="N",
        help="show the picture of a camera with the emotions, in a window, instead of "
        "predicting INPUT; N is the number of the camera (default: 0)",
    )
    add(
        "--model",
        metavar="MODEL",
        help="model file, run folder or pretrained name (default: compact); can also "
        "be the first INPUT",
    )
    add("-o", "--out", metavar="CSV", help="file to write (default: standard output)")
    add(
        "--cropped",
        action="store_true",
        help="take each picture as one face; detect none",
    )
    add(
        "--annotate",
        metavar="FOLDER",
        help="new folder for copies of the pictures with boxes and emotions",
    )
    _add_min_confidence(parser)
    add(
        "--every",
        type=duration,
        metavar="TIME",
        help="time between two frames of a video (default: every frame)",
    )
    add(
        "--smooth",
        type=duration,
        metavar="TIME",
        help="average the probabilities of each face of a video over about this time "
        "(default: 0; of a camera 0.5s)",
    )
    _add_runtime(parser)
    add("--quiet", action="store_true", help="no progress messages")


def _add_inspect(commands):
    parser = _add(
        commands,
        "inspect",
        "show what is inside a model file",
        "No code in the file is run, and torch is not loaded.",
        "example:\n  fer-sklearn inspect runs/today",
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help="model file, run folder or pretrained name")
    add("--json", action="store_true", help="print the metadata as JSON")


def _add_serve(commands):
    parser = _add(
        commands, "serve", "start a web service with a page", _SERVE, _SERVE_EXAMPLES
    )
    add = parser.add_argument
    add(
        "model",
        nargs="?",
        metavar="MODEL",
        help="model file, run folder or pretrained name (default: compact)",
    )
    add("--host", default="127.0.0.1", metavar="NAME", help="default: 127.0.0.1")
    add("--port", type=port, default=8000, metavar="N", help="default: 8000")
    add(
        "--allowed-host",
        action="append",
        metavar="NAME",
        help="also answer requests to this name (default on 127.0.0.1: localhost only; "
        "may be repeated; '*' allows every name)",
    )
    add(
        "--token",
        metavar="TOKEN",
        help="what clients must send (default: $FER_SKLEARN_TOKEN)",
    )
    add(
        "--no-detection",
        action="store_true",
        help="take each picture as one face; detect none",
    )
    _add_min_confidence(parser)
    limits = parser.add_argument_group("limits of a request")
    add = limits.add_argument
    add(
        "--max-body",
        type=positive_int,
        default=20,
        metavar="MIB",
        help="largest body (default: 20)",
    )
    add(
        "--max-files",
        type=positive_int,
        default=64,
        metavar="N",
        help="most pictures (default: 64)",
    )
    machine = parser.add_argument_group("machine")
    _add_runtime(machine)
    machine.add_argument("--quiet", action="store_true", help="do not log requests")


def _add_min_confidence(parser):
    parser.add_argument(
        "--min-confidence",
        type=share,
        default=0.0,
        metavar="P",
        help='below this probability the emotion is "uncertain" (default: 0)',
    )


def _add_runtime(group):
    group.add_argument(
        "--runtime",
        choices=["auto", "onnx", "onnx-int8", "torch"],
        default="auto",
        help="what predicts: onnxruntime, the same with 8-bit weights (of a pretrained "
        "model; twice as fast), or PyTorch (default: auto, which takes onnxruntime for "
        "a pretrained model if it is installed)",
    )
    group.add_argument(
        "--threads", type=positive_int, metavar="N", help="number of CPU threads"
    )


def command_module(name):
    """Import the module of the command `name`."""
    return import_module(f".{name}", __package__)
