import json

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, recall_score

from fer_sklearn.cli.evaluate import format_report, score

NAMES = ["happy", "angry", "sad"]  # not in alphabetical order


@pytest.fixture
def answers():
    rng = np.random.default_rng(0)
    return rng.choice(NAMES, 200), rng.dirichlet(np.ones(3), 200).astype(np.float32)


def test_the_numbers_are_scikit_learns(answers):
    y_true, y_prob = answers
    y_pred = np.array(NAMES)[y_prob.argmax(axis=1)]
    metrics = score(y_true, y_prob, NAMES)
    accuracy = accuracy_score(y_true, y_pred)
    assert metrics["accuracy"] == accuracy
    expected = np.sqrt(accuracy * (1 - accuracy) / 200)
    assert metrics["standard_error"] == pytest.approx(expected)
    assert metrics["interval_95"][0] < accuracy < metrics["interval_95"][1]
    f1 = f1_score(y_true, y_pred, average="macro")
    assert metrics["macro_f1"] == pytest.approx(f1)
    recalls = recall_score(y_true, y_pred, average=None, labels=NAMES)
    assert [metrics["emotions"][n]["recall"] for n in NAMES] == pytest.approx(recalls)
    in_row = [row["faces"] for row in metrics["emotions"].values()]
    assert np.sum(metrics["confusion_matrix"], axis=1).tolist() == in_row


def test_log_loss_belongs_to_the_right_columns():
    y_prob = np.array([[0.7, 0.1, 0.2], [0.2, 0.5, 0.3]])
    metrics = score(["happy", "angry"], y_prob, NAMES)
    assert metrics["log_loss"] == pytest.approx(-np.log([0.7, 0.5]).mean())


def test_what_has_no_value_is_null_and_a_dash():
    y_prob = np.array([[0.9, 0.1, 0.0], [0.9, 0.1, 0.0]])
    metrics = score(["happy", "angry"], y_prob, NAMES)
    missing, never_named = metrics["emotions"]["sad"], metrics["emotions"]["angry"]
    assert missing == {"precision": None, "recall": None, "f1": None, "faces": 0}
    assert (never_named["precision"], never_named["recall"]) == (None, 0)
    # happy has F1 2/3, angry 0; sad, which no face shows, does not count.
    assert metrics["macro_f1"] == pytest.approx(1 / 3)
    json.dumps(metrics, allow_nan=False)
    rows = {
        line.split()[0]: line.split()
        for line in format_report(metrics, "").split("\n")
        if line
    }
    assert rows["sad"] == ["sad", "-", "-", "-", "0"]
    assert rows["happy"] == ["happy", "0.500", "1.000", "0.667", "1"]


def test_the_report_prints_the_standard_error(answers):
    metrics = score(*answers, NAMES)
    text = format_report(metrics, "200 faces")
    assert text.startswith("200 faces\n")
    assert f"standard error {metrics['standard_error']:.3f}" in text
