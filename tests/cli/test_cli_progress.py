import io
from types import SimpleNamespace

import pytest

from fer_sklearn.cli.train import BestOnInterrupt, Progress

ROW = {
    "epoch": 1,
    "train_loss": 1.5,
    "train_accuracy": 0.25,
    "valid_loss": 1.4,
    "valid_accuracy": 0.5,
    "dur": 2.04,
}
LINE = "loss 1.500  accuracy 0.250  validation loss 1.400  accuracy 0.500  2.0 s"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def _train(callback, epochs=2, history=()):
    """Notify `callback` as skorch does, with four batches an epoch."""
    net = SimpleNamespace(history=list(history), training_progress=0.0)
    first = len(net.history)
    callback.on_train_begin(net)
    for epoch in range(first, epochs):
        net.history.append({})
        callback.on_epoch_begin(net)
        for batch in range(4):
            net.training_progress = (epoch + batch / 4) / epochs
            callback.on_batch_end(net, training=True)
            callback.on_batch_end(net, training=False)
        net.history[-1] = ROW
        callback.on_epoch_end(net)
    callback.on_train_end(net)


def test_without_a_terminal_each_epoch_is_a_line():
    stream = io.StringIO()
    _train(Progress(2, stream))
    first, last = stream.getvalue().splitlines()
    assert first == f"epoch 1/2  {LINE}  00:00 left"
    assert last == f"epoch 2/2  {LINE}"


def test_on_a_terminal_a_bar_runs_and_each_epoch_leaves_a_line():
    stream = Terminal()
    _train(Progress(2, stream))
    text = stream.getvalue()
    assert f"epoch 1/2  {LINE}\n" in text
    assert "epoch 1/2   0%|" in text
    assert "left" in text
    # The bar is wiped at the end, and the lines stay.
    assert text.rstrip(" \r").endswith(f"epoch 2/2  {LINE}\n") or text.endswith("\r")


def test_time_alone_has_no_number_of_epochs():
    stream = io.StringIO()
    _train(Progress(None, stream), epochs=1)
    assert stream.getvalue().startswith(f"epoch 1  {LINE}")


def test_a_training_that_goes_on_starts_where_it_was():
    stream = Terminal()
    _train(Progress(4, stream), epochs=4, history=[ROW, ROW])
    assert "epoch 3/4  50%|" in stream.getvalue()


def test_an_epoch_without_validation_data_has_no_such_columns():
    stream = io.StringIO()
    progress = Progress(9, stream)
    net = SimpleNamespace(history=[], training_progress=0.5)
    progress.on_train_begin(net)
    net.history.append({k: v for k, v in ROW.items() if not k.startswith("valid")})
    progress.on_epoch_end(net)
    assert "validation" not in stream.getvalue()


@pytest.mark.parametrize(("reason", "kept"), [("interrupt", 2), ("max_epochs", 3)])
def test_only_an_interrupted_training_ends_with_its_best_epoch(reason, kept):
    class Module:
        def __init__(self):
            self.weights = 0

        def state_dict(self):
            return {"weights": self.weights}

        def load_state_dict(self, state):
            self.weights = state["weights"]

    module = Module()
    net = SimpleNamespace(
        module_=module, evaluation_module=module, history=[], stop_reason=reason
    )
    callback = BestOnInterrupt()
    callback.on_train_begin(net)
    for epoch, accuracy in enumerate([0.3, 0.5, 0.4], start=1):
        module.weights = epoch
        net.history.append({"epoch": epoch, "valid_accuracy": accuracy})
        callback.on_epoch_end(net)
    callback.on_train_end(net)
    assert module.weights == kept
