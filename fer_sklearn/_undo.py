"""Estimators that a failed fit leaves as they were."""

from contextlib import contextmanager


@contextmanager
def undone_on_failure(estimator):
    """Give an estimator its attributes back if the block fails."""
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
