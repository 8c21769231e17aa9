"""How well ten people, a model and both predict the labels of PublicTest.

    python -m tests.benchmarks.measure_label_noise fer2013.csv fer2013new.csv

A logistic regression on Training translates the votes of FER+ into probabilities of
the labels of FER2013. Another one, cross-validated on PublicTest, combines them with
the probabilities of a model. Printed are accuracies and their 95 % intervals, and what
the ten people say of the faces that the model gets wrong.
"""

import argparse

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fer_sklearn import load_fer2013, load_pretrained
from fer_sklearn.datasets import join_ferplus
from fer_sklearn.metrics import accuracy_interval


def main():
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv")
    parser.add_argument("votes")
    parser.add_argument("--model", default="compact")
    args = parser.parse_args()
    faces = join_ferplus(
        load_fer2013(args.csv, usage=("Training", "PublicTest")), args.votes
    )
    votes, y = faces.votes / 10, np.asarray(faces.target)
    public = np.asarray(faces.usage) == "PublicTest"
    translation = LogisticRegression(max_iter=2000).fit(votes[~public], y[~public])
    people = translation.predict_proba(votes[public])
    model = load_pretrained(args.model).predict_proba(faces.data[public])
    y = y[public]
    report("ten people", y, people.argmax(axis=1))
    report(args.model, y, model.argmax(axis=1))
    report("both", y, combine(y, people, model))
    predicted = model.argmax(axis=1)
    wrong = predicted != y
    report_errors(args.model, votes[public][wrong, :7], y[wrong], predicted[wrong])


def combine(y, *probabilities):
    """Predict from several sets of probabilities, cross-validated."""
    X = np.log(np.hstack(probabilities) + 1e-6)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1))
    folds = StratifiedKFold(10, shuffle=True, random_state=0)
    return cross_val_predict(classifier, X, y, cv=folds)


def report(name, y, predicted):
    """Print an accuracy."""
    low, high = accuracy_interval(y, predicted)
    print(f"{name:12} {np.mean(y == predicted):.3f} ({low:.3f} to {high:.3f})")


def report_errors(name, votes, y, predicted):
    """Print how the votes on the faces that a model gets wrong go with the labels."""
    most = votes.argmax(axis=1)
    print(f"of the {len(y)} errors of {name}:")
    print(f"  {np.mean(most != y):.0%}: the most frequent vote is not the label either")
    print(f"  {np.mean(most == predicted):.0%}: it is the prediction")
    print(f"  {np.mean(votes[range(len(y)), y] == 0):.0%}: nobody chose the label")


if __name__ == "__main__":
    main()
