"""The same seed gives the same model, and nobody else's generators are touched."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from tiny_network import TinyNet
from torch import nn

from fer_sklearn import FERClassifier, make_fer_pipeline


class WithDropout(nn.Sequential):
    """Draws numbers in training as well as for its weights."""

    def __init__(self, n_classes):
        super().__init__(
            TinyNet(64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, n_classes)
        )


def make(**params):
    defaults = {"max_epochs": 2, "batch_size": 64, "random_state": 0, "lr": 0.05}
    defaults |= {"network": WithDropout, "image_shape": (16, 16), "mixup_alpha": 0.2}
    return make_fer_pipeline(**{**defaults, **params})


def weights(pipe):
    state = pipe["cnn"].net_.module_.state_dict()
    return {name: tensor.numpy() for name, tensor in state.items()}


def assert_same(one, other):
    one, other = weights(one), weights(other)
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def seed_generators(seed):
    np.random.seed(seed)  # noqa: NPY002, scikit-learn's users have it still
    torch.manual_seed(seed)


def state_of_generators():
    _, numbers, *position = np.random.get_state()  # noqa: NPY002
    return torch.get_rng_state().tolist(), numbers.tolist(), position


@pytest.fixture(scope="module")
def fitted(faces):
    return make().fit(faces.data, faces.target)


def test_a_fit_on_the_cpu_leaves_the_generators_of_gpus_alone(faces, monkeypatch):
    seeded = []
    monkeypatch.setattr("torch.cuda.manual_seed_all", seeded.append)
    monkeypatch.setattr("torch.cuda.manual_seed", seeded.append)
    make(device="cpu").fit(faces.data, faces.target)
    assert seeded == []


class TestSameSeed:
    def test_twice(self, fitted, faces):
        assert_same(fitted, make().fit(faces.data, faces.target))
        assert_same(fitted, clone(fitted).fit(faces.data, faces.target))
        assert_same(fitted, copy.deepcopy(fitted).fit(faces.data, faces.target))

    def test_whatever_the_global_generators(self, fitted, faces):
        seed_generators(5)
        assert_same(fitted, make().fit(faces.data, faces.target))

    def test_with_early_stopping(self, faces):
        one, other = (
            make(early_stopping=True).fit(faces.data, faces.target) for _ in range(2)
        )
        assert_same(one, other)
        assert one["cnn"].temperature_ == other["cnn"].temperature_

    def test_with_loader_workers(self, fitted, faces):
        with warnings.catch_warnings():
            # Python 3.12 warns of forking a process that has threads, as PyTorch's
            # loader does. Remove when PyTorch starts workers in another way.
            warnings.simplefilter("ignore", DeprecationWarning)
            # On a machine of one core two workers are too many, says PyTorch.
            warnings.filterwarnings("ignore", "This DataLoader will create")
            helped = make(num_workers=2).fit(faces.data, faces.target)
        assert_same(fitted, helped)

    def test_with_threads_of_the_augmenter(self, fitted, faces):
        pipe = make(augment={"n_jobs": 2}).fit(faces.data, faces.target)
        assert_same(fitted, pipe)

    def test_generator_object_draws_on(self, faces):
        """As in scikit-learn, a RandomState gives another model at each fit."""
        one, other = (np.random.RandomState(3) for _ in range(2))
        pipe = make(random_state=one).fit(faces.data, faces.target)
        assert_same(pipe, make(random_state=other).fit(faces.data, faces.target))
        first = weights(pipe)["network.3.weight"].copy()
        pipe.fit(faces.data, faces.target)
        assert not np.array_equal(first, weights(pipe)["network.3.weight"])

    def test_other_seeds_differ(self, fitted, faces):
        other = make(random_state=1).fit(faces.data, faces.target)
        name = "network.3.weight"
        assert not np.array_equal(weights(fitted)[name], weights(other)[name])

    def test_no_seed_differs(self, faces):
        pipes = [make(random_state=None).fit(faces.data, faces.target) for _ in "ab"]
        one, other = (weights(pipe)["network.3.weight"] for pipe in pipes)
        assert not np.array_equal(one, other)

    def test_inside_a_search(self, faces):
        search = GridSearchCV(
            make(),
            {"cnn__lr": [0.01, 0.05]},
            cv=StratifiedKFold(2, shuffle=True, random_state=0),
            error_score="raise",
        ).fit(faces.data, faces.target)
        again = clone(search).fit(faces.data, faces.target)
        for name in ("split0_test_score", "split1_test_score"):
            np.testing.assert_array_equal(
                search.cv_results_[name], again.cv_results_[name]
            )
        by_hand = make(lr=search.best_params_["cnn__lr"])
        assert_same(search.best_estimator_, by_hand.fit(faces.data, faces.target))
        assert_same(again.best_estimator_, by_hand)


class TestGlobalGenerators:
    @pytest.fixture(autouse=True)
    def untouched(self):
        """Compare the states of both generators before and after the test."""
        seed_generators(17)
        before = state_of_generators()
        yield
        assert state_of_generators() == before

    def test_fit(self, faces):
        make(early_stopping=True).fit(faces.data, faces.target)

    def test_fit_that_fails(self, faces):
        with pytest.raises(ValueError, match="diverged"):
            make(lr=1e25, lr_schedule="constant").fit(faces.data, faces.target)

    def test_partial_fit(self, images, faces):
        clf = FERClassifier(WithDropout, random_state=0)
        clf.partial_fit(images, faces.target, classes=range(7))
        clf.partial_fit(images, faces.target)

    def test_predict(self, fitted, faces):
        fitted.predict(faces.data)

    def test_unpickle(self, fitted):
        pickle.loads(pickle.dumps(fitted))

    def test_deepcopy(self, fitted):
        copy.deepcopy(fitted)

    def test_clone(self, fitted):
        clone(fitted)
