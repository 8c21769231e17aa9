"""Columns and tables of pyarrow, polars and datasets, wherever faces or labels go."""

import numpy as np
import pandas as pd
import pytest
from tiny_network import TinyNet

from fer_sklearn import FERClassifier, make_fer_pipeline
from fer_sklearn.datasets import load_soft_labels
from fer_sklearn.model_selection import train_test_split_faces, unseen_rows

PARAMS = {"network": TinyNet, "max_epochs": 1, "random_state": 0}


def pyarrow_column(values):
    return pytest.importorskip("pyarrow").array(values)


def pyarrow_chunks(values):
    return pytest.importorskip("pyarrow").chunked_array([values[:5], values[5:]])


def polars_column(values):
    return pytest.importorskip("polars").Series(values)


def datasets_column(values):
    # Its submodule, because tests/datasets is importable as well.
    datasets = pytest.importorskip("datasets.arrow_dataset")
    return datasets.Dataset.from_dict({"values": values})["values"]


def pandas_frame(columns):
    return pd.DataFrame(columns)


def pyarrow_table(columns):
    return pytest.importorskip("pyarrow").table(columns)


def polars_frame(columns):
    return pytest.importorskip("polars").DataFrame(columns)


COLUMNS = [pyarrow_column, pyarrow_chunks, polars_column, datasets_column]
FRAMES = [pandas_frame, pyarrow_table, polars_frame]


@pytest.mark.parametrize("form", COLUMNS)
def test_columns_of_strings(faces, form):
    X, y = faces.data.tolist(), [f"class {label}" for label in faces.target]
    pipe = make_fer_pipeline(**PARAMS)
    expected = pipe.fit(X, y, cnn__X_val=X[:70], cnn__y_val=y[:70]).predict_proba(X)
    pipe.fit(form(X), form(y), cnn__X_val=form(X[:70]), cnn__y_val=form(y[:70]))
    np.testing.assert_array_equal(pipe.predict_proba(form(X)), expected)


@pytest.mark.parametrize("form", FRAMES)
def test_frames_with_one_column(faces, form):
    X, y = faces.data.tolist(), faces.target
    pipe = make_fer_pipeline(**PARAMS)
    expected = pipe.fit(X, y, cnn__X_val=X, cnn__y_val=y).predict_proba(X)
    frame = form({"pixels": X})
    pipe.fit(frame, y, cnn__X_val=frame, cnn__y_val=y)
    np.testing.assert_array_equal(pipe.predict_proba(frame), expected)


@pytest.mark.parametrize("form", FRAMES)
def test_frames_keep_their_names(images, faces, form):
    columns = {f"p{i}": images.reshape(210, -1)[:, i] for i in range(4)}
    clf = FERClassifier(**PARAMS).fit(form(columns), faces.target)
    assert clf.feature_names_in_.tolist() == ["p0", "p1", "p2", "p3"]
    with pytest.raises(ValueError, match="feature names"):
        clf.predict(form(dict(reversed(columns.items()))))


@pytest.mark.parametrize("form", COLUMNS)
def test_split_of_columns(faces, form):
    X, y = faces.data.tolist(), faces.target.tolist()
    expected = train_test_split_faces(X, y, random_state=0)
    parts = train_test_split_faces(form(X), form(y), random_state=0)
    assert [list(np.asarray(part)) for part in parts] == expected
    assert unseen_rows(parts[1], parts[0]).all()


@pytest.mark.parametrize("form", COLUMNS)
def test_soft_labels_of_columns(faces, form):
    assert load_soft_labels(form(faces.data.tolist())).shape == (210, 7)
