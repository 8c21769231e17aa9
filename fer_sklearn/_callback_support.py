"""Support for scikit-learn's callbacks, such as `ProgressBar` (version 1.9 on).

Not in `_utils`, which the help of the command line imports: this loads scikit-learn.
"""

from functools import wraps

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stand-in for versions of scikit-learn without callbacks."""

    def with_callbacks(method):
        """Return the method unchanged."""
        return method


__all__ = ["CallbackSupportMixin", "begin_fit_task", "fit_task", "with_callbacks"]


def begin_fit_task(estimator, X, y, *, max_subtasks=0):
    """Notify the callbacks that `fit` begins.

    Parameters
    ----------
    estimator : CallbackSupportMixin
        The estimator whose `fit`, decorated by `with_callbacks`, calls this.
    X, y : array-like
        The training data.
    max_subtasks : int or None, default=0
        Number of parts of the task, such as epochs; None if unknown.

    Returns
    -------
    sklearn.callback.CallbackContext or None
        None if scikit-learn has no callbacks.
    """
    if not hasattr(estimator, "_init_callback_context"):
        return None
    context = estimator._init_callback_context(max_subtasks=max_subtasks)
    context.call_on_fit_task_begin(estimator=estimator, X=X, y=y)
    return context


def fit_task(method):
    """Make `fit` or `fit_transform` of a transformer report to callbacks."""

    @with_callbacks
    @wraps(method)
    def task(self, X, y=None):
        context = begin_fit_task(self, X, y)
        result = method(self, X, y)
        if context is not None:
            context.call_on_fit_task_end(
                estimator=self, X=X, y=y, reconstruction_attributes={}
            )
        return result

    return task
