import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.model_selection import StratifiedGroupKFold

from fer_sklearn.datasets import load_fer2013, write_pixel_strings
from fer_sklearn.exceptions import FERError, PixelStringError
from fer_sklearn.model_selection import (
    face_groups,
    train_test_split_faces,
    unseen_rows,
)


def same_face(a, b, mirrored, tolerance):
    """Compare two pictures the slow and obvious way."""
    others = [b, b[:, ::-1]] if mirrored else [b]
    squares = [
        np.mean((a.astype(float) - other.astype(float)) ** 2) for other in others
    ]
    return min(squares) <= tolerance**2


def slow_groups(images, mirrored, tolerance):
    groups = list(range(len(images)))
    for i in range(len(images)):
        for j in range(i):
            if same_face(images[i], images[j], mirrored, tolerance):
                old, new = groups[i], groups[j]
                groups = [new if group == old else group for group in groups]
    order = list(dict.fromkeys(groups))
    return [order.index(group) for group in groups]


def copies_of(images, rng):
    """Faces with exact, mirrored, noisy and noisy mirrored copies among them."""
    noise = rng.normal(0, 4, size=(20, *images.shape[1:]))
    noisy = np.clip(images[:20] + noise, 0, 255).astype(np.uint8)
    faces = [images[:40], images[:10], images[5:15, :, ::-1], noisy, noisy[:, :, ::-1]]
    return rng.permutation(np.concatenate(faces))


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("tolerance", [0, 4, 6, 40])
def test_groups_against_the_slow_way(images, mirrored, tolerance, monkeypatch):
    # Several chunks, so that their seams are tested.
    monkeypatch.setattr("fer_sklearn.model_selection._ROWS_AT_ONCE", 17)
    monkeypatch.setattr("fer_sklearn.model_selection._PAIRS_AT_ONCE", 50)
    faces = copies_of(images, np.random.default_rng(0))
    groups = face_groups(faces, mirrored=mirrored, tolerance=tolerance)
    assert groups.dtype == np.int64
    assert groups.tolist() == slow_groups(faces, mirrored, tolerance)
    # All faces differ, or all are one, would agree with a wrong answer too easily.
    assert 1 < len(set(groups)) < len(faces)


@settings(deadline=None, max_examples=60)
@given(
    arrays(
        np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 11), st.integers(1, 11))
    ),
    st.floats(0, 300),
    st.booleans(),
)
def test_groups_of_any_pictures(faces, tolerance, mirrored):
    groups = face_groups(faces, mirrored=mirrored, tolerance=tolerance)
    # Floating-point roots may fall on either side of the limit itself.
    low = slow_groups(faces, mirrored, tolerance * (1 - 1e-9))
    high = slow_groups(faces, mirrored, tolerance * (1 + 1e-9))
    assert groups.tolist() in (low, high)


def test_difference_at_the_limit():
    faces = np.zeros((2, 4, 4), dtype=np.uint8)
    faces[1] = 3
    assert face_groups(faces, tolerance=3).tolist() == [0, 0]
    assert face_groups(faces, tolerance=2.99).tolist() == [0, 1]


def test_copies_of_copies_are_one_group():
    faces = (
        np.zeros((3, 4, 4), dtype=np.uint8)
        + np.array([0, 5, 10], np.uint8)[:, None, None]
    )
    assert face_groups(faces[[0, 2]], tolerance=6).tolist() == [0, 1]
    assert face_groups(faces, tolerance=6).tolist() == [0, 0, 0]


def test_strings_and_images_have_the_same_groups(images):
    faces = np.concatenate([images[:9], images[:5]])
    strings = write_pixel_strings(faces)
    # Blanks are not part of a picture.
    strings[-1] = strings[-1].replace(" ", "  ") + " "
    expected = [*range(9), *range(5)]
    series = pd.Series(strings, index=range(50, 64))
    for X in (faces, strings, series, series.to_frame(), tuple(strings)):
        assert face_groups(X).tolist() == expected
    assert face_groups(faces.astype(np.int64)).tolist() == expected


def test_groups_in_a_splitter(images, faces):
    X, y = np.concatenate([images, images]), np.tile(faces.target, 2)
    groups = face_groups(X)
    for train, test in StratifiedGroupKFold(n_splits=3).split(X, y, groups):
        assert unseen_rows(X[test], X[train]).all()


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("tolerance", [0, 4, 6])
def test_unseen_rows_against_the_slow_way(images, mirrored, tolerance):
    faces = copies_of(images, np.random.default_rng(1))
    X, seen = faces[:50], faces[50:]
    expected = [not any(same_face(a, b, mirrored, tolerance) for b in seen) for a in X]
    unseen = unseen_rows(X, seen, mirrored=mirrored, tolerance=tolerance)
    assert unseen.dtype == bool
    assert unseen.tolist() == expected
    assert 0 < unseen.sum() < len(X)


def test_nothing_and_everything_unseen(images):
    assert not unseen_rows(images[:5], images, tolerance=2).any()
    flat = np.zeros((1, 16, 16), dtype=np.uint8)
    assert unseen_rows(images[:5], flat, tolerance=2).all()


def test_unseen_rows_of_other_sizes(images):
    with pytest.raises(
        FERError, match="X has faces of 16x16 pixels and X_seen of 8x16"
    ):
        unseen_rows(images, images[:, :8])


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ([], FERError, "X has 0 rows, expected at least one face"),
        (["1 2 3 4", "1 2 3"], PixelStringError, "Row 1 of X has 3 grey levels"),
        (["1 2 3"], PixelStringError, "Row 0 of X has 3 grey levels, .* a square"),
        (["1 2 3 256"], PixelStringError, "Row 0 of X has '256'"),
        ([""], PixelStringError, "Row 0 of X"),
        ([None, "1"], PixelStringError, "Row 0 of X"),
        (
            np.full((2, 4, 4), 256),
            PixelStringError,
            "Row 0 of X has the grey level 256",
        ),
        (np.zeros((2, 4, 4)), PixelStringError, "must be whole numbers"),
        (np.zeros((3, 16), dtype=np.uint8), PixelStringError, "has shape"),
    ],
)
def test_bad_faces(X, error, message):
    with pytest.raises(error, match=message):
        face_groups(X)


@pytest.mark.parametrize("tolerance", [-1, np.nan, np.inf, "10", None])
def test_bad_tolerance(images, tolerance):
    with pytest.raises(FERError, match="tolerance must be a number of grey levels"):
        face_groups(images, tolerance=tolerance)
    with pytest.raises(FERError, match="tolerance must be a number of grey levels"):
        unseen_rows(images, images, tolerance=tolerance)


@pytest.fixture
def doubled(faces, images):
    """Every face twice, the second time under another index."""
    X = pd.Series(write_pixel_strings(images) * 2, index=np.arange(420) + 1000)
    return X, np.tile(faces.target, 2)


def test_split_keeps_copies_together(doubled):
    X, y = doubled
    rows = np.arange(len(X))
    result = train_test_split_faces(X, y, rows, test_size=0.2, random_state=0)
    X_train, X_test, y_train, y_test, rows_train, rows_test = result
    assert unseen_rows(X_test, X_train).all()
    assert sorted([*rows_train, *rows_test]) == rows.tolist()
    # Rows stay together, and in their order.
    for part, labels, chosen in (
        (X_train, y_train, rows_train),
        (X_test, y_test, rows_test),
    ):
        assert part.index.tolist() == (chosen + 1000).tolist()
        np.testing.assert_array_equal(labels, y[chosen])
        assert (np.diff(chosen) > 0).all()
    # 84 faces, 12 of each emotion.
    np.testing.assert_array_equal(np.bincount(y_test), [12] * 7)


def test_plain_split_would_leak(doubled):
    """The reason for all this: rows that are split at random have their copies seen."""
    from sklearn.model_selection import train_test_split

    X_train, X_test = train_test_split(doubled[0], test_size=0.2, random_state=0)
    assert unseen_rows(X_test, X_train).mean() < 0.3


def test_split_is_seeded(doubled):
    def split(seed, **options):
        result = train_test_split_faces(*doubled, random_state=seed, **options)
        return result[1].index.tolist()

    assert split(0) == split(0) != split(1)
    assert split(0, stratify=False) != split(0)


@pytest.mark.parametrize("test_size", [0.1, 42, 0.5])
def test_split_size(doubled, test_size):
    y_test = train_test_split_faces(*doubled, test_size=test_size, random_state=0)[3]
    expected = test_size if test_size > 1 else test_size * 420
    assert len(y_test) == pytest.approx(expected, abs=2)


def test_split_by_own_groups(images, faces):
    persons = np.arange(210) // 7
    X_train, X_test, *_, train, test = train_test_split_faces(
        images, faces.target, persons, groups=persons, stratify=False, random_state=0
    )
    assert not set(train) & set(test)
    assert len(X_train) + len(X_test) == 210


@pytest.mark.parametrize("stratify", [True, False])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("largest", [10, 120, 140])
def test_split_counts_faces_not_groups(faces, largest, seed, stratify):
    """One person with up to three quarters of the faces, and many with one or two."""
    persons = np.r_[np.zeros(largest), 1 + np.arange(210 - largest) // 2]
    rng = np.random.default_rng(seed)
    y = rng.permutation(faces.target)
    rows = np.arange(210)
    *_, persons_train, persons_test, train, test = train_test_split_faces(
        rows, y, persons, rows, groups=persons, stratify=stratify, random_state=seed
    )
    assert not set(persons_train) & set(persons_test)
    assert len(test) == pytest.approx(0.25 * 210, abs=3)
    if stratify:
        assert len(np.unique(y[train])) == len(np.unique(y[test])) == 7
    if stratify and largest == 10:
        # Each emotion has 30 faces, a quarter of which is 7 or 8.
        assert np.bincount(y[test]).min() >= 6
        assert np.bincount(y[test]).max() <= 9


def test_split_of_groups_with_several_emotions(faces):
    """The first face of a group does not speak for the others."""
    y = np.zeros(80, dtype=int)
    y[1::10] = 1  # eight faces, the second of each group of ten
    rows, groups = np.arange(80), np.arange(80) // 10
    for seed in range(5):
        *_, train, test = train_test_split_faces(
            rows, y, groups=groups, random_state=seed
        )
        assert (np.bincount(y[train]).tolist(), len(test)) == ([54, 6], 20)


def test_split_has_every_emotion_on_both_sides():
    y = np.r_[np.zeros(96), np.ones(4)].astype(int)
    groups = np.r_[np.arange(96), 96, 96, 97, 97]  # 10 % of class 1 is less than a face
    for seed in range(5):
        *_, y_train, y_test = train_test_split_faces(
            np.arange(100), y, groups=groups, test_size=0.1, random_state=seed
        )
        assert np.bincount(y_train).tolist()[1] == np.bincount(y_test)[1] == 2


@pytest.mark.parametrize("n_faces", [1, 8])
def test_split_of_a_class_in_one_group(n_faces):
    y = np.array(["happy"] * 20 + ["sad"] * n_faces)
    groups = np.r_[np.arange(20), np.full(n_faces, 20)]
    what = {1: "There is only one face of class sad", 8: "The 8 faces of class sad are"}
    with pytest.raises(FERError, match=f"{what[n_faces]}.*stratify=False"):
        train_test_split_faces(np.arange(20 + n_faces), y, groups=groups)
    split = train_test_split_faces(
        np.arange(20 + n_faces), y, groups=groups, stratify=False
    )
    assert len(split[0]) + len(split[1]) == 20 + n_faces


def test_split_is_random(images, faces):
    """Every face is tested on in some split."""
    tested = set()
    for seed in range(40):
        *_, test = train_test_split_faces(
            images, faces.target, np.arange(210), random_state=seed
        )
        tested |= set(test.tolist())
    assert len(tested) == 210


def test_split_with_mirrored_and_near_copies(images, faces):
    near = np.clip(images.astype(int) + 3, 0, 255).astype(np.uint8)[:, :, ::-1]
    X, y = np.concatenate([images, near]), np.tile(faces.target, 2)
    options = {"mirrored": True, "tolerance": 4}
    X_train, X_test, *_ = train_test_split_faces(X, y, random_state=0, **options)
    assert unseen_rows(X_test, X_train, **options).all()


def test_split_of_lists(images, faces):
    strings, labels = write_pixel_strings(images), faces.target.tolist()
    parts = train_test_split_faces(strings, labels, random_state=0)
    assert all(isinstance(part, list) for part in parts)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"test_size": 420}, "between 1 and 419 faces, or a fraction between 0 and 1"),
        ({"test_size": 0}, "between 1 and 419 faces"),
        ({"test_size": 1.5}, "test_size"),
        ({"test_size": 5}, r"one set would have fewer faces than .* classes \(7\)"),
        ({"groups": [1, 2]}, "inconsistent numbers of samples"),
        ({"groups": np.zeros(420)}, "The 60 faces of class 0 are all in one group"),
        (
            {"groups": np.zeros(420), "stratify": False},
            "All 420 faces are in one group",
        ),
    ],
)
def test_bad_split(doubled, options, message):
    with pytest.raises(ValueError, match=message):
        train_test_split_faces(*doubled, **options)


def test_split_of_different_lengths(images):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        train_test_split_faces(images, [1, 2])


@pytest.mark.real_data
def test_real_duplicates(fer2013_csv):
    training = load_fer2013(fer2013_csv, usage="Training").data
    test = load_fer2013(fer2013_csv, usage="PublicTest").data
    groups = face_groups(training)
    assert len(groups) - len(set(groups)) == training.duplicated().sum() > 1000
    unseen = unseen_rows(test, training)
    np.testing.assert_array_equal(~unseen, test.isin(training))
