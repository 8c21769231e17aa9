"""scikit-learn's own callbacks, such as `ProgressBar`: there from version 1.9 on."""

from functools import wraps

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing, where scikit-learn has no callbacks."""

    def with_callbacks(method):
        """Leave the method as it is."""
        return method


__all__ = ["CallbackSupportMixin", "begin_fit_task", "fit_task", "with_callbacks"]


def begin_fit_task(estimator, X, y, *, max_subtasks=0):
    """Tell the callbacks that `fit` begins.

    Parameters
    ----------
    estimator : CallbackSupportMixin
        Whose `fit`, decorated by `with_callbacks`, this is called in.
    X, y : array-like
        The training data.
    max_subtasks : int or None, default=0
        Number of its parts, such as epochs; None where nobody knows.

    Returns
    -------
    sklearn.callback.CallbackContext or None
        None where scikit-learn has no callbacks.
    """
    if not hasattr(estimator, "_init_callback_context"):
        return None
    context = estimator._init_callback_context(max_subtasks=max_subtasks)
    context.call_on_fit_task_begin(estimator=estimator, X=X, y=y)
    return context


def fit_task(method):
    """Make `fit` or `fit_transform` of a transformer a task that callbacks see."""

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
