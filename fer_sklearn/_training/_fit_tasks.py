"""Epochs as scikit-learn's callbacks see them."""

import torch
from skorch.callbacks import Callback

from ._prediction import Predictor


class FitTasks(Callback):
    """Tell scikit-learn's callbacks (`ProgressBar`, `ScoringMonitor`) of each epoch.

    Parameters
    ----------
    clf : FERClassifier
        Whose training this is.
    context : sklearn.callback.CallbackContext
        The task that the epochs are parts of.
    X, y : array-like
        The training data.
    """

    def __init__(self, clf, context, X, y):
        self.clf = clf
        self.context = context
        self.X = X
        self.y = y

    def on_epoch_begin(self, net, **kwargs):
        """Begin a task."""
        self.epoch_ = self.context.subcontext(task_name="epoch")
        self.epoch_.call_on_fit_task_begin(estimator=self.clf, X=self.X, y=self.y)

    def on_epoch_end(self, net, **kwargs):
        """End it; stop the training if a callback says so."""

        def attributes():
            # What makes a classifier that predicts as if the training ended here.
            predictor = Predictor(net.module_)
            return {"net_": net, "_predictor": predictor, "temperature_": 1.0}

        with torch.random.fork_rng(devices=[]):
            stop = self.epoch_.call_on_fit_task_end(
                estimator=self.clf,
                X=self.X,
                y=self.y,
                reconstruction_attributes=attributes,
            )
        if stop:
            net.stop("callback")

    def on_train_end(self, net, **kwargs):
        """Let go of the data: the net keeps its callbacks."""
        self.clf = self.context = self.epoch_ = self.X = self.y = None
