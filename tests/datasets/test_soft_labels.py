"""Soft labels are found by the face, in whatever order and form it comes."""

import numpy as np
import pandas as pd
import pytest

from fer_sklearn import load_fer2013, make_faces
from fer_sklearn.datasets import EMOTIONS, _soft_labels, load_soft_labels
from fer_sklearn.datasets._soft_labels import face_hash
from fer_sklearn.exceptions import FERError


@pytest.fixture
def known(monkeypatch, tmp_path):
    """Three faces with soft labels, as strings, and their probabilities."""
    texts = make_faces(3, random_state=0).data
    hashes = np.array([face_hash(text) for text in texts], dtype=np.uint64)
    y_prob = np.random.RandomState(0).dirichlet(np.ones(7), size=3).astype(np.float16)
    order = hashes.argsort()
    np.savez(tmp_path / "soft.npz", hashes=hashes[order], probabilities=y_prob[order])
    monkeypatch.setattr(_soft_labels, "_FILE", tmp_path / "soft.npz")
    return list(texts), y_prob.astype(np.float32)


@pytest.mark.parametrize("form", [list, tuple, np.array, pd.Series])
def test_by_face_in_any_order(known, form):
    texts, y_prob = known
    soft = load_soft_labels(form([texts[2], texts[0], texts[2]]))
    assert soft.dtype == np.float32
    np.testing.assert_allclose(soft, y_prob[[2, 0, 2]], atol=1e-3)
    np.testing.assert_allclose(soft.sum(axis=1), 1, atol=1e-6)


def test_grey_levels_and_other_blanks(known):
    texts, y_prob = known
    levels = np.array([text.split() for text in texts], dtype=np.uint8)
    soft = load_soft_labels(levels.reshape(-1, 48, 48))
    np.testing.assert_allclose(soft, y_prob, atol=1e-3)
    loose = [f"  {text} \n".replace(" ", "\t") for text in texts]
    np.testing.assert_array_equal(load_soft_labels(loose), soft)


def test_unknown_faces_have_zeros(known):
    texts, _ = known
    first, *others = texts[0].split()
    changed = " ".join([str((int(first) + 1) % 256), *others])
    soft = load_soft_labels([texts[0], changed])
    assert soft[0].sum() == pytest.approx(1)
    assert not soft[1].any()
    assert load_soft_labels([]).shape == (0, 7)


@pytest.mark.parametrize("X", ["0 1 2", [1, 2], np.zeros((2, 48, 48))])
def test_other_forms(X):
    with pytest.raises(FERError, match="must be pixel strings, or grey levels"):
        load_soft_labels(X)


def test_the_file_of_the_package():
    with np.load(_soft_labels._FILE) as file:
        hashes, y_prob = file["hashes"], file["probabilities"]
    assert (np.diff(hashes.astype(object)) > 0).all()
    assert y_prob.shape == (len(hashes), len(EMOTIONS))
    assert len(hashes) > 27_000
    np.testing.assert_allclose(y_prob.sum(axis=1, dtype=float), 1, atol=2e-3)


@pytest.mark.real_data
def test_agreement_with_the_labels(fer2013_csv):
    train = load_fer2013(fer2013_csv, usage="Training")
    soft = load_soft_labels(train.data)
    known = soft.any(axis=1)
    assert known.sum() > 28_000
    agreement = np.mean(soft[known].argmax(axis=1) == train.target[known])
    assert agreement == pytest.approx(0.686, abs=0.005)
    public = load_fer2013(fer2013_csv, usage="PublicTest")
    assert load_soft_labels(public.data).any(axis=1).mean() < 0.1  # copies
