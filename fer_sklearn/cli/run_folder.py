"""Run folders, and what the arguments of a command name."""

import json
import sys
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

from .._model_format import CONFIG, MODEL, find_model, pretrained_names
from .._models import load_model
from .._onnx_model import open_onnx, open_pretrained_onnx
from .._utils import write_atomically
from ..exceptions import FERError

DEFAULT_MODEL = "compact"

CHECKPOINT = "checkpoint"

# What other files are, by their suffix.
TABLES = set(".csv .gz .bz2 .xz .zip .tar .tgz .parquet .pq".split())
IMAGES = set(".bmp .gif .jp2 .jpeg .jpg .pgm .png .ppm .tif .tiff .webp".split())
VIDEOS = set(".avi .m4v .mkv .mov .mp4 .mpeg .mpg .webm".split())
MODELS = {".fer", ".onnx"}


def is_model(text):
    """Whether `text` names a model (file, run folder or pretrained), not faces."""
    path = Path(text)
    if path.is_dir() and str(text) not in pretrained_names():
        return (path / MODEL).is_file() or (path / CONFIG).is_file()
    return str(text) in pretrained_names() or path.suffix in MODELS


def check_output(path, names):
    """Check that a file can be written, before anything is read.

    Parameters
    ----------
    path : str or None
        The file; None is no file.
    names : str
        What the option names, such as "--out names the csv".
    """
    if path is None:
        return
    if not Path(path).parent.is_dir():
        raise FERError(f"{Path(path).parent} is not a folder. Create it first.")
    if Path(path).is_dir():
        raise FERError(f"{path} is a folder; {names} to write.")


def use_threads(number):
    """Let torch use `number` CPU threads; None leaves the choice to torch."""
    if number is not None:
        import torch

        torch.set_num_threads(number)


def open_model(name, *, runtime="auto", threads=None, quiet=False):
    """Open the model that an argument names, to predict with it.

    Parameters
    ----------
    name : str
        Model file, run folder or pretrained name.
    runtime : {"auto", "onnx", "onnx-int8", "torch"}, default="auto"
        What predicts. "auto" is "onnx" for ONNX files, and for pretrained models if
        onnxruntime is installed. "onnx-int8" is for pretrained models.
    threads : int, default=None
        Number of CPU threads; None leaves the choice to the runtime.
    quiet : bool, default=False
        Do not print which runtime a pretrained model uses.

    Returns
    -------
    model : Pipeline, FERClassifier or OnnxModel
    """
    if name in pretrained_names():
        return _open_pretrained(name, runtime, threads, quiet)
    path = find_model(name)
    if runtime == "onnx-int8":
        raise FERError(
            f"{name} is not a pretrained model, so there is no 8-bit file of it. Write "
            "one in Python with to_onnx(..., int8=True), and leave out --runtime."
        )
    if runtime == "onnx" and path.suffix != ".onnx":
        raise FERError(
            f"{path} is not an ONNX file. Leave out --runtime, or write one in Python "
            "with to_onnx."
        )
    if runtime == "torch" and path.suffix == ".onnx":
        raise FERError(f"{path} is an ONNX file. Leave out --runtime.")
    if path.suffix == ".onnx":
        return open_onnx(path, n_threads=threads)
    use_threads(threads)
    return load_model(name)


def _open_pretrained(name, runtime, threads, quiet):
    if runtime == "auto":
        runtime = "onnx" if find_spec("onnxruntime") else "torch"
    if runtime == "torch":
        use_threads(threads)
        model = load_model(name)
    else:
        model = open_pretrained_onnx(name, runtime, n_threads=threads)
    if not quiet:
        library = "PyTorch" if runtime == "torch" else "onnxruntime"
        library += " with 8 bits" * (runtime == "onnx-int8")
        print(f"fer-sklearn: {name} runs in {library}", file=sys.stderr)
    return model


class RunFolder:
    """The folder of one training run; its files are written whole or not at all.

    Parameters
    ----------
    path : path-like
        An existing folder. Use `create` or `open` instead.
    config : dict
        Settings of the run.

    Attributes
    ----------
    path : Path
    config : dict
        Settings of the run, the content of `config.json`.
    """

    def __init__(self, path, config):
        self.path = Path(path)
        self.config = config

    @classmethod
    def create(cls, path, config):
        """Create the folder; if `path` is None, its name is the date and time."""
        run = cls(_new_folder(path), config)
        run.write_json(CONFIG, config)
        return run

    @classmethod
    def open(cls, path):
        """Open the folder of an earlier run."""
        path = Path(path)
        file = path / CONFIG
        if not file.is_file():
            raise FERError(
                f"{path} is not a run folder: it has no {CONFIG}. Name a folder that "
                "`fer-sklearn train` made."
            )
        try:
            config = json.loads(file.read_text("utf-8"))
            config["options"], config["data"]
        except (ValueError, KeyError, TypeError) as error:
            raise FERError(
                f"{file} is not the configuration of a run ({error}). Start a new run."
            ) from error
        return cls(path, config)

    @property
    def model(self):
        """Path of the model file."""
        return self.path / MODEL

    @property
    def checkpoint(self):
        """Path of the checkpoint from which `--resume` continues."""
        return self.path / CHECKPOINT

    @property
    def finished(self):
        """Whether the training is complete, so that there is nothing to resume."""
        return self.model.exists() and not self.checkpoint.exists()

    def write_json(self, name, content):
        """Write a JSON file."""
        text = json.dumps(content, indent=2, allow_nan=False) + "\n"
        write_atomically(self.path / name, lambda file: file.write(text.encode()))

    def write_table(self, name, frame):
        """Write a DataFrame as csv."""
        text = frame.to_csv(index=False)
        write_atomically(self.path / name, lambda file: file.write(text.encode()))

    def write_plot(self, name, figure):
        """Write a matplotlib figure as png."""

        def write(file):
            figure.savefig(file, format="png", dpi=120, bbox_inches="tight")

        write_atomically(self.path / name, write)

    def discard(self):
        """Remove the folder if it holds only the settings."""
        if [file.name for file in self.path.iterdir()] == [CONFIG]:
            (self.path / CONFIG).unlink()
            self.path.rmdir()


def _new_folder(path):
    if path is None:
        return _dated_folder(Path("runs"))
    path = Path(path)
    if path.is_file():
        raise FERError(f"{path} is a file; --out names a new folder for the run.")
    path.mkdir(parents=True, exist_ok=True)
    if any(path.iterdir()):
        raise FERError(
            f"{path} is not empty. Choose another --out, or resume that run: "
            f"fer-sklearn train --resume {path}"
        )
    return path


def _dated_folder(parent):
    parent.mkdir(exist_ok=True)
    name = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    for number in range(1, 1000):
        path = parent / (name if number == 1 else f"{name}_{number}")
        try:
            path.mkdir()  # atomic: two runs in one second get two folders
            return path
        except FileExistsError:
            continue
    raise FERError(f"{parent / name} and 998 more exist; name the run with --out.")
