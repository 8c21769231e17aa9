"""RandomAffineAugmenter: conformance, what it samples, and where it augments."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator

from fer_sklearn import RandomAffineAugmenter
from fer_sklearn._augmented_images import AugmentedImages, _transformations
from fer_sklearn._image_ops import FILL_MODES
from fer_sklearn.exceptions import FERError

NOTHING = {
    "rotation_range": 0,
    "width_shift_range": 0,
    "height_shift_range": 0,
    "shear_range": 0,
    "zoom_range": 0,
    "horizontal_flip": False,
    "erasing_probability": 0,
}

# The settings of the Keras baseline.
KERAS_SCRIPT = {
    "rotation_range": 15,
    "width_shift_range": 0.15,
    "height_shift_range": 0.15,
    "shear_range": 0.15,
    "zoom_range": 0.15,
    "horizontal_flip": True,
    "erasing_probability": 0,
}

# Why scikit-learn's suite skips a check on this estimator.
SKIPPED = {
    "check_array_api_input": "arrays of other libraries are not claimed to be taken",
    "check_pipeline_consistency": (
        "compares two fit_transforms, which are random: see the non_deterministic tag"
    ),
    "check_transformer_data_not_an_array": (
        "compares fit_transform with transform; only the first augments"
    ),
    "check_transformer_general": (
        "compares fit_transform with transform; only the first augments"
    ),
}


@pytest.mark.parametrize(
    "parameters",
    [{}, NOTHING, {"n_jobs": 2, "zoom_range": 0.5}, {"backend": "torch"}],
)
def test_passes_check_estimator(parameters):
    estimator = RandomAffineAugmenter(**parameters)
    results = check_estimator(estimator, on_skip=None, on_fail="raise")
    assert len(results) > 30
    skipped = {r["check_name"] for r in results if r["status"] == "skipped"}
    assert skipped <= set(SKIPPED)
    assert {r["status"] for r in results} <= {"passed", "skipped"}


def test_what_the_skipped_checks_compare_holds_without_randomness():
    """With all ranges at zero, fit_transform and transform do agree."""
    X = np.random.default_rng(0).random((20, 9))
    augmenter = RandomAffineAugmenter(**NOTHING)
    view = np.asarray(augmenter.fit_transform(X))
    # An interpolation stands between them, if only at the pixels themselves.
    np.testing.assert_allclose(view, X, rtol=1e-12)
    np.testing.assert_array_equal(X, augmenter.transform(X))
    np.testing.assert_array_equal(X, augmenter.fit(X.tolist()).transform(X.tolist()))
    pipe = make_pipeline(RandomAffineAugmenter(**NOTHING))
    np.testing.assert_array_equal(np.asarray(pipe.fit_transform(X)), view)


def test_images_stay_as_they_are_whatever_output_is_asked_for():
    X = pd.DataFrame(np.random.default_rng(0).random((20, 9)))
    augmenter = RandomAffineAugmenter().set_output(transform="pandas")
    assert isinstance(augmenter.fit_transform(X), AugmentedImages)
    assert isinstance(augmenter.transform(X), np.ndarray)


def test_tags_tell_the_truth():
    tags = get_tags(RandomAffineAugmenter())
    assert tags.non_deterministic
    assert tags.input_tags.two_d_array and tags.input_tags.three_d_array
    assert not tags.input_tags.allow_nan and not tags.input_tags.sparse


def test_augments_in_training_only(images):
    augmenter = RandomAffineAugmenter(random_state=0)
    view = augmenter.fit_transform(images)
    assert isinstance(view, AugmentedImages)
    assert (np.asarray(view) != images).any()
    assert augmenter.transform(images) is images
    assert augmenter.fit(images).transform(images) is images


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_keeps_the_dtype(images, dtype):
    X = images.astype(dtype)
    augmenter = RandomAffineAugmenter(random_state=0)
    view = augmenter.fit_transform(X)
    assert view.dtype == view.sample([1]).dtype == augmenter.transform(X).dtype == dtype
    as_uint8 = augmenter.fit_transform(images).sample([1]).astype(float)
    np.testing.assert_allclose(view.sample([1]), as_uint8, atol=0.51)


def test_whole_numbers_become_float32(images):
    augmenter = RandomAffineAugmenter().fit(images.astype(np.int64))
    assert augmenter.transform(images.astype(np.int64)).dtype == np.float32


def test_learns_the_size(images):
    augmenter = RandomAffineAugmenter().fit(images)
    assert augmenter.image_shape_ == (16, 16)
    assert augmenter.n_features_in_ == 256
    assert RandomAffineAugmenter().fit(images[:, :3]).image_shape_ == (3, 16)
    flat = images.reshape(len(images), -1)
    assert RandomAffineAugmenter().fit(flat).image_shape_ == (16, 16)
    assert RandomAffineAugmenter().fit(flat[:, 1:]).image_shape_ == (1, 255)


def test_names_of_a_frame_go_through(images):
    frame = pd.DataFrame(images.reshape(len(images), -1)).add_prefix("p")
    augmenter = RandomAffineAugmenter().fit(frame)
    assert augmenter.get_feature_names_out().tolist() == list(frame.columns)
    np.testing.assert_array_equal(augmenter.transform(frame), frame)
    with pytest.raises(ValueError, match="feature names should match"):
        augmenter.transform(frame.add_prefix("x"))


def test_refuses_images_of_another_size(images):
    augmenter = RandomAffineAugmenter().fit(images)
    with pytest.raises(FERError, match=r"images of 8x16 pixels.*fitted on 16x16"):
        augmenter.transform(images[:, :8])
    with pytest.raises(ValueError, match=r"X has 3 features.*expecting 256"):
        augmenter.transform(images[:, 0, :3])


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((0, 4, 4), np.uint8), "0 sample"),
        (np.full((2, 4, 4), np.nan), "NaN"),
        (np.zeros((2, 4, 4, 1)), "dim 4"),
        (np.zeros(4), "1D array"),
        (np.array([["1 2 3"]]), "could not convert string"),
        (["1 2 3 4"], "X is a column of strings.*PixelStringTransformer"),
        (pd.Series(["1 2 3 4"]), "X is a column of strings.*PixelStringTransformer"),
        (np.zeros((2, 0, 4)), "images of 0x4 pixels"),
    ],
)
def test_refuses_what_is_no_image(X, message):
    with pytest.raises(ValueError, match=message):
        RandomAffineAugmenter().fit_transform(X)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"rotation_range": -1}, "'rotation_range'.*float in the range"),
        ({"rotation_range": 181}, "'rotation_range'"),
        ({"width_shift_range": 1.0}, "'width_shift_range'.*range"),
        ({"height_shift_range": "a"}, "'height_shift_range'"),
        ({"shear_range": 90}, "'shear_range'"),
        ({"zoom_range": 1.0}, "'zoom_range'"),
        ({"zoom_range": (1.2, 0.8)}, r"zoom_range must have 0 < low <= high, got \(1"),
        ({"zoom_range": (0.8, 1, 1.2)}, "zoom_range must be a pair"),
        ({"zoom_range": (0, 1)}, "zoom_range must have 0 < low"),
        ({"zoom_range": ("a", 1)}, "zoom_range must be a pair"),
        ({"zoom_range": (1, np.inf)}, "zoom_range must have"),
        ({"horizontal_flip": "yes"}, "'horizontal_flip'"),
        ({"fill_mode": "edge"}, "'fill_mode'.*'nearest'"),
        ({"interpolation_order": 6}, "'interpolation_order'"),
        ({"erasing_probability": 1.1}, "'erasing_probability'"),
        ({"erasing_scale": (0.1, 1.5)}, "erasing_scale must have 0 < low.* <= 1, got"),
        ({"erasing_ratio": 3}, "'erasing_ratio'"),
        ({"backend": "keras"}, "'backend'.*'scipy'"),
        ({"n_jobs": 0}, "n_jobs must be"),
        ({"random_state": "seed"}, "'random_state'"),
    ],
)
def test_refuses_impossible_parameters(images, parameters, message):
    with pytest.raises(ValueError, match=message):
        RandomAffineAugmenter(**parameters).fit_transform(images)


def test_seed_decides_the_samples(images):
    def sample(random_state):
        augmenter = RandomAffineAugmenter(random_state=random_state)
        return augmenter.fit_transform(images).sample([0, 9])

    np.testing.assert_array_equal(sample(3), sample(3))
    assert (sample(3) != sample(4)).any()
    assert (sample(None) != sample(None)).any()
    generator = np.random.RandomState(0)
    assert (sample(generator) != sample(generator)).any()


def test_leaves_the_global_generator_alone(images):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    RandomAffineAugmenter(random_state=0).fit_transform(images).sample(epoch=2)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def decompose(maps, image_shape):
    """Find the changes in maps without shear, by the definition of each."""
    matrix = maps[:, :, :2].astype(float)
    centre = (np.array(image_shape) - 1) / 2
    flip = np.linalg.det(matrix) < 0
    zoom = np.linalg.norm(matrix, axis=1)
    rotation = np.rad2deg(np.arctan2(-matrix[:, 1, 0], matrix[:, 0, 0]))
    moved = maps[:, :, 2] - (centre - matrix @ centre)
    theta = np.deg2rad(rotation)
    turned = np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])
    return rotation, np.einsum("ijk,kj->ki", turned, moved), zoom, flip


def test_samples_fill_the_ranges_and_no_more():
    augmenter = RandomAffineAugmenter(
        rotation_range=20,
        width_shift_range=0.25,
        height_shift_range=0.1,
        shear_range=0,
        zoom_range=(0.8, 1.5),
    )
    settings = augmenter._settings()
    maps, _, _ = _transformations(0, 0, 5000, settings, (40, 20))
    rotation, shift, zoom, flip = decompose(maps, (40, 20))
    for values, low, high in [
        (rotation, -20, 20),
        (shift[:, 0], -4, 4),
        (shift[:, 1], -5, 5),
        (zoom[:, 0], 0.8, 1.5),
        (zoom[:, 1], 0.8, 1.5),
    ]:
        slack = 0.01 * (high - low)
        assert low - 1e-4 <= values.min() <= low + slack
        assert high - slack <= values.max() <= high + 1e-4
        assert values.mean() == pytest.approx((low + high) / 2, abs=3 * slack)
    assert flip.mean() == pytest.approx(0.5, abs=0.03)
    changes = np.column_stack([rotation, shift, zoom, flip])
    off_diagonal = np.corrcoef(changes.T) - np.eye(6)
    assert np.abs(off_diagonal).max() < 0.06


def test_shear_is_in_degrees():
    parameters = NOTHING | {"shear_range": 30}
    settings = RandomAffineAugmenter(**parameters)._settings()
    maps, _, _ = _transformations(0, 0, 3000, settings, (9, 9))
    angles = np.rad2deg(np.arcsin(-maps[:, 1, 0]))
    assert angles.min() == pytest.approx(-30, abs=0.5)
    assert angles.max() == pytest.approx(30, abs=0.5)


def test_zoom_fraction_is_a_range_around_one(images):
    fraction = RandomAffineAugmenter(zoom_range=0.2, random_state=0)
    pair = RandomAffineAugmenter(zoom_range=(0.8, 1.2), random_state=0)
    np.testing.assert_array_equal(
        fraction.fit_transform(images).sample(), pair.fit_transform(images).sample()
    )


@pytest.mark.parametrize("parameters", [KERAS_SCRIPT, {"erasing_probability": 0}])
@pytest.mark.parametrize("fill_mode", FILL_MODES)
def test_an_image_is_transformed_once_by_scipy(images, parameters, fill_mode):
    parameters = parameters | {"fill_mode": fill_mode, "cval": 30}
    view = RandomAffineAugmenter(**parameters, random_state=0).fit_transform(images)
    maps, _, _ = view._transformations(1, mirror_only=False)
    mode = FILL_MODES[fill_mode]
    for image, affine, result in zip(images, maps, view.sample(epoch=1), strict=True):
        expected = ndimage.affine_transform(
            image, affine[:, :2], affine[:, 2], order=1, mode=mode, cval=30
        )
        np.testing.assert_array_equal(result, expected)


def test_torch_is_not_imported_by_the_default():
    code = (
        "import sys, numpy, fer_sklearn\n"
        "for mode in ('nearest', 'constant', 'reflect', 'wrap'):\n"
        "    augmenter = fer_sklearn.RandomAffineAugmenter(fill_mode=mode)\n"
        "    augmenter.fit_transform(numpy.zeros((2, 4, 4))).sample()\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("order", range(6))
def test_backends_give_the_same_or_one_refuses(images, order, fill_mode, dtype):
    by_scipy = RandomAffineAugmenter(
        interpolation_order=order, fill_mode=fill_mode, cval=30, random_state=0
    )
    by_torch = clone(by_scipy).set_params(backend="torch")
    images = images[:60].astype(dtype)
    if order != 1 or fill_mode == "wrap":
        cure = r'backend="torch" needs interpolation_order=1.*Use backend="scipy"'
        with pytest.raises(FERError, match=cure):
            by_torch.fit(images)
        return
    first, second = (
        augmenter.fit_transform(images).sample(epoch=2).astype(float)
        for augmenter in (by_scipy, by_torch)
    )
    # A whole grey level may fall to either side of a half.
    tolerance = 1 if dtype == np.uint8 else 0.01
    np.testing.assert_allclose(first, second, atol=tolerance)
    if dtype == np.uint8:
        assert (first != second).mean() < 0.01


def test_cubic_interpolation_is_to_be_had(images):
    linear = RandomAffineAugmenter(random_state=0, erasing_probability=0)
    cubic = clone(linear).set_params(interpolation_order=3)
    first, second = (a.fit_transform(images).sample() for a in (linear, cubic))
    difference = np.abs(first.astype(float) - second).mean()
    assert 0 < difference < 15


class Probe(ClassifierMixin, BaseEstimator):
    """Remember what `fit` and `predict` were given."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.seen_ = X
        self.epochs_ = [X.sample(epoch=epoch) for epoch in (0, 1)]
        return self

    def predict(self, X):
        self.predicted_ = X
        return np.full(len(X), self.classes_[0])


def test_a_cached_step_still_samples_in_each_epoch(images, faces, tmp_path):
    steps = [
        ("augment", RandomAffineAugmenter(random_state=0)),
        ("probe", Probe()),
    ]
    pipe = Pipeline(steps, memory=str(tmp_path))
    for _ in ("fitted", "from the cache"):
        pipe.fit(images, faces.target)
        seen = pipe.named_steps["probe"].seen_
        assert isinstance(seen, AugmentedImages)
        first, second = pipe.named_steps["probe"].epochs_
        assert (first != second).any(axis=(1, 2)).all()
    np.testing.assert_array_equal(seen.images, images)
    pipe.predict(images)
    np.testing.assert_array_equal(pipe.named_steps["probe"].predicted_, images)


def test_feeds_any_classifier_one_sample(images, faces):
    flat = FunctionTransformer(lambda X: np.asarray(X).reshape(len(X), -1))
    linear = make_pipeline(
        RandomAffineAugmenter(random_state=0),
        flat,
        LogisticRegression(max_iter=20, tol=1.0),
    )
    scores = cross_val_score(
        linear, images / 255, faces.target, cv=2, error_score="raise"
    )
    assert np.isfinite(scores).all()
    rows = make_pipeline(RandomAffineAugmenter(), LogisticRegression(tol=1.0))
    assert rows.fit(images.reshape(210, -1) / 255, faces.target).score(
        images.reshape(210, -1) / 255, faces.target
    )


def test_is_searched_over(images, faces):
    pipe = Pipeline([("augment", RandomAffineAugmenter()), ("probe", Probe())])
    grid = {"augment__rotation_range": [0, 30], "augment__zoom_range": [(0.9, 1.0)]}
    search = GridSearchCV(pipe, grid, cv=2, error_score="raise")
    search.fit(images, faces.target)
    assert len(search.cv_results_["params"]) == 2


def test_html_and_repr_show_the_changed_parameters():
    augmenter = RandomAffineAugmenter(rotation_range=30)
    assert repr(augmenter) == "RandomAffineAugmenter(rotation_range=30)"
    assert "RandomAffineAugmenter" in augmenter._repr_html_()
