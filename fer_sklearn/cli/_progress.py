"""What the command adds to a training: its progress, and a good end by Ctrl-C."""

import sys
import time

from skorch.callbacks import Callback
from tqdm import tqdm

from .._training.callbacks import BestWeights


class Progress(Callback):
    """Shows how far training is and how long it will take.

    On a terminal a bar runs with the time left, and each epoch leaves a line above
    it. Elsewhere there are only these lines.

    Parameters
    ----------
    max_epochs : int or None, default=None
        Number of epochs that are planned; None when the time decides.
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
        """Move the bar; the schedule knows how far training is."""
        if not training:
            return
        progress = net.training_progress
        if self.first_ is None:
            self.first_ = progress
            if self.bar_ is not None and progress > 0:  # a training that goes on
                bar = self.bar_
                bar.initial = bar.n = bar.last_print_n = progress
                bar.refresh()
        if self.bar_ is not None:
            self.bar_.update(progress - self.bar_.n)

    def on_epoch_end(self, net, **kwargs):
        """Leave a line about the epoch."""
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
        """Take the bar away."""
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
        spent = time.monotonic() - self.start_
        return spent / (progress - self.first_) * (1 - progress)


class BestOnInterrupt(BestWeights):
    """Ends a training that Ctrl-C broke off with its best epoch's weights.

    A training that comes to its end keeps its last weights: the schedule made them.
    """

    def __init__(self):
        super().__init__(patience=float("inf"))

    def on_train_end(self, net, **kwargs):
        """Restore the best weights if somebody was in a hurry."""
        if net.stop_reason == "interrupt":
            super().on_train_end(net, **kwargs)


def describe_epoch(row):
    """One line about a row of the history."""
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
