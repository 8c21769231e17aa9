"""The whole of scikit-learn's estimator checks for the classifier.

The augmenter's and the reader's stand in their own test files.
"""

from sklearn.utils.estimator_checks import parametrize_with_checks

from fer_sklearn import FERClassifier
from fer_sklearn.networks import ConvNet

EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": (
        "A weight of 2 is not the same as a row given twice: batches are shuffled and "
        "one more row changes them all. A weight of 0 is the same as no row."
    ),
}


def small(n_classes):
    """Build a network quick enough to be fitted a hundred times."""
    return ConvNet(n_classes, widths=[(16,), (32,)], dropout=0.0)


@parametrize_with_checks(
    [FERClassifier(small, max_epochs=10, batch_size=32)],
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_every_expected_failure_has_a_reason():
    assert all(reason.endswith(".") for reason in EXPECTED_FAILURES.values())
