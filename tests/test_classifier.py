"""What FERClassifier takes, refuses and says; how it stops and goes on."""

import pickle
import textwrap
import threading
import warnings
from collections.abc import Sequence
from copy import deepcopy
from importlib.util import find_spec
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import config_context
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.utils import get_tags
from sklearn.utils._param_validation import InvalidParameterError
from skorch.callbacks import (
    Callback,
    EarlyStopping,
    EpochScoring,
    InputShapeSetter,
    LRScheduler,
    TrainEndCheckpoint,
)
from skorch.callbacks import Checkpoint as SkorchCheckpoint
from skorch.helper import SkorchDoctor, SliceDataset
from tiny_network import TinyNet
from torch import nn

from fer_sklearn import FERClassifier, RandomAffineAugmenter
from fer_sklearn.exceptions import FERError


def tiny(**params):
    defaults = {"max_epochs": 1, "batch_size": 64, "random_state": 0, "lr": 0.05}
    return FERClassifier(**{"network": TinyNet, **defaults, **params})


@pytest.fixture(scope="module")
def fitted(images, faces):
    return tiny().fit(images, faces.target)


class OnDisk:
    """A data set as of h5py: it has a shape and rows, but no methods of arrays."""

    def __init__(self, array):
        self._array, self.shape = array, array.shape

    def __len__(self):
        return len(self._array)

    def __getitem__(self, rows):
        return self._array[rows]

    def __array__(self, dtype=None, copy=None):
        return np.array(self._array, dtype=dtype)


class HasOnlyRows(Sequence):
    """A column as of the library datasets: faces one by one."""

    def __init__(self, rows):
        self._rows = rows.tolist()

    def __len__(self):
        return len(self._rows)

    def __getitem__(self, row):
        return self._rows[row]


class InterruptAt(Callback):
    """Press Ctrl-C at the start of an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == self.epoch:
            raise KeyboardInterrupt


class TestFaces:
    def test_every_form_of_a_face(self, fitted, images):
        expected = fitted.predict_proba(images)
        flat = images.reshape(210, -1)
        for same in (flat, flat.tolist(), images.tolist(), images.astype(np.int64)):
            np.testing.assert_array_equal(fitted.predict_proba(same), expected)
        scaled = fitted.predict_proba(images / np.float32(255))
        np.testing.assert_allclose(scaled, expected, atol=1e-5)

    def test_log_probabilities(self, fitted, images):
        log_proba = fitted.predict_log_proba(images)
        assert log_proba.dtype == np.float32
        np.testing.assert_allclose(
            np.exp(log_proba), fitted.predict_proba(images), rtol=1e-5
        )

    def test_log_probabilities_are_finite_where_a_probability_is_zero(self, images):
        clf = tiny(temperature=1e-3).fit(images, np.arange(210) % 2)
        assert (clf.predict_proba(images) == 0).any()
        assert np.isfinite(clf.predict_log_proba(images)).all()

    def test_what_is_known_of_them(self, fitted, images):
        assert fitted.image_shape_ == (16, 16)
        assert fitted.n_features_in_ == 256
        assert not hasattr(fitted, "feature_names_in_")
        assert fitted.predict_proba(images[:3]).dtype == np.float32
        np.testing.assert_allclose(fitted.predict_proba(images).sum(axis=1), 1, 1e-5)

    def test_rows_that_are_no_square_and_frames(self, faces):
        rows = np.random.default_rng(0).random((210, 3))
        frame = pd.DataFrame(rows, columns=["a", "b", "c"])
        clf = tiny().fit(frame, faces.target)
        assert clf.image_shape_ == (1, 3)
        assert clf.feature_names_in_.tolist() == ["a", "b", "c"]
        with pytest.raises(ValueError, match="feature names"):
            clf.predict(frame[["c", "b", "a"]])

    def test_pictures_that_are_no_square(self, images, faces):
        clf = tiny().fit(images[:, :12], faces.target)
        assert clf.image_shape_ == (12, 16)
        assert clf.predict(images[:2, :12]).shape == (2,)

    def test_another_size(self, fitted, images):
        match = r"X has faces of 12x16 pixels, but .* fitted on faces of 16x16 .*Resize"
        with pytest.raises(FERError, match=match):
            fitted.predict(images[:, :12])
        with pytest.raises(ValueError, match=r"has 64 features, but .* expecting 256"):
            fitted.predict(images[:, :8, :8].reshape(210, -1))

    def test_strings_name_their_reader(self, fitted, faces):
        for strings in (faces.data, faces.data.tolist(), faces.data.to_numpy()):
            with pytest.raises(FERError, match=r"column of strings.*make_fer_pipeline"):
                fitted.predict(strings)
            with pytest.raises(FERError, match="PixelStringTransformer"):
                tiny().fit(strings, faces.target)

    def test_channels_are_named(self, fitted, images):
        with pytest.raises(FERError, match=r"\(210, 16, 16, 1\).*X\[\.\.\., 0\]"):
            fitted.predict(images[..., None])
        with pytest.raises(FERError, match=r"\(210, 1, 16, 16\).*X\[:, 0\]"):
            fitted.predict(images[:, None])
        with pytest.raises(FERError, match="Convert colours to grey"):
            fitted.predict(np.stack([images] * 3, axis=3))

    @pytest.mark.parametrize(
        "form", [OnDisk, HasOnlyRows, lambda X: SliceDataset([(x,) for x in X])]
    )
    def test_array_likes(self, fitted, images, faces, form):
        """What h5py, zarr, xarray, datasets, polars and skorch hold faces in."""
        expected = fitted.predict_proba(images)
        np.testing.assert_array_equal(fitted.predict_proba(form(images)), expected)
        again = tiny().fit(form(images), form(faces.target))
        np.testing.assert_array_equal(again.predict_proba(images), expected)

    def test_columns_of_lists(self, fitted, images):
        for rows in (images.reshape(210, -1).tolist(), list(images)):
            with pytest.raises(FERError, match=r"rows are of type .*np\.array\(list"):
                fitted.predict(pd.Series(rows))

    def test_strings_on_disk(self, fitted):
        with pytest.raises(FERError, match="column of strings"):
            fitted.predict(OnDisk(np.array([b"1 2 3", b"4 5 6"], dtype=object)))

    def test_sizes_that_differ(self, faces):
        ragged = [np.zeros((4, 4)), np.zeros((4, 5))]
        with pytest.raises(FERError, match="different sizes"):
            tiny().fit(ragged, [0, 1])

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_numbers_that_are_none(self, fitted, images, value):
        broken = images[:3].astype(np.float32)
        broken[1, 2, 3] = value
        with pytest.raises(ValueError, match=r"NaN|infinity"):
            fitted.predict(broken)

    def test_no_rows(self, fitted, images):
        with pytest.raises(ValueError, match=r"0 sample\(s\)"):
            fitted.predict(images[:0])
        with pytest.raises(ValueError, match=r"0 sample\(s\)"):
            tiny().fit(images[:0], [])

    def test_one_row_is_enough_to_predict_and_two_to_fit(self, images):
        clf = tiny().fit(images[:2], [0, 1])
        assert clf.predict(images[0:1]).shape == (1,)


class TestLabels:
    @pytest.mark.parametrize(
        "labels",
        [
            pytest.param(lambda y: y, id="int"),
            pytest.param(lambda y: y > 3, id="bool"),
            pytest.param(lambda y: y.astype(float), id="float"),
            pytest.param(lambda y: np.array(list("abcdefg"))[y], id="str"),
            pytest.param(lambda y: np.array(list("abcdefg"), object)[y], id="object"),
            pytest.param(lambda y: pd.Series(list("abcdefg"))[y], id="Series"),
            pytest.param(lambda y: np.array(list("gfedcba"))[y].tolist(), id="list"),
            pytest.param(
                lambda y: pd.Series(list("abcdefg"))[y].astype("category"),
                id="category",
            ),
            pytest.param(lambda y: y - 3, id="negative"),
        ],
    )
    def test_labels_come_back_as_they_were(self, images, faces, labels):
        y = labels(faces.target)
        clf = tiny(max_epochs=3).fit(images, y)
        np.testing.assert_array_equal(clf.classes_, np.unique(y))
        assert set(clf.predict(images)) <= set(np.unique(y).tolist())
        assert 0 <= clf.score(images, y) <= 1

    def test_order_of_labels_is_only_a_name(self, images, faces):
        """Strings whose order is another give the same answers."""
        names = np.array(["g", "f", "e", "d", "c", "b", "a"])
        by_number = tiny(max_epochs=8).fit(images, faces.target)
        by_name = tiny(max_epochs=8).fit(images, names[faces.target])
        agree = names[by_number.predict(images)] == by_name.predict(images)
        assert agree.mean() > 0.5

    def test_different_lengths(self, images, faces):
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            tiny().fit(images, faces.target[1:])

    def test_one_class(self, images):
        with pytest.raises(FERError, match=r"one class only \(\[4\]\)"):
            tiny().fit(images[:5], [4] * 5)

    @pytest.mark.parametrize(
        ("y", "match"),
        [
            ([0.5, 0.25, 0.125], "continuous"),
            ([[0, 1], [1, 0], [1, 1]], "1d array"),
            ([0, 1, np.nan], "NaN"),
            ([0, 1, None], "NaN|None|Unknown label type|convert"),
            (None, "requires y to be passed"),
        ],
    )
    def test_what_is_no_label(self, images, y, match):
        with pytest.raises((ValueError, TypeError), match=match):
            tiny().fit(images[:3], y)


class TestWeights:
    def test_all_ones_equal_none(self, images, faces):
        weighted = tiny().fit(images, faces.target, sample_weight=np.full(210, 3.0))
        plain = tiny().fit(images, faces.target)
        np.testing.assert_allclose(
            weighted.predict_proba(images), plain.predict_proba(images), atol=1e-6
        )

    def test_weight_zero_leaves_out(self, images, faces):
        weights = np.ones(210)
        weights[10:50] = 0
        kept = np.flatnonzero(weights)
        weighted = tiny().fit(images, faces.target, sample_weight=weights)
        without = tiny().fit(images[kept], faces.target[kept])
        np.testing.assert_allclose(
            weighted.predict_proba(images), without.predict_proba(images), atol=1e-6
        )

    def test_heavy_class_is_predicted_more(self, images, faces):
        settings = {"max_epochs": 5, "class_weight": {3: 50.0}}
        assert (tiny(**settings).fit(images, faces.target).predict(images) == 3).all()

    @pytest.mark.parametrize(
        ("weights", "match"),
        [
            (np.ones(209), r"shape.*\(209,\)"),
            (np.r_[np.ones(209), -2], r"row 209 is -2; weights must not be negative"),
            (np.zeros(210), "0 for every row|at least one non-zero"),
            (np.r_[np.ones(209), np.nan], "NaN"),
            (np.ones((210, 2)), "1D array"),
        ],
    )
    def test_impossible_weights(self, images, faces, weights, match):
        with pytest.raises(ValueError, match=match):
            tiny().fit(images, faces.target, sample_weight=weights)

    def test_balanced_and_none_without_every_class(self, images, faces):
        clf = tiny(class_weight="balanced")
        clf.partial_fit(images[:3], [0, 0, 2], classes=range(7))
        assert clf.predict_proba(images[:1]).shape == (1, 7)

    def test_class_weights_of_nothing(self, images, faces):
        clf = tiny(class_weight=dict.fromkeys(range(7), 0))
        with pytest.raises(FERError, match=r"class_weight is 0 for every class.*Give"):
            clf.fit(images, faces.target)

    def test_class_weight_of_an_unknown_class(self, images, faces):
        with pytest.raises(ValueError, match="are not in class_weight"):
            tiny(class_weight={"happpy": 2.0}).fit(images, faces.target)


class TestSoftTargets:
    def test_certain_and_right_is_the_label(self, images, faces):
        labels = np.eye(7)[faces.target]
        np.testing.assert_allclose(
            tiny().fit(images, faces.target, soft_targets=labels).predict_proba(images),
            tiny().fit(images, faces.target).predict_proba(images),
            atol=1e-5,
        )

    def test_alone_they_are_what_is_learnt(self, images, faces):
        happy = np.tile(np.eye(7)[3], (210, 1))
        clf = tiny()
        clf.fit(images, faces.target, soft_targets=happy, soft_target_weight=1)
        assert (clf.predict(images) == 3).all()

    def test_a_row_of_zeros_leaves_the_label(self, images, faces):
        nothing = np.zeros((210, 7))
        clf = tiny()
        clf.fit(images, faces.target, soft_targets=nothing, soft_target_weight=1)
        np.testing.assert_allclose(
            clf.predict_proba(images),
            tiny().fit(images, faces.target).predict_proba(images),
            atol=1e-5,
        )

    @pytest.mark.parametrize("weight", [1.1, -0.1, "half", None])
    def test_weight_is_a_share(self, images, faces, weight):
        soft = np.eye(7)[faces.target]
        with pytest.raises(FERError, match=r"must be in \[0, 1\], got"):
            tiny().fit(
                images, faces.target, soft_targets=soft, soft_target_weight=weight
            )

    def test_votes_are_as_good_as_probabilities(self, images, faces):
        votes = np.random.default_rng(0).integers(1, 10, size=(210, 7))
        shares = votes / votes.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(
            tiny().fit(images, faces.target, soft_targets=votes).predict_proba(images),
            tiny().fit(images, faces.target, soft_targets=shares).predict_proba(images),
            atol=1e-5,
        )

    def test_rows_follow_weights_and_held_out_rows(self, images, faces):
        soft = np.eye(7)[faces.target]
        soft[5] = np.eye(7)[(faces.target[5] + 1) % 7]
        weights = np.ones(210)
        weights[5] = 0
        without = tiny(early_stopping=True, validation_fraction=0.2, random_state=0)
        without.fit(np.delete(images, 5, axis=0), np.delete(faces.target, 5))
        weighted = clone(without).fit(
            images, faces.target, sample_weight=weights, soft_targets=soft
        )
        np.testing.assert_allclose(
            weighted.predict_proba(images), without.predict_proba(images), atol=1e-5
        )

    @pytest.mark.parametrize("weights", [2.0, np.r_[np.ones(209), 1e-60]])
    def test_weights_of_every_form(self, images, faces, weights):
        labels = np.eye(7)[faces.target]
        clf = tiny().fit(
            images, faces.target, sample_weight=weights, soft_targets=labels
        )
        plain = tiny().fit(images, faces.target, sample_weight=weights)
        np.testing.assert_allclose(
            clf.predict_proba(images), plain.predict_proba(images), atol=1e-5
        )

    def test_a_frame_with_the_classes_in_another_order(self, images, faces):
        names = np.array(["g", "f", "e", "d", "c", "b", "a"])
        soft = pd.DataFrame(np.eye(7)[faces.target], columns=names)
        clf = tiny()
        with pytest.raises(FERError, match=r"columns \['g', .*order of classes_, \['a"):
            clf.fit(images, names[faces.target], soft_targets=soft)
        clf.fit(images, names[faces.target], soft_targets=soft[sorted(names)])
        other_index = np.arange(210)[::-1]
        soft = pd.DataFrame(np.eye(7)[faces.target], index=other_index)
        clf.fit(images, faces.target, soft_targets=soft)

    def test_a_search_cuts_them_with_the_faces(self, images, faces):
        soft = np.eye(7)[faces.target]
        search = GridSearchCV(tiny(), {"random_state": [0, 0]}, cv=2)
        search.fit(images, faces.target, soft_targets=soft, soft_target_weight=1)
        first, second = search.cv_results_["mean_test_score"]
        assert first == second

    @pytest.mark.parametrize(
        ("soft", "match"),
        [
            (np.ones((209, 7)), r"\(209, 7\), expected \(210, 7\).*\[0, 1, 2"),
            (np.ones((210, 6)), r"\(210, 6\), expected \(210, 7\)"),
            (np.log(np.full((210, 7), 0.1)), r"-2\.3.* in row 0, column 0.*softmax"),
            (np.full((210, 7), np.nan), "soft_targets contains NaN"),
            (np.ones(210), "Expected 2D array"),
        ],
    )
    def test_impossible_ones(self, images, faces, soft, match):
        with pytest.raises(ValueError, match=match):
            tiny().fit(images, faces.target, soft_targets=soft)


# Every parameter with a range: a bad value, and what the message says beside its name.
IMPOSSIBLE = [
    ("network", 3, "str.*callable"),
    ("network_params", [1], "dict"),
    ("pretrained", 3, "str"),
    ("max_epochs", 0, r"\[1, inf\)"),
    ("max_epochs", 1.5, "int"),
    ("max_time", 0, r"\(0.0, inf\)"),
    ("batch_size", 0, r"\[1, inf\)"),
    ("optimizer", "sdg", "adam"),
    ("lr", 0, r"\(0.0, inf\)"),
    ("weight_decay", -1, r"\[0.0, inf\)"),
    ("lr_schedule", "cosin", "cosine"),
    ("label_smoothing", 1, r"\[0.0, 1.0\)"),
    ("mixup_alpha", -0.1, r"\[0.0, inf\)"),
    ("clean_fraction", 1, r"\[0.0, 1.0\)"),
    ("ema_decay", 1, r"\(0.0, 1.0\)"),
    ("progressive_resizing", 32, "tuple"),
    ("progressive_resizing", (32,), r"pair of a size in pixels.*\[0, 1\]"),
    ("progressive_resizing", (0, 0.5), "at least 1"),
    ("progressive_resizing", (32.5, 0.5), "whole number"),
    ("progressive_resizing", (32, 1.5), r"share of the training in \[0, 1\]"),
    ("progressive_resizing", ("32", 0.5), r"Got \('32', 0.5\)"),
    ("normalization", "zscore", "dataset"),
    ("class_weight", "balance", "balanced"),
    ("class_weight", {3: -1.0}, r"\[0, inf\)\. Got -1\.0 for 3"),
    ("early_stopping", 2, "bool"),
    ("validation_fraction", 1.0, r"\(0.0, 1.0\)"),
    ("n_iter_no_change", 0, r"\[1, inf\)"),
    ("test_time_flip", "yes", "bool"),
    ("temperature", 0, r"\(0.0, inf\)"),
    ("warm_start", "yes", "bool"),
    ("callbacks", EpochScoring("accuracy"), "list"),
    ("callbacks", [EpochScoring], "instances, not classes"),
    ("checkpoint", 3, "str"),
    ("precision", "float16", "bfloat16"),
    ("num_workers", -1, r"\[0, inf\)"),
    ("device", 3, "str"),
    ("device", "toaster", "'auto' or 'cpu'"),
    ("random_state", -1, r"\[0, \d+\]"),
    ("verbose", -1, r"\[0, inf\)"),
]


class TestParameters:
    @pytest.mark.parametrize(("name", "value", "rest"), IMPOSSIBLE)
    def test_impossible_value_names_parameter_and_range(
        self, images, faces, name, value, rest
    ):
        # As scikit-learn's own, such an error is a ValueError.
        with pytest.raises(ValueError, match=rf"(?s){name}.*{rest}"):
            tiny(**{name: value}).fit(images, faces.target)

    def test_every_parameter_has_its_case(self):
        assert {name for name, *_ in IMPOSSIBLE} == set(FERClassifier().get_params())

    def test_range_errors_are_scikit_learns(self, images, faces):
        with pytest.raises(InvalidParameterError):
            tiny(lr=-1).fit(images, faces.target)

    def test_unknown_network(self, images, faces):
        with pytest.raises(FERError, match=r"Unknown network 'vgg'.*nano, compact"):
            tiny(network="vgg").fit(images, faces.target)

    def test_network_that_is_made_already(self, images, faces):
        match = r"an instance of TinyNet.*Set network=TinyNet.*network_params"
        with pytest.raises(FERError, match=match):
            tiny(network=TinyNet(7)).fit(images, faces.target)

    def test_network_params_that_do_not_fit(self, images, faces):
        match = r"network_params=\{'widht': 4\}.*'widht'.*are n_classes, width"
        with pytest.raises(FERError, match=match):
            tiny(network_params={"widht": 4}).fit(images, faces.target)

    def test_network_that_answers_something_else(self, images, faces):
        with pytest.raises(ValueError, match=r"logits of shape \(2, 7\), got \(2, 9\)"):
            tiny(network_params={"n_classes": 9}).fit(images, faces.target)

    def test_unknown_parameter(self):
        with pytest.raises(ValueError, match="Invalid parameter 'epochs'"):
            tiny().set_params(epochs=3)

    def test_parameters_set_after_fit_do_not_touch_the_model(self, images, faces):
        clf = tiny().fit(images, faces.target)
        expected = clf.predict_proba(images)
        clf.set_params(network="compact", network_params={"dropout": 0.1})
        np.testing.assert_array_equal(clf.predict_proba(images), expected)


class TestValidationData:
    def test_fills_the_history(self, images, faces):
        clf = tiny().fit(
            images, faces.target, X_val=images[:40], y_val=faces.target[:40]
        )
        row = clf.history_.iloc[0]
        assert row["valid_accuracy"] == pytest.approx(
            clf.score(images[:40], faces.target[:40])
        )

    @pytest.mark.parametrize(
        ("X_val", "y_val", "match"),
        [
            (np.zeros((2, 16, 16)), None, "belong together"),
            (np.zeros((2, 16, 16)), [0], "inconsistent"),
            (np.zeros((2, 8, 8)), [0, 1], "X_val has faces of 8x8"),
            (np.zeros((2, 16, 16)), [0, 9], "Row 1 of y_val is 9, .* not among"),
        ],
    )
    def test_impossible(self, images, faces, X_val, y_val, match):
        with pytest.raises(ValueError, match=match):
            tiny().fit(images, faces.target, X_val=X_val, y_val=y_val)

    def test_early_stopping_with_a_single_face_of_a_class(self, images, faces):
        y = np.where(faces.target == 0, 0, 1)
        y[5] = 2
        match = r"at least 2 faces of each; class 2 has 1\. .*X_val and y_val"
        with pytest.raises(FERError, match=match):
            tiny(early_stopping=True).fit(images, y)

    @pytest.mark.parametrize("fraction", [0.01, 0.99])
    def test_early_stopping_with_a_part_too_small(self, images, faces, fraction):
        clf = tiny(early_stopping=True, validation_fraction=fraction)
        with pytest.raises(FERError, match=r"fewer faces than there are classes \(7\)"):
            clf.fit(images, faces.target)


class TestBeforeAndAfter:
    @pytest.mark.parametrize(
        "method", ["predict", "predict_proba", "predict_log_proba"]
    )
    def test_predict_before_fit(self, images, method):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            getattr(tiny(), method)(images)

    def test_failed_fit_leaves_a_classifier_unfitted(self, images, faces):
        clf = tiny(lr=1e20, lr_schedule="constant", max_epochs=3)
        before = set(vars(clf))
        with pytest.raises(FERError, match="diverged"):
            clf.fit(images, faces.target)
        assert set(vars(clf)) == before
        with pytest.raises(NotFittedError):
            clf.predict(images)

    def test_failed_fit_leaves_the_last_model(self, images, faces):
        clf = tiny().fit(images, faces.target)
        expected = clf.predict_proba(images)
        with pytest.raises(FERError, match="negative"):
            clf.fit(images[:9, :8], faces.target[:9], sample_weight=-np.ones(9))
        np.testing.assert_array_equal(clf.predict_proba(images), expected)

    def test_training_data_is_let_go(self, images, faces):
        view = RandomAffineAugmenter(random_state=0).fit_transform(images)
        clf = tiny(early_stopping=True).fit(view, faces.target)
        arrays, seen, queue = [], set(), [vars(clf)]
        while queue:
            item = queue.pop()
            if id(item) in seen or isinstance(item, type | str | bytes):
                continue
            seen.add(id(item))
            if isinstance(item, np.ndarray):
                arrays.append(item)
            elif isinstance(item, dict):
                queue.extend(item.values())
            elif isinstance(item, list | tuple | set):
                queue.extend(item)
            else:
                queue.append(getattr(item, "__dict__", {}))
        assert not any(array.size >= images[0].size for array in arrays)
        assert len(seen) > 100


class TestGoingOn:
    def test_warm_start_goes_on(self, images, faces):
        clf = tiny(warm_start=True, max_epochs=2).fit(images, faces.target)
        before = clf.history_["train_loss"].tolist()
        clf.fit(images, faces.target)
        assert clf.history_["train_loss"].tolist()[:2] == before
        assert clf.history_["train_loss"].iloc[2] < before[0]
        assert clf.n_iter_ == 4
        assert clf.history_["epoch"].tolist() == [1, 2, 3, 4]

    def test_without_warm_start_everything_is_new(self, images, faces):
        clf = tiny().fit(images, faces.target)
        first = clf.predict_proba(images)
        clf.fit(images, faces.target)
        assert clf.n_iter_ == 1
        np.testing.assert_array_equal(clf.predict_proba(images), first)

    def test_warm_start_refuses_what_does_not_fit(self, images, faces):
        clf = tiny(warm_start=True).fit(images, faces.target)
        with pytest.raises(FERError, match=r"8x8 pixels, but .* fitted on .* 16x16"):
            clf.fit(images[:, :8, :8], faces.target)
        with pytest.raises(FERError, match=r"y is 8, .* not among .*all classes"):
            clf.fit(images, faces.target + 3)
        clf.fit(images[:60], faces.target[:60] % 2)
        assert clf.classes_.tolist() == list(range(7))
        clf.set_params(network="nano")
        with pytest.raises(FERError, match=r"last fit, .*TinyNet.*are now 'nano'"):
            clf.fit(images, faces.target)

    @pytest.mark.parametrize(
        "settings", [{"weight_decay": 0.3}, {"optimizer": "adam", "lr": 1e-3}]
    )
    @pytest.mark.parametrize("pickled", [False, True])
    def test_warm_start_with_other_settings(self, images, faces, settings, pickled):
        clf = tiny(warm_start=True).fit(images, faces.target).set_params(**settings)
        if pickled:
            clf = pickle.loads(pickle.dumps(clf))
        clf.fit(images, faces.target)
        assert clf.n_iter_ == 2
        optimizer = clf.net_.optimizer_
        assert isinstance(optimizer, torch.optim.Adam) == ("optimizer" in settings)
        assert optimizer.param_groups[0]["weight_decay"] == clf.weight_decay

    def test_optimizer_goes_on_with_its_state(self, images, faces):
        """Momentum and all, also in a pickled copy."""
        steady = {"ema_decay": None, "lr": 0.01, "batch_size": 105}
        whole = tiny(**steady)
        whole.partial_fit(images[:105], faces.target[:105], classes=range(7))
        copy = pickle.loads(pickle.dumps(whole.set_params(warm_start=True)))
        momenta = [
            [state["momentum_buffer"] for state in c.net_.optimizer_.state.values()]
            for c in (whole, copy)
        ]
        assert len(momenta[0]) == 4
        torch.testing.assert_close(*momenta)
        forgetful = pickle.loads(pickle.dumps(whole))
        forgetful.net_.optimizer_.state.clear()
        first, second, third = (
            clf.partial_fit(images[105:], faces.target[105:]).predict_proba(images)
            for clf in (whole, copy, forgetful)
        )
        np.testing.assert_array_equal(first, second)
        assert np.abs(first - third).max() > 1e-5

    @pytest.mark.parametrize("method", ["fit", "partial_fit"])
    def test_failed_training_leaves_the_weights(self, images, faces, method):
        clf = tiny(warm_start=True).fit(images, faces.target)
        before = pickle.dumps(clf)
        clf.set_params(lr=1e20, lr_schedule="constant", max_epochs=3)
        with pytest.raises(FERError, match="diverged"):
            for _ in range(3):
                getattr(clf, method)(images, faces.target)
                if method == "partial_fit":
                    before = pickle.dumps(clf)
        expected = pickle.loads(before)
        for name, weights in expected.net_.module_.state_dict().items():
            torch.testing.assert_close(clf.net_.module_.state_dict()[name], weights)
        momentum, kept = (
            next(iter(c.net_.optimizer_.state.values()))["momentum_buffer"]
            for c in (clf, expected)
        )
        torch.testing.assert_close(momentum, kept)

    def test_partial_fit_needs_the_classes_once(self, images, faces):
        clf = tiny()
        with pytest.raises(FERError, match=r"first call .* needs classes="):
            clf.partial_fit(images, faces.target)
        for start in range(0, 210, 70):
            part = slice(start, start + 70)
            clf.partial_fit(images[part], faces.target[part], classes=range(7))
        assert clf.n_iter_ == 3
        with pytest.raises(FERError, match=r"classes=\[0, 1\] differ"):
            clf.partial_fit(images[:2], [0, 1], classes=[0, 1])
        with pytest.raises(FERError, match="Row 1 of y is 7"):
            clf.partial_fit(images[:2], [0, 7])

    def test_partial_fit_learns(self, images, faces):
        clf = tiny(ema_decay=None, lr=0.1)
        for _ in range(15):
            clf.partial_fit(images, faces.target, classes=range(7))
        losses = clf.history_["train_loss"]
        assert losses.iloc[-1] < losses.iloc[0]
        assert (clf.history_["lr"] == 0.1).all()


class TestInterrupt:
    def test_fit_keeps_what_it_has_with_a_warning(self, images, faces):
        clf = tiny(max_epochs=9, callbacks=[InterruptAt(3)])
        with pytest.warns(UserWarning, match="interrupted by user"):
            clf.fit(images, faces.target)
        assert clf.stop_reason_ == "interrupt"
        assert clf.n_iter_ == 2
        assert clf.predict(images[:2]).shape == (2,)

    def test_clones_end_what_trains_them(self, images, faces):
        clf = clone(tiny(max_epochs=9, callbacks=[InterruptAt(3)]))
        with pytest.raises(KeyboardInterrupt):
            clf.fit(images, faces.target)
        assert clf.n_iter_ == 2

    def test_nothing_to_keep_in_the_first_epoch(self, images, faces):
        clf = tiny(callbacks=[InterruptAt(1)])
        with pytest.raises(KeyboardInterrupt):
            clf.fit(images, faces.target)
        with pytest.raises(NotFittedError):
            clf.predict(images)


class TestShowing:
    def test_tags_are_true(self):
        tags = get_tags(FERClassifier())
        assert is_classifier(FERClassifier())
        assert tags.target_tags.required
        assert tags.classifier_tags.multi_class
        assert not tags.classifier_tags.multi_label
        assert not tags.input_tags.string
        assert not tags.input_tags.sparse
        assert not tags.input_tags.allow_nan
        assert tags.input_tags.three_d_array
        assert not tags.non_deterministic

    def test_html_and_text(self, fitted):
        html = fitted._repr_html_()
        assert "FERClassifier" in html
        assert "fitted" in html
        assert "TinyNet" in html
        assert repr(FERClassifier(lr=0.5)) == "FERClassifier(lr=0.5)"

    def test_notebooks_show_the_training_below_the_diagram(self, images, faces):
        clf, y = tiny(max_epochs=3), faces.target
        assert '<svg role="img"' not in clf._repr_mimebundle_()["text/html"]
        clf.fit(images, y, X_val=images[:70], y_val=y[:70])
        bundle = clf._repr_mimebundle_()
        assert bundle["text/plain"] == repr(clf)
        diagram, start, curve = bundle["text/html"].partition('<svg role="img"')
        assert "FERClassifier" in diagram
        last = clf.history_.iloc[-1]
        assert f"training {last['train_accuracy']:.3f}" in curve
        assert f"validation {last['valid_accuracy']:.3f}" in curve
        lines = ElementTree.fromstring(start + curve).findall("polyline")
        assert [len(line.get("points").split()) for line in lines] == [3, 3]

    def test_one_epoch_is_no_curve(self, fitted):
        assert fitted.n_iter_ == 1
        assert '<svg role="img"' not in fitted._repr_mimebundle_()["text/html"]
        with config_context(display="text"):
            assert "text/html" not in fitted._repr_mimebundle_()

    def test_verbose_prints_a_line_an_epoch(self, images, faces, capsys):
        tiny(max_epochs=3, verbose=1).fit(images, faces.target)
        lines = capsys.readouterr().out.strip().splitlines()
        assert len(lines) == 2 + 3
        assert "train_loss" in lines[0]

    def test_silent_by_default(self, images, faces, capfd):
        tiny().fit(images, faces.target)
        assert capfd.readouterr() == ("", "")


class TestSkorchCallbacks:
    @pytest.fixture
    def fit(self, images, faces):
        def fit(*callbacks, **params):
            params = {"max_epochs": 6, "lr": 0.3, **params}
            clf = tiny(callbacks=list(callbacks), ema_decay=0.5, **params)
            return clf.fit(
                images[::2],
                faces.target[::2],
                X_val=images[1::2],
                y_val=faces.target[1::2],
            )

        return fit

    def validation_loss(self, clf, images, faces):
        logits = clf.net_.forward(images[1::2].copy())
        targets = torch.from_numpy(np.asarray(faces.target[1::2]))
        return nn.functional.cross_entropy(logits, targets).item()

    def test_early_stopping_restores_the_best_weights(self, fit, images, faces):
        # Each epoch undoes what was learnt, so that the first remains the best.
        stop = EarlyStopping(patience=3, load_best=True)
        clf = fit(SpoilFrom(2), stop, max_epochs=9)
        losses = clf.history_["valid_loss"]
        assert stop.best_epoch_ == losses.idxmin() + 1 < clf.n_iter_
        assert self.validation_loss(clf, images, faces) == pytest.approx(
            losses.min(), rel=1e-4
        )

    def test_checkpoint_restores_the_best_weights(self, fit, images, faces, tmp_path):
        checkpoint = SkorchCheckpoint(dirname=tmp_path, load_best=True)
        clf = fit(SpoilFrom(3), checkpoint)
        best = clf.history_["valid_loss"].min()
        assert self.validation_loss(clf, images, faces) == pytest.approx(best, rel=1e-4)

    def test_a_file_of_weights_holds_the_average(self, fit, images, tmp_path):
        at_end = TrainEndCheckpoint(dirname=tmp_path, f_params="weights.pt")
        clf = fit(at_end)
        weights = torch.load(tmp_path / "train_end_weights.pt", weights_only=True)
        for name, value in clf.net_.module_.state_dict().items():
            assert torch.equal(weights[name], value)

    @pytest.mark.parametrize("step_every", ["batch", "epoch"])
    def test_scheduler_sets_the_learning_rate(self, fit, step_every):
        scheduler = LRScheduler("StepLR", step_size=1, gamma=0.5, step_every=step_every)
        used = []

        class Used(Callback):
            def on_batch_begin(self, net, training=False, **kwargs):
                if training:
                    used.append(net.optimizer_.param_groups[0]["lr"])

        clf = fit(scheduler, Used(), lr_schedule="constant", batch_size=53)
        n_batches = 2
        steps = np.arange(6 * n_batches)
        if step_every == "epoch":
            steps = steps // n_batches
        np.testing.assert_allclose(used, 0.3 * 0.5**steps)
        np.testing.assert_allclose(clf.history_["lr"], used[n_batches - 1 :: n_batches])

    @pytest.mark.parametrize(
        ("callback", "params", "match"),
        [
            (LRScheduler("StepLR", step_size=1), {}, "Set lr_schedule='constant'"),
            (
                LRScheduler("StepLR", step_size=1),
                {"lr_schedule": "constant", "checkpoint": "a.ckpt"},
                "cannot be resumed",
            ),
            (InputShapeSetter(), {}, "parameter image_shape"),
        ],
    )
    def test_refused_with_the_reason(self, fit, callback, params, match):
        with pytest.raises(FERError, match=match):
            fit(("mine", callback), **params)

    def test_scores_remain_after_the_training(self, fit):
        scoring = EpochScoring("accuracy", lower_is_better=False, name="mine")
        clf = fit(("best", scoring), ("schedule", Callback()))
        recorded = [row["mine"] for row in clf.net_.history]
        assert scoring.best_score_ == max(recorded)
        np.testing.assert_allclose(recorded, clf.history_["valid_accuracy"], atol=1e-6)

    def test_ctrl_c_within_a_callback_of_skorch_interrupts(self, fit):
        """As a signal that comes while code of skorch is running."""
        namespace = {"__name__": "skorch.callbacks.scoring", "Callback": Callback}
        source = """
        from signal import SIGINT, raise_signal
        class Interrupted(Callback):
            def on_epoch_end(self, net, **kwargs):
                raise_signal(SIGINT)
        """
        exec(textwrap.dedent(source), namespace)
        with pytest.warns(UserWarning, match="interrupted by user"):
            clf = fit(namespace["Interrupted"]())
        assert clf.stop_reason_ == "interrupt"


class SpoilFrom(Callback):
    """Undo the training from an epoch on."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_batch_end(self, net, training=False, **kwargs):
        if training and len(net.history) >= self.epoch:
            with torch.no_grad():
                for weights in net.module_.parameters():
                    weights.mul_(1.5)


class TestNet:
    """What the documentation of skorch shows, on `net_`."""

    @pytest.fixture(params=["fitted", "unpickled"])
    def clf(self, request, images, faces):
        clf = tiny(ema_decay=0.9, temperature=1.0).fit(images, faces.target)
        return clf if request.param == "fitted" else pickle.loads(pickle.dumps(clf))

    def test_predicts_from_arrays(self, clf, images, faces):
        net, images = clf.net_, images.copy()
        expected = clf.predict_proba(images)
        np.testing.assert_allclose(net.predict_proba(images), expected, atol=1e-5)
        np.testing.assert_array_equal(net.predict(images), expected.argmax(axis=1))
        logits = net.forward(images)
        np.testing.assert_allclose(logits.softmax(1).numpy(), expected, atol=1e-5)
        assert net.score(images, faces.target) == clf.score(images, faces.target)
        batch = (torch.from_numpy(images[:3].copy()), None)
        torch.testing.assert_close(net.evaluation_step(batch), logits[:3])

    def test_trains_on_arrays(self, clf, images, faces):
        net, images = clf.net_, images.copy()
        n_before = len(net.history)
        before = clf.predict_proba(images)
        net.partial_fit(images, np.asarray(faces.target))
        assert len(net.history) == n_before + net.max_epochs
        assert np.abs(clf.predict_proba(images) - before).max() > 1e-3

    def test_skorch_doctor(self, clf, images, faces):
        doctor = SkorchDoctor(clf.net_)
        doctor.fit(images.copy(), np.asarray(faces.target))
        assert {"module"} <= set(doctor.activation_recs_)

    def test_calling_the_module_changes_nothing(self, images, faces):
        clf = FERClassifier("nano", max_epochs=1, random_state=0)
        clf.fit(images, faces.target)
        for fitted in (clf, pickle.loads(pickle.dumps(clf))):
            module = fitted.net_.module_
            assert not module.training
            before = deepcopy(module.state_dict())
            module(torch.from_numpy(images[:64].copy()))
            for name, value in module.state_dict().items():
                assert torch.equal(value, before[name]), name

    def test_predictions_follow_the_weights(self, images, faces, tmp_path):
        one, other = (tiny(random_state=s).fit(images, faces.target) for s in (0, 1))
        other.net_.save_params(f_params=tmp_path / "weights.pt")
        one.net_.load_params(f_params=tmp_path / "weights.pt")
        np.testing.assert_allclose(
            one.predict_proba(images), other.predict_proba(images), atol=1e-6
        )


class TestSeveralThreads:
    def test_trainings_on_threads_are_as_alone(self, images, faces):
        alone = [tiny(random_state=s).fit(images, faces.target) for s in range(3)]
        together = [tiny(random_state=s) for s in range(3)]
        threads = [
            threading.Thread(target=clf.fit, args=(images, faces.target))
            for clf in together
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for one, other in zip(alone, together, strict=True):
            np.testing.assert_array_equal(
                one.predict_proba(images), other.predict_proba(images)
            )


@pytest.mark.skipif(
    find_spec("sklearn.callback") is None,
    reason="scikit-learn has callbacks from 1.9 on",
)
class TestScikitLearnCallbacks:
    def test_each_epoch_is_scored(self, images, faces):
        from sklearn.callback import ScoringMonitor

        monitor = ScoringMonitor(scoring="accuracy")
        clf = tiny(max_epochs=3).set_callbacks(monitor)
        plain = tiny(max_epochs=3).fit(images, faces.target)
        clf.fit(images, faces.target)
        log = monitor.get_logs().data_as_pandas
        assert len(log) >= 3
        assert clf.score(images, faces.target) in log["accuracy"].tolist()
        np.testing.assert_array_equal(
            clf.predict_proba(images), plain.predict_proba(images)
        )

    def test_a_callback_can_stop_the_training(self, images, faces):
        class StopAfterTwo:
            calls = 0

            def setup(self, estimator, context):
                pass

            def teardown(self, estimator, context):
                StopAfterTwo.calls += 100

            def on_fit_task_begin(self, estimator, context):
                pass

            def on_fit_task_end(self, estimator, context):
                StopAfterTwo.calls += 1
                return StopAfterTwo.calls == 2

        clf = tiny(max_epochs=9).set_callbacks(StopAfterTwo())
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            clf.fit(images, faces.target)
        assert clf.stop_reason_ == "callback"
        assert clf.n_iter_ == 2
        assert StopAfterTwo.calls == 103
