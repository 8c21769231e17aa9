"""Early stopping."""

from copy import deepcopy

from skorch.callbacks import Callback


class BestWeights(Callback):
    """Stop when validation accuracy no longer rises; end with the best weights.

    Parameters
    ----------
    patience : int
        Epochs without a new best before the training stops.
    """

    def __init__(self, patience: int):
        self.patience = patience

    def on_train_begin(self, net, **kwargs):
        """Forget earlier trainings."""
        self.best_score_ = -1.0
        self.best_epoch_ = None
        self.best_weights_ = None

    def state_dict(self):
        """State for a checkpoint."""
        return {
            "score": self.best_score_,
            "epoch": self.best_epoch_,
            "weights": self.best_weights_,
        }

    def load_state_dict(self, state):
        """Go on from a checkpoint."""
        self.best_score_ = state["score"]
        self.best_epoch_ = state["epoch"]
        self.best_weights_ = state["weights"]

    def on_epoch_end(self, net, **kwargs):
        """Keep the weights if they are the best so far."""
        row = net.history[-1]
        if row["valid_accuracy"] > self.best_score_:
            self.best_score_ = float(row["valid_accuracy"])
            self.best_epoch_ = row["epoch"]
            self.best_weights_ = deepcopy(net.module_.state_dict())
        elif row["epoch"] - self.best_epoch_ >= self.patience:
            net.stop("early_stopping")

    def on_train_end(self, net, **kwargs):
        """Restore the best weights."""
        if self.best_weights_ is not None:
            net.module_.load_state_dict(self.best_weights_)
            self.best_weights_ = None
