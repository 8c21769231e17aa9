import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from fer_sklearn.datasets import EMOTIONS, make_faces
from fer_sklearn.exceptions import FERError


def parse(data, side):
    return np.array([s.split() for s in data], dtype=np.uint8).reshape(-1, side, side)


def test_bunch(faces):
    assert isinstance(faces.data, pd.Series)
    assert pd.api.types.is_string_dtype(faces.data)
    assert faces.data.shape == faces.target.shape == faces.usage.shape == (210,)
    assert faces.target.dtype == np.int64
    assert faces.target_names == list(EMOTIONS)
    np.testing.assert_array_equal(np.bincount(faces.target), [30] * 7)
    assert "210" in faces.DESCR


def test_usage_is_in_the_proportions_of_fer2013():
    usage = make_faces(100, image_shape=(12, 12), random_state=0).usage
    assert usage.tolist() == (
        ["Training"] * 80 + ["PublicTest"] * 10 + ["PrivateTest"] * 10
    )


def test_return_X_y(faces):
    data, target = make_faces(
        210, image_shape=(16, 16), random_state=0, return_X_y=True
    )
    pd.testing.assert_series_equal(data, faces.data)
    np.testing.assert_array_equal(target, faces.target)


@pytest.mark.parametrize("side", [12, 17, 48, 60])
def test_any_size(side):
    images = parse(make_faces(7, image_shape=(side, side), random_state=0).data, side)
    assert images.shape == (7, side, side)
    # Each face is a picture, not a flat sheet.
    assert (images.reshape(7, -1).std(axis=1) > 10).all()


@pytest.mark.parametrize("shape", [(24, 36), (36, 24), (12, 50)])
def test_oblong_faces_are_not_squeezed(shape):
    faces = make_faces(14, image_shape=shape, noise=0, random_state=0)
    height, width = shape
    images = np.array([s.split() for s in faces.data], dtype=np.uint8)
    images = images.reshape(14, height, width)
    assert f"{height}x{width} pixels" in faces.DESCR
    # The middle is the square face of the same seed.
    side = min(shape)
    top, left = (height - side) // 2, (width - side) // 2
    middle = images[:, top : top + side, left : left + side]
    square = make_faces(14, image_shape=(side, side), noise=0, random_state=0)
    difference = middle.astype(int) - parse(square.data, side)
    assert np.abs(difference).max() <= 1


def test_seed():
    first, again = (
        make_faces(9, image_shape=(12, 12), random_state=3) for _ in range(2)
    )
    other = make_faces(9, image_shape=(12, 12), random_state=4)
    assert first.data.tolist() == again.data.tolist()
    assert first.data.tolist() != other.data.tolist()


def test_a_seed_leaves_the_global_generator_alone():
    state = np.random.get_state()[1].copy()  # noqa: NPY002 (it is what is tested)
    make_faces(3, image_shape=(12, 12), random_state=0)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_noise_adds_what_it_says():
    clean, noisy = (
        parse(make_faces(50, noise=noise, random_state=0).data, 48).astype(float)
        for noise in (0, 0.04)
    )
    # Away from black and white nothing is clipped.
    middle = (clean > 60) & (clean < 195)
    assert (noisy - clean)[middle].std() == pytest.approx(0.04 * 255, rel=0.02)


def test_linear_model_learns_but_not_everything():
    faces = make_faces(1000, image_shape=(20, 20), random_state=0)
    X = parse(faces.data, 20).reshape(1000, -1) / 255
    model = LogisticRegression(max_iter=1000).fit(X[:800], faces.target[:800])
    assert 0.35 < model.score(X[800:], faces.target[800:]) < 0.75


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"n_samples": 0}, "n_samples must be an integer of at least 1, got 0"),
        ({"n_samples": 1.5}, "n_samples must be an integer of at least 1, got 1.5"),
        ({"image_shape": (48, 11)}, r"each at least 12, such as .* got \(48, 11\)"),
        (
            {"image_shape": 48},
            r"image_shape must be a pair .*\(height, width\).* got 48",
        ),
        ({"image_shape": (48.0, 48)}, "image_shape must be a pair of whole numbers"),
        ({"image_shape": "auto"}, "image_shape must be a pair of whole numbers"),
        ({"noise": -0.1}, "noise must be 0 or more, got -0.1"),
        ({"noise": np.nan}, "noise must be 0 or more, got nan"),
    ],
)
def test_bad_request(request_, message):
    with pytest.raises(FERError, match=message):
        make_faces(**request_)
