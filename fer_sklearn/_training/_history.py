"""The history of a training as plain values."""

import pandas as pd

COLUMNS = {
    "epoch": "epoch",
    "train_loss": "train_loss",
    "train_accuracy": "train_accuracy",
    "valid_loss": "valid_loss",
    "valid_accuracy": "valid_accuracy",
    "lr": "lr",
    "dur": "duration",
}


def plain_history(history) -> list[dict]:
    """Rows of a skorch history, without batches, as Python numbers."""
    return [
        {
            name: value.item() if hasattr(value, "item") else value
            for name, value in row.items()
            if name != "batches"
        }
        for row in history
    ]


def restore_history(net, rows: list[dict]) -> None:
    """Fill the history of a fresh net with plain rows."""
    for row in rows:
        net.history.new_epoch()
        for name, value in row.items():
            net.history.record(name, value)


def history_frame(history) -> pd.DataFrame:
    """Give a row an epoch, under the names that users know."""
    frame = pd.DataFrame(plain_history(history), columns=list(COLUMNS))
    return frame.rename(columns=COLUMNS)
