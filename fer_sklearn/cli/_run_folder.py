"""The folder of one training run: settings, model, history, metrics and pictures."""

import json
from datetime import datetime
from pathlib import Path

from .._model_format import CONFIG, MODEL
from .._utils import write_atomically
from ..exceptions import FERError

CHECKPOINT = "checkpoint"


class RunFolder:
    """A run folder and the files in it, each written whole or not at all.

    Parameters
    ----------
    path : path-like
        An existing folder; `create` and `open` give one.

    Attributes
    ----------
    path : Path
    config : dict
        The settings of the run, as `config.json` holds them.
    """

    def __init__(self, path, config):
        self.path = Path(path)
        self.config = config

    @classmethod
    def create(cls, path, config):
        """Make the folder, named by date and time when `path` is None."""
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
                f"{path} is no run folder: it has no {CONFIG}. Name the folder that "
                "`fer-sklearn train` made."
            )
        try:
            config = json.loads(file.read_text("utf-8"))
            config["options"], config["data"]
        except (ValueError, KeyError, TypeError) as error:
            raise FERError(f"{file} is not a configuration of ours: {error}") from error
        return cls(path, config)

    @property
    def model(self):
        """Path of the model file."""
        return self.path / MODEL

    @property
    def checkpoint(self):
        """Path of the checkpoint that `--resume` goes on from."""
        return self.path / CHECKPOINT

    @property
    def finished(self):
        """Whether training came to its own end; nothing is left to resume then."""
        return self.model.exists() and not self.checkpoint.exists()

    def write_json(self, name, content):
        """Write a JSON file."""
        text = json.dumps(content, indent=2, allow_nan=False) + "\n"
        write_atomically(self.path / name, lambda file: file.write(text.encode()))

    def write_table(self, name, frame):
        """Write a DataFrame as csv."""
        text = frame.to_csv(index=False)
        write_atomically(self.path / name, lambda file: file.write(text.encode()))

    def write_picture(self, name, figure):
        """Write a matplotlib figure as png."""

        def write(file):
            figure.savefig(file, format="png", dpi=120, bbox_inches="tight")

        write_atomically(self.path / name, write)

    def discard(self):
        """Remove the folder if nothing but the settings is in it."""
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
            f"{path} is not empty. Choose another --out, or go on with that run: "
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
    raise FERError(f"{parent / name} and 998 more are taken; name the run with --out.")
