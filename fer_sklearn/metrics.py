"""Metrics that scikit-learn does not have."""

import numpy as np
from scipy.stats import binomtest

__all__ = ["accuracy_interval", "expected_calibration_error"]


def accuracy_interval(y_true, y_pred, *, confidence=0.95):
    """Confidence interval of an accuracy.

    Wilson's score interval, which stays within 0 to 1 and is valid for few faces as
    well. It covers the random choice of the test faces, not the differences between
    trainings with different seeds.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes.
    y_pred : array-like of shape (n_samples,)
        Predicted classes.
    confidence : float, default=0.95
        Share of such intervals that hold the true accuracy, between 0 and 1.

    Returns
    -------
    low, high : float
        Ends of the interval.

    Raises
    ------
    ValueError
        If there is no face, or the lengths differ, or `confidence` is out of range.

    References
    ----------
    Wilson (1927), Probable inference, the law of succession, and statistical
    inference, Journal of the American Statistical Association 22.

    Examples
    --------
    18 of 25 answers are right, 72 %:

    >>> from fer_sklearn.metrics import accuracy_interval
    >>> low, high = accuracy_interval([1] * 25, [1] * 18 + [0] * 7)
    >>> print(f"{low:.3f} to {high:.3f}")
    0.524 to 0.857
    """
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if y_true.ndim != 1 or y_true.shape != y_pred.shape or len(y_true) == 0:
        raise ValueError(
            f"y_true has shape {y_true.shape} and y_pred {y_pred.shape}, expected one "
            "class for each of the same faces, at least one."
        )
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence!r}.")
    right = binomtest(int((y_true == y_pred).sum()), len(y_true))
    low, high = right.proportion_ci(confidence, "wilson")
    return float(low), float(high)


def expected_calibration_error(y_true, y_prob, *, labels=None, n_bins=15):
    """How far stated probabilities are from the share of right answers.

    The predictions are sorted into bins of equal width by the probability of the
    predicted class. In each bin the mean of these probabilities is compared with
    the accuracy; the error is the mean absolute difference, weighted by the number
    of predictions in the bin.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes.
    y_prob : array-like of shape (n_samples, n_classes)
        Probabilities as `predict_proba` gives them, each row adding up to 1.
    labels : array-like of shape (n_classes,), default=None
        The class of each column, as in `classes_`. None takes the sorted classes
        of `y_true`, which must then have one for each column.
    n_bins : int, default=15
        Number of bins in 0 to 1. More bins see finer faults and more noise.

    Returns
    -------
    error : float
        In 0 to 1; 0 means that of the answers given with probability p, a share
        of p is right.

    Raises
    ------
    ValueError
        If `y_prob` has another number of rows than `y_true` or of columns than
        there are labels, or holds values outside 0 to 1.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger (2017), On Calibration of Modern Neural
    Networks, ICML.

    Examples
    --------
    Two of four answers are right, all given with 0.9:

    >>> from fer_sklearn.metrics import expected_calibration_error
    >>> probabilities = [[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9]]
    >>> round(expected_calibration_error([0, 1, 1, 0], probabilities), 3)
    0.4
    """
    y_true = np.asarray(y_true)
    y_prob = np.asarray(y_prob, dtype=np.float64)
    labels = np.unique(y_true) if labels is None else np.asarray(labels)
    if y_prob.shape != (len(y_true), len(labels)) or len(y_true) == 0:
        raise ValueError(
            f"y_prob has shape {y_prob.shape}, expected {(len(y_true), len(labels))}: "
            "a row for each of y_true (at least one) and a column for each label. "
            "If y_true lacks a class, pass labels=classifier.classes_."
        )
    if not ((y_prob >= 0) & (y_prob <= 1)).all():
        raise ValueError("y_prob must hold probabilities from 0 to 1.")
    confidence = y_prob.max(axis=1)
    right = labels[y_prob.argmax(axis=1)] == y_true
    # The upper edge belongs to a bin, so that a probability of 1 has one.
    bins = np.clip(np.ceil(confidence * n_bins).astype(int) - 1, 0, n_bins - 1)
    gaps = np.bincount(bins, weights=confidence - right, minlength=n_bins)
    return float(np.abs(gaps).sum() / len(y_true))


def coverage_curve(confidence, right):
    """Accuracy of the most confident predictions, for each possible threshold.

    Confidences 0.9, 0.8, 0.7, 0.7 that are right, right, wrong, right: a threshold of
    0.9 accepts one prediction, 0.8 two, and 0.7 all four, of which three are right.

    Parameters
    ----------
    confidence : ndarray of shape (n_samples,)
        Probability of each prediction.
    right : ndarray of bool of shape (n_samples,)
        Whether it is right.

    Returns
    -------
    thresholds : ndarray of shape (n_thresholds,)
        The distinct confidences, falling.
    coverage : ndarray of shape (n_thresholds,)
        Share of predictions that each threshold accepts.
    accuracy : ndarray of shape (n_thresholds,)
        Share of right ones among these.
    """
    order = np.argsort(-confidence, kind="stable")
    confidence, right = confidence[order], right[order]
    accepted = np.arange(1, len(right) + 1)
    # Equal confidences are accepted together, so only the last of them counts.
    last = np.append(confidence[1:] != confidence[:-1], True)
    accuracy = np.cumsum(right) / accepted
    return confidence[last], accepted[last] / len(right), accuracy[last]


def group_report(y_true, y_prob, groups, *, labels=None, confidence=0.95):
    """Accuracy and calibration for each group of people, with intervals.

    The groups are yours: FER2013 does not record age, gender or skin colour. A
    difference between two groups may be chance, unless their intervals are apart.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes.
    y_prob : array-like of shape (n_samples, n_classes)
        Probabilities as `predict_proba` gives them, each row adding up to 1.
    groups : array-like of shape (n_samples,)
        The group of each face, such as ``"child"`` or ``"adult"``.
    labels : array-like of shape (n_classes,), default=None
        The class of each column, as in `classes_`. None takes the sorted classes
        of `y_true`, which must then have one for each column.
    confidence : float, default=0.95
        Share of such intervals that hold the true accuracy, between 0 and 1.

    Returns
    -------
    report : DataFrame
        One row per group, sorted, and a last row ``"all"``. Columns: ``n_faces``,
        ``accuracy``, ``lower`` and ``upper`` (as in `accuracy_interval`),
        ``calibration_error`` (as in `expected_calibration_error`; high by chance for
        few faces) and ``confidence``, the mean probability of the predicted class.
        It is above the accuracy where the model is overconfident.

    Raises
    ------
    ValueError
        If the lengths differ, a group is missing, or as in
        `expected_calibration_error`.

    See Also
    --------
    accuracy_interval : The interval of one accuracy.

    Examples
    --------
    >>> from fer_sklearn.metrics import group_report
    >>> y_prob = [[0.9, 0.1]] * 6 + [[0.2, 0.8]] * 2
    >>> report = group_report(
    ...     ["happy"] * 6 + ["happy", "sad"],
    ...     y_prob,
    ...     ["adult"] * 6 + ["child"] * 2,
    ... )
    >>> report[["n_faces", "accuracy", "lower", "upper"]].round(2)
           n_faces  accuracy  lower  upper
    adult        6      1.00   0.61   1.00
    child        2      0.50   0.09   0.91
    all          8      0.88   0.53   0.98
    >>> float(report.accuracy[:-1].max() - report.accuracy[:-1].min())  # largest gap
    0.5
    """
    import pandas as pd

    y_true, groups = np.asarray(y_true), pd.Series(np.asarray(groups))
    y_prob = np.asarray(y_prob, dtype=np.float64)
    labels = np.unique(y_true) if labels is None else np.asarray(labels)
    # Checks the shapes and the values.
    expected_calibration_error(y_true, y_prob, labels=labels)
    if len(groups) != len(y_true):
        raise ValueError(
            f"groups has {len(groups)} rows, but y_true has {len(y_true)}; expected "
            "the group of each face."
        )
    if groups.isna().any():
        row = int(groups.isna().argmax())
        raise ValueError(
            f"Row {row} of groups is missing. Name it, for example 'unknown', or leave "
            "the face out."
        )
    parts = {
        name: rows.to_numpy() for name, rows in groups.groupby(groups).groups.items()
    }
    if "all" in parts:
        raise ValueError("A group is called 'all', as the last row. Rename it.")
    parts["all"] = np.arange(len(y_true))
    y_pred = labels[y_prob.argmax(axis=1)]
    report = {}
    for name, rows in parts.items():
        low, high = accuracy_interval(y_true[rows], y_pred[rows], confidence=confidence)
        report[name] = {
            "n_faces": len(rows),
            "accuracy": float(np.mean(y_true[rows] == y_pred[rows])),
            "lower": low,
            "upper": high,
            "calibration_error": expected_calibration_error(
                y_true[rows], y_prob[rows], labels=labels
            ),
            "confidence": float(y_prob[rows].max(axis=1).mean()),
        }
    return pd.DataFrame.from_dict(report, orient="index")
