"""The parts of a training, each against a plain way to do the same."""

import itertools
import math
import pickle
import signal
import subprocess
import sys
import textwrap
import warnings
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback, EarlyStopping
from skorch.history import History
from tiny_network import TinyNet
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from fer_sklearn import (
    FERClassifier,
    PixelStringTransformer,
    RandomAffineAugmenter,
    make_faces,
)
from fer_sklearn._training.callbacks import CURVES, Schedule
from fer_sklearn._training.data import FaceDataset
from fer_sklearn._training.module import make_normalizer
from fer_sklearn._training.net import resolve_device
from fer_sklearn._training.prediction import (
    compute_logits,
    fit_temperature,
    fold_batch_norm,
)
from fer_sklearn.exceptions import FERError, ModelFileError
from fer_sklearn.networks import GreyLevelNormalizer, make_network

try:
    import resource
except ImportError:  # Windows
    resource = None


def tiny(**params):
    defaults = {"max_epochs": 2, "batch_size": 64, "random_state": 0, "lr": 0.05}
    return FERClassifier(**{"network": TinyNet, **defaults, **params})


class KillAt(Callback):
    """Break a training off at the start of an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == self.epoch:
            raise RuntimeError("killed")


class Record(Callback):
    """Keep what each batch saw."""

    def __init__(self):
        self.faces, self.lr, self.dtypes = [], [], set()

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if training:
            self.faces.append(batch[0])
            self.dtypes.add(batch[0].dtype)

    def on_batch_end(self, net, training=False, **kwargs):
        if training:
            self.lr.append(net.optimizer_.param_groups[0]["lr"])


class TestBatches:
    def test_one_gather_a_batch(self, images, faces):
        dataset = FaceDataset(images, faces.target, image_shape=(16, 16))
        batch, targets = dataset.__getitems__([3, 1, 4])
        assert batch.dtype == torch.uint8
        np.testing.assert_array_equal(batch, images[[3, 1, 4]])
        np.testing.assert_array_equal(targets, faces.target[[3, 1, 4]])
        np.testing.assert_array_equal(dataset[2][0], images[2])

    def test_weights_travel_beside_the_faces(self, images, faces):
        weights = np.arange(210, dtype=np.float32)
        dataset = FaceDataset(images, faces.target, weights, image_shape=(16, 16))
        inputs, _ = dataset.__getitems__([3, 1])
        assert inputs["sample_weight"].tolist() == [3, 1]
        dataset.weigh({target: 2.0 for target in range(7)})
        assert dataset.weights.mean() == pytest.approx(1)
        three, one = dataset.__getitems__([3, 1])[0]["sample_weight"]
        assert three == 3 * one

    def test_fingerprint_tells_data_apart(self, images, faces):
        def fingerprint(images, targets, soft=None):
            dataset = FaceDataset(images, targets, None, soft, image_shape=(16, 16))
            return dataset.fingerprint()

        other = images.copy()
        other[5, 5, 5] ^= 1
        same = fingerprint(images, faces.target)
        assert fingerprint(images.copy(), faces.target) == same
        assert fingerprint(other, faces.target) != same
        assert fingerprint(images, faces.target[::-1]) != same
        assert fingerprint(images, faces.target, np.ones((210, 7))) != same

    def test_faces_stay_uint8_until_the_network(self, images, faces):
        record = Record()
        tiny(callbacks=[record]).fit(images, faces.target)
        assert record.dtypes == {torch.uint8}


class NoteClean(Callback):
    """Keep which epochs were clean."""

    def __init__(self):
        self.clean = []

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        self.clean.append(dataset_train.clean)


class TestSchedule:
    @pytest.mark.parametrize("curve", ["cosine", "one-cycle"])
    def test_curves_rise_to_one_and_fall_to_zero(self, curve):
        values = [CURVES[curve](p) for p in np.linspace(0, 1, 2001)]
        peak = int(np.argmax(values))
        assert values[peak] == pytest.approx(1, abs=1e-3)
        assert values[-1] == pytest.approx(0, abs=1e-6)
        assert all(np.diff(values[: peak + 1]) >= 0)
        assert all(np.diff(values[peak:]) <= 0)

    def test_learning_rate_follows_the_curve(self, images, faces):
        record = Record()
        tiny(callbacks=[record], max_epochs=5).fit(images, faces.target)
        steps = np.arange(20) / 20
        expected = [0.05 * CURVES["cosine"](p) for p in steps]
        np.testing.assert_allclose(record.lr, expected)

    def test_plateau_halves_the_rate(self, images, faces):
        constant = np.full(210, 3)
        constant[0] = 4
        clf = tiny(
            lr_schedule="plateau", n_iter_no_change=3, max_epochs=12, label_smoothing=0
        )
        # Nothing to learn in validation: its accuracy stays what it is.
        clf.fit(images, constant, X_val=images[:50], y_val=constant[:50])
        rates = clf.history_["lr"].to_numpy()
        assert rates[0] == 0.05
        assert rates[-1] <= 0.0125

    def test_plateau_looks_at_the_training_loss_without_validation_data(self):
        schedule = Schedule("plateau", lr=1.0, max_epochs=40, plateau_patience=2)
        parameter = nn.Parameter(torch.zeros(1))
        net = SimpleNamespace(
            optimizer_=torch.optim.SGD([parameter], lr=1.0), history=History()
        )
        schedule.on_train_begin(net)
        schedule.epoch_started_, schedule.used_lr_ = 0.0, 1.0
        rates = []
        for epoch in range(6):  # ever a little worse
            net.history.new_epoch()
            net.history.record("epoch", epoch)
            net.history.record("train_loss", 1 + epoch / 1000)
            schedule.on_epoch_end(net)
            rates.append(net.optimizer_.param_groups[0]["lr"])
        # As in Keras: halved by the second epoch without a better one, not the third.
        assert rates == [1, 1, 0.5, 0.5, 0.25, 0.25]

    def test_time_ends_the_training(self, images, faces, monkeypatch):
        # A clock that goes on a second whenever it is looked at.
        clock = SimpleNamespace(monotonic=itertools.count().__next__)
        monkeypatch.setattr("fer_sklearn._training.callbacks.time", clock)
        clf = tiny(max_time=100, max_epochs=1).fit(images, faces.target)
        assert clf.stop_reason_ == "max_time"
        assert 5 < clf.n_iter_ < 25  # four batches an epoch, and a few looks more
        assert clf.history_["lr"].iloc[-1] < 0.01
        assert clock.monotonic() < 130

    def test_a_time_shorter_than_an_epoch_still_trains(self, images, faces):
        clf = tiny(max_time=1e-6)
        with pytest.warns(ConvergenceWarning, match="after 1 of 4 batches"):
            clf.fit(images, faces.target, X_val=images, y_val=faces.target)
        assert clf.stop_reason_ == "max_time"
        assert clf.n_iter_ == 1
        kept = clf.score(images, faces.target)
        assert clf.history_["valid_accuracy"].tolist() == [pytest.approx(kept)]
        assert clf.predict(images[:2]).shape == (2,)

    @pytest.mark.filterwarnings("ignore:max_time ended")
    @pytest.mark.parametrize("max_time", range(20, 32))
    def test_history_ends_with_the_weights_that_are_kept(
        self, images, faces, monkeypatch, max_time
    ):
        """An epoch that the time cuts short is validated and recorded."""
        clock = SimpleNamespace(monotonic=itertools.count().__next__)
        monkeypatch.setattr("fer_sklearn._training.callbacks.time", clock)
        clf = tiny(max_time=max_time, batch_size=8)
        val = {"X_val": images[:70], "y_val": faces.target[:70]}
        clf.fit(images, faces.target, **val)
        last = clf.history_.iloc[-1]
        assert last["valid_accuracy"] == pytest.approx(clf.score(*val.values()))
        assert last["train_loss"] > 0

    def test_progress_is_shared_by_resumed_parts(self):
        schedule = Schedule("cosine", lr=1.0, max_epochs=1, max_time=100)
        schedule.started_, schedule.elapsed_ = math.inf, 0
        net = SimpleNamespace(
            optimizer_=torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0),
            history=[],
        )
        schedule.on_train_begin(net)
        state = schedule.state_dict()
        schedule.load_state_dict({**state, "elapsed": 60.0})
        assert schedule.elapsed() == pytest.approx(60, abs=1)

    @pytest.mark.parametrize(
        ("max_epochs", "fraction", "n_clean"),
        [
            (10, 0.05, 1),
            (2, 0.3, 1),
            (10, 0.21, 3),
            (20, 0.1, 2),
            (4, 0.0, 0),
            (1, 0.1, 0),
        ],
    )
    def test_clean_epochs_are_a_share_rounded_up(
        self, images, faces, max_epochs, fraction, n_clean
    ):
        noted = NoteClean()
        clf = tiny(clean_fraction=fraction, max_epochs=max_epochs, callbacks=[noted])
        clf.fit(images, faces.target)
        expected = [False] * (max_epochs - n_clean) + [True] * n_clean
        assert noted.clean == expected

    def test_the_last_epoch_within_a_time_is_clean(self, images, faces, monkeypatch):
        clock = SimpleNamespace(monotonic=itertools.count().__next__)
        monkeypatch.setattr("fer_sklearn._training.callbacks.time", clock)
        noted = NoteClean()
        clf = tiny(max_time=100, clean_fraction=1e-6, callbacks=[noted])
        clf.fit(images, faces.target)
        assert len(noted.clean) > 3
        assert noted.clean[-1]
        assert not any(noted.clean[:-2])

    @pytest.mark.parametrize(
        ("params", "peak"),
        [
            ({}, 0.1),
            ({"optimizer": "adam"}, 0.001),
            ({"optimizer": "adamw"}, 0.001),
            ({"optimizer": "adam", "lr": 0.02}, 0.02),
        ],
    )
    def test_auto_rate_follows_the_optimizer(self, images, faces, params, peak):
        params = {"lr": "auto", "lr_schedule": "constant", **params}
        clf = tiny(**params).fit(images, faces.target)
        assert clf.history_["lr"].tolist() == [peak, peak]

    def test_auto_rate_is_a_tenth_from_a_pretrained_model(self, tmp_path):
        X, y = make_faces(14, random_state=0, return_X_y=True)
        X = PixelStringTransformer().fit_transform(X)
        clf = FERClassifier(
            "nano", pretrained="nano", max_epochs=1, lr_schedule="constant"
        )
        assert clf.fit(X, y).history_["lr"].tolist() == [pytest.approx(0.01)]

    def test_divergence_is_told(self, images, faces):
        clf = tiny(lr=1e20, lr_schedule="constant", max_epochs=3)
        with pytest.raises(FERError, match=r"Training diverged.*Lower the learning"):
            clf.fit(images, faces.target)


class TestAveraging:
    def test_average_is_what_remains(self, images, faces):
        class Follow(Callback):
            """The same average, computed naively."""

            def on_train_begin(self, net, **kwargs):
                self.average, self.n = None, 0
                self.previous = {
                    k: v.clone().double() for k, v in net.module_.state_dict().items()
                }

            def on_batch_end(self, net, training=False, **kwargs):
                if not training:
                    return
                self.n += 1
                decay = min(0.9, (1 + self.n) / (10 + self.n))
                for name, value in net.module_.state_dict().items():
                    old = self.previous[name]
                    self.previous[name] = decay * old + (1 - decay) * value.double()

        follow = Follow()
        clf = tiny(ema_decay=0.9, callbacks=[follow], max_epochs=4)
        clf.fit(images, faces.target)
        for name, value in clf.net_.module_.state_dict().items():
            torch.testing.assert_close(value.double(), follow.previous[name])

    def test_without_average_the_last_step_remains(self, images, faces):
        last = tiny(ema_decay=None).fit(images, faces.target)
        average = tiny(ema_decay=0.9).fit(images, faces.target)
        weights = [c.net_.module_.network[0].weight for c in (last, average)]
        assert not torch.equal(*weights)


class TestEarlyStopping:
    def test_stops_and_restores_the_best(self, images, faces):
        clf = tiny(
            early_stopping=True, n_iter_no_change=3, max_epochs=200, ema_decay=None
        )
        clf.fit(images, faces.target, X_val=images[:70], y_val=faces.target[:70])
        scores = clf.history_["valid_accuracy"]
        assert clf.stop_reason_ == "early_stopping"
        assert clf.n_iter_ == scores.idxmax() + 1 + 3
        best = clf.score(images[:70], faces.target[:70])
        assert best == pytest.approx(scores.max())

    def test_own_split_is_stratified_and_never_augmented(self, images, faces):
        class Validation(Callback):
            seen = ()

            def on_epoch_begin(self, net, dataset_valid=None, **kwargs):
                Validation.seen = dataset_valid

        view = RandomAffineAugmenter(random_state=0).fit_transform(images)
        clf = tiny(early_stopping=True, callbacks=[Validation()])
        clf.fit(view, faces.target)
        assert np.bincount(Validation.seen.targets).tolist() == [3] * 7
        originals = {face.tobytes() for face in images}
        assert all(face.tobytes() in originals for face in Validation.seen.faces)

    def test_callbacks_of_skorch_may_end_a_training(self, images, faces):
        stop = EarlyStopping(monitor="train_loss", patience=1, threshold=10)
        clf = tiny(max_epochs=9, callbacks=[stop]).fit(images, faces.target)
        assert clf.stop_reason_ == "callback"
        assert clf.n_iter_ < 9
        search = GridSearchCV(clf, {"lr": [0.05, 0.01]}, cv=2, error_score="raise")
        assert len(search.fit(images, faces.target).cv_results_["params"]) == 2

    def test_the_epoch_that_the_time_ends_is_seen(self, images, faces, monkeypatch):
        """The time ends the training in an epoch with the best weights so far."""
        clock = SimpleNamespace(monotonic=itertools.count().__next__)
        monkeypatch.setattr("fer_sklearn._training.callbacks.time", clock)
        best = []

        class Best(Callback):
            def on_epoch_end(self, net, **kwargs):
                best.append(dict(net.callbacks_)["fer_best"].best_epoch_)

        clf = tiny(max_time=40, early_stopping=True, callbacks=[Best()])
        val = {"X_val": images[:70], "y_val": faces.target[:70]}
        clf.fit(images, faces.target, **val)
        assert clf.stop_reason_ == "max_time"
        assert len(best) == clf.n_iter_
        assert best[-1] == clf.history_["valid_accuracy"].idxmax() + 1
        kept = clf.score(images[:70], faces.target[:70])
        assert kept == pytest.approx(clf.history_["valid_accuracy"].max())

    def test_later_callbacks_see_the_epoch_that_ends_it(self, images, faces):
        seen = []

        class Later(Callback):
            def on_epoch_end(self, net, **kwargs):
                seen.append(net.history[-1, "epoch"])

        stop = EarlyStopping(monitor="train_loss", patience=1, threshold=10)
        clf = tiny(max_epochs=9, callbacks=[stop, Later()]).fit(images, faces.target)
        assert clf.stop_reason_ == "callback"
        assert seen == clf.history_["epoch"].tolist()

    def test_no_split_unless_asked_for(self, images, faces):
        clf = tiny().fit(images, faces.target)
        assert clf.history_["valid_accuracy"].isna().all()


class TestAugmentation:
    def test_epochs_see_different_pictures(self, images, faces):
        record = Record()
        view = RandomAffineAugmenter(random_state=0).fit_transform(images)
        tiny(callbacks=[record], batch_size=210).fit(view, faces.target)
        first, second = (
            {face.numpy().tobytes() for face in batch} for batch in record.faces
        )
        assert len(first | second) > 400

    def test_workers_change_nothing(self, images, faces):
        view = RandomAffineAugmenter(random_state=0).fit_transform(images)
        alone = tiny().fit(view, faces.target)
        with warnings.catch_warnings():
            # Python 3.12 warns of forking a process that has threads, as PyTorch's
            # loader does. Remove when PyTorch starts workers in another way.
            warnings.simplefilter("ignore", DeprecationWarning)
            # On a machine of one core two workers are too many, says PyTorch.
            warnings.filterwarnings("ignore", "This DataLoader will create")
            helped = tiny(num_workers=2).fit(view, faces.target)
        np.testing.assert_array_equal(
            alone.predict_proba(images), helped.predict_proba(images)
        )


class TestRecipe:
    def test_small_pictures_come_first(self, images, faces):
        sizes = []

        class Watch(nn.Module):
            def __init__(self, n_classes):
                super().__init__()
                self.inner = TinyNet(n_classes)

            def forward(self, x):
                if self.training:
                    sizes.append(x.shape[-1])
                return self.inner(x)

        clf = tiny(max_epochs=4, progressive_resizing=(8, 0.5))
        clf.set_params(network=Watch).fit(images, faces.target)
        assert sizes == [8] * 8 + [16] * 8

    @pytest.mark.parametrize(
        ("shape", "size", "seen"),
        [((16, 8), 8, (8, 4)), ((16, 16), 32, (16, 16)), ((8, 16), 16, (8, 16))],
    )
    def test_small_pictures_keep_their_proportions(
        self, images, faces, shape, size, seen
    ):
        shapes = set()

        class Watch(TinyNet):
            def forward(self, x):
                shapes.add(tuple(x.shape[2:]))
                return super().forward(x)

        clf = tiny(max_epochs=1, progressive_resizing=(size, 1.0), network=Watch)
        clf.fit(images[:, : shape[0], : shape[1]], faces.target)
        assert shapes - {shape} == {seen} - {shape}
        assert seen in shapes

    def test_default_dtype_of_torch_does_not_matter(self, images, faces):
        expected = tiny().fit(images, faces.target).predict_proba(images)
        torch.set_default_dtype(torch.float64)
        try:
            clf = tiny().fit(images, faces.target)
            found = pickle.loads(pickle.dumps(clf)).predict_proba(images)
        finally:
            torch.set_default_dtype(torch.float32)
        np.testing.assert_array_equal(found, expected)

    @pytest.mark.parametrize("max_epochs, n_clean", [(10, 1), (20, 2), (3, 1)])
    def test_the_end_is_clean(self, images, faces, max_epochs, n_clean):
        record = Record()
        view = RandomAffineAugmenter(random_state=0).fit_transform(images)
        clf = tiny(max_epochs=max_epochs, clean_fraction=0.1, batch_size=210)
        clf.set_params(callbacks=[record]).fit(view, faces.target)
        whole = {face.tobytes() for face in (*images, *images[..., ::-1])}
        clean = [
            {face.numpy().tobytes() for face in batch} <= whole
            for batch in record.faces
        ]
        assert clean == [False] * (max_epochs - n_clean) + [True] * n_clean

    def test_a_clean_end_blends_nothing(self, images, faces):
        last = [
            tiny(mixup_alpha=5.0, max_epochs=4, clean_fraction=fraction)
            .fit(images, faces.target)
            .history_["train_loss"]
            .to_numpy()
            for fraction in (0.0, 0.25)
        ]
        np.testing.assert_array_equal(last[0][:3], last[1][:3])
        assert last[1][3] < last[0][3]

    def test_a_single_epoch_sees_whole_pictures(self, images, faces):
        shapes = set()
        clf = tiny(progressive_resizing=(8, 0.5))
        for _ in range(2):
            clf.partial_fit(images, faces.target, classes=range(7))
            layer = clf.net_.module_.network
            layer.register_forward_pre_hook(lambda _, x: shapes.add(x[0].shape[2:]))
        assert shapes == {(16, 16)}

    def test_mixup_blends_faces_and_losses(self, images, faces):
        plain = tiny().fit(images, faces.target)
        mixed = tiny(mixup_alpha=5.0).fit(images, faces.target)
        assert (
            mixed.history_["train_loss"].iloc[-1]
            > plain.history_["train_loss"].iloc[-1]
        )

    def test_mixup_weighs_each_label_by_its_own_face(self):
        """The loss of a blend is the blend of two weighted losses."""

        class Net(nn.Sequential):
            def __init__(self, n_classes):
                super().__init__(nn.Flatten(), nn.Linear(64, n_classes))

        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, size=(8, 8, 8), dtype=np.uint8)
        y, weights = np.arange(8) % 2, rng.uniform(0.1, 5, size=8)
        clf = FERClassifier(
            Net, mixup_alpha=1.0, label_smoothing=0, max_epochs=1, random_state=0
        ).fit(images, y, sample_weight=weights)
        net = clf.net_
        batch = FaceDataset(
            images, y, weights.astype(np.float32), image_shape=(8, 8)
        ).__getitems__(range(8))
        torch.manual_seed(3)
        step = net.train_step_single(batch)
        torch.manual_seed(3)
        share = torch.distributions.Beta(1.0, 1.0).sample().item()
        partner = torch.randperm(8).numpy()
        losses = -torch.log_softmax(step["y_pred"].detach(), dim=1).numpy()
        own = weights * losses[np.arange(8), y]
        others = weights[partner] * losses[np.arange(8), y[partner]]
        expected = (share * own + (1 - share) * others).mean()
        assert step["loss"].item() == pytest.approx(expected, rel=1e-5)

    def test_bfloat16_is_close_to_float32(self, images, faces):
        full = tiny(max_epochs=4).fit(images, faces.target)
        half = tiny(max_epochs=4, precision="bfloat16").fit(images, faces.target)
        difference = full.predict_proba(images) - half.predict_proba(images)
        assert 0 < np.abs(difference).max() < 0.05

    def test_weight_decay_spares_biases(self, images, faces):
        clf = tiny(weight_decay=0.3).fit(images, faces.target)
        groups = clf.net_.optimizer_.param_groups
        assert [group["weight_decay"] for group in groups] == [0.3, 0.0]
        assert all(p.ndim > 1 for p in groups[0]["params"])
        assert all(p.ndim == 1 for p in groups[1]["params"])


class TestCheckpoint:
    def test_of_an_ended_training_ends_at_once(self, images, faces, tmp_path):
        params = {
            "early_stopping": True,
            "n_iter_no_change": 2,
            "max_epochs": 200,
            "checkpoint": tmp_path / "training.ckpt",
        }
        first = tiny(**params).fit(images, faces.target)
        again = tiny(**params).fit(images, faces.target)
        assert again.stop_reason_ == first.stop_reason_ == "early_stopping"
        assert again.n_iter_ == first.n_iter_
        np.testing.assert_array_equal(
            again.predict_proba(images), first.predict_proba(images)
        )

    settings = {
        "max_epochs": 4,
        "mixup_alpha": 0.2,
        "progressive_resizing": (8, 0.5),
        "early_stopping": True,
    }

    @pytest.mark.parametrize(
        "more", [{}, {"lr_schedule": "plateau", "optimizer": "adamw", "lr": 1e-3}]
    )
    def test_killed_training_goes_on_to_the_same_end(
        self, images, faces, tmp_path, more
    ):
        settings = {**self.settings, **more}
        view = RandomAffineAugmenter(random_state=0).fit_transform(images)
        unbroken = tiny(**settings).fit(view, faces.target)
        broken = tiny(**settings, checkpoint=tmp_path / "c.pt", callbacks=[KillAt(3)])
        with pytest.raises(RuntimeError, match="killed"):
            broken.fit(view, faces.target)
        resumed = broken.set_params(callbacks=None).fit(view, faces.target)
        np.testing.assert_array_equal(
            unbroken.predict_proba(images), resumed.predict_proba(images)
        )
        assert resumed.history_.drop(columns="duration").equals(
            unbroken.history_.drop(columns="duration")
        )

    def test_finished_training_is_read_back(self, images, faces, tmp_path):
        clf = tiny(checkpoint=tmp_path / "c.pt").fit(images, faces.target)
        record = Record()
        again = tiny(checkpoint=tmp_path / "c.pt", callbacks=[record])
        again.fit(images, faces.target)
        assert not record.faces
        np.testing.assert_array_equal(
            clf.predict_proba(images), again.predict_proba(images)
        )

    def test_other_settings_are_refused_by_name(self, images, faces, tmp_path):
        tiny(checkpoint=tmp_path / "c.pt").fit(images, faces.target)
        other = tiny(checkpoint=tmp_path / "c.pt", lr=0.01, label_smoothing=0.2)
        with pytest.raises(
            ModelFileError, match=r"label_smoothing: 0.1 there, 0.2 here; lr: 0.05"
        ):
            other.fit(images, faces.target)

    def test_other_data_is_refused(self, images, faces, tmp_path):
        tiny(checkpoint=tmp_path / "c.pt").fit(images, faces.target)
        with pytest.raises(ModelFileError, match="training data"):
            tiny(checkpoint=tmp_path / "c.pt").fit(images[1:], faces.target[1:])

    def test_other_augmentation_is_refused(self, images, faces, tmp_path):
        view = RandomAffineAugmenter(random_state=0).fit_transform(images)
        tiny(checkpoint=tmp_path / "c.pt").fit(view, faces.target)
        other = RandomAffineAugmenter(rotation_range=5, random_state=0)
        with pytest.raises(ModelFileError, match=r"augmentation: .*15.*there, .* 5"):
            tiny(checkpoint=tmp_path / "c.pt").fit(
                other.fit_transform(images), faces.target
            )

    def test_file_of_an_older_version_is_taken(self, images, faces, tmp_path):
        path = tmp_path / "c.pt"
        tiny(checkpoint=path).fit(images, faces.target)
        state = torch.load(path, weights_only=True)
        for name in ("augmentation", "epochs before", "ema_decay"):
            del state["settings"][name]
        torch.save(state, path)
        assert tiny(checkpoint=path).fit(images, faces.target).n_iter_ == 2

    def test_without_a_seed_it_goes_on_as_well(self, images, faces, tmp_path):
        settings = {"random_state": None, "early_stopping": True, "max_epochs": 4}
        clf = tiny(**settings, checkpoint=tmp_path / "c.pt", callbacks=[KillAt(3)])
        with pytest.raises(RuntimeError, match="killed"):
            clf.fit(images, faces.target)
        clf.set_params(callbacks=None).fit(images, faces.target)
        assert clf.history_["epoch"].tolist() == [1, 2, 3, 4]

    def test_warm_start_goes_on_from_it(self, images, faces, tmp_path):
        first = tiny(warm_start=True).fit(images, faces.target)
        first.set_params(max_epochs=3)
        unbroken, broken = (pickle.loads(pickle.dumps(first)) for _ in range(2))
        unbroken.fit(images, faces.target)
        broken.set_params(checkpoint=tmp_path / "c.pt", callbacks=[KillAt(5)])
        for _ in range(2):
            with pytest.raises(RuntimeError, match="killed"):
                broken.fit(images, faces.target)
        broken.set_params(callbacks=None).fit(images, faces.target)
        assert broken.history_["epoch"].tolist() == [1, 2, 3, 4, 5]
        np.testing.assert_array_equal(
            broken.predict_proba(images), unbroken.predict_proba(images)
        )

    def test_file_of_the_training_before_is_refused(self, images, faces, tmp_path):
        """Or a warm start would find its training done already."""
        clf = tiny(warm_start=True, checkpoint=tmp_path / "c.pt")
        clf.fit(images, faces.target)
        with pytest.raises(ModelFileError, match="epochs before: 0 there, 2 here"):
            clf.fit(images, faces.target)

    def test_file_of_something_else_is_refused(self, images, faces, tmp_path):
        torch.save({"format": 1, "weights": torch.zeros(1)}, tmp_path / "c.pt")
        with pytest.raises(ModelFileError, match="not a readable checkpoint"):
            tiny(checkpoint=tmp_path / "c.pt").fit(images, faces.target)

    # For the last one, a file that is cut off at 60 kB, torch raises an OSError.
    @pytest.mark.parametrize(
        "content",
        [b"", b"PK\x03\x04 no", b"\x80\x04N.", b"PK\x03\x04".ljust(60_000, b"\0")],
        ids=["empty", "zip", "pickle", "cut off"],
    )
    def test_broken_file_is_refused(self, images, faces, tmp_path, content):
        path = tmp_path / "c.pt"
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match=r"not a readable checkpoint.*Delete"):
            tiny(checkpoint=path).fit(images, faces.target)
        assert path.read_bytes() == content

    @pytest.mark.parametrize(
        ("part", "value"),
        [
            ("settings", {1: 2, "random_state": 0}),
            ("settings", {"random_state": torch.zeros(1)}),
            ("settings", [1]),
            ("history", "epoch"),
            ("history", [1, 2]),
            ("history", [{"epoch": torch.zeros(9)}]),
            ("stop_reason", "\x1b[2J"),
            ("module", [1]),
            ("optimizer", {"state": 1}),
            ("parts", {"fer_schedule": 3}),
        ],
    )
    def test_parts_of_another_kind_are_refused(
        self, images, faces, tmp_path, part, value
    ):
        path = tmp_path / "c.pt"
        tiny(checkpoint=path).fit(images, faces.target)
        state = torch.load(path, weights_only=True)
        torch.save({**state, part: value}, path)
        with pytest.raises(ModelFileError, match=r"Delete (the file|it)"):
            tiny(checkpoint=path).fit(images, faces.target)

    def test_weights_that_are_not_finite_are_refused(self, images, faces, tmp_path):
        path = tmp_path / "c.pt"
        tiny(checkpoint=path).fit(images, faces.target)
        state = torch.load(path, weights_only=True)
        next(iter(state["module"].values())).fill_(float("nan"))
        torch.save(state, path)
        with pytest.raises(ModelFileError, match="weights that are not finite"):
            tiny(checkpoint=path).fit(images, faces.target)

    def test_other_format_number_is_refused(self, images, faces, tmp_path):
        torch.save({"format": 99}, tmp_path / "c.pt")
        with pytest.raises(ModelFileError, match="format 99"):
            tiny(checkpoint=tmp_path / "c.pt").fit(images, faces.target)

    @pytest.mark.skipif(resource is None, reason="needs POSIX limits of file sizes")
    def test_full_disk_keeps_the_last_good_one(self, images, faces, tmp_path):
        class FillDisk(Callback):
            def on_epoch_end(self, net, **kwargs):
                if len(net.history) == 3:
                    most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
                    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, most))

        path, limits = tmp_path / "c.pt", resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            clf = tiny(checkpoint=path, max_epochs=4, callbacks=[FillDisk()])
            with pytest.warns(RuntimeWarning, match="last good checkpoint is kept"):
                clf.fit(images, faces.target)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, handler)
        assert clf.n_iter_ == 4
        assert len(torch.load(path, weights_only=True)["history"]) == 2
        assert list(tmp_path.iterdir()) == [path]

    def test_kill_9_loses_the_current_epoch_alone(self, tmp_path):
        """A process is killed by the system, and another one goes on."""
        program = textwrap.dedent("""
            import sys, time
            import numpy as np
            import torch
            from skorch.callbacks import Callback
            from fer_sklearn import make_faces, make_fer_pipeline

            class Wait(Callback):
                def on_epoch_begin(self, net, **kwargs):
                    if len(net.history) == 4 and sys.argv[2] == "killed":
                        print("waiting", flush=True)
                        time.sleep(600)

            torch.set_num_threads(1)
            faces = make_faces(70, image_shape=(16, 16), random_state=0)
            pipe = make_fer_pipeline(
                "nano", image_shape=(16, 16), max_epochs=5, batch_size=32,
                mixup_alpha=0.2, random_state=0, checkpoint=sys.argv[1],
                callbacks=[Wait()],
            )
            pipe.fit(faces.data, faces.target)
            np.save(sys.argv[1] + ".npy", pipe.predict_proba(faces.data))
            print(pipe["cnn"].n_iter_)
        """)

        def start(name, how):
            command = [sys.executable, "-c", program, str(tmp_path / name), how]
            return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

        with start("broken.ckpt", "killed") as killed:
            assert killed.stdout.readline() == "waiting\n"
            killed.kill()
        assert killed.returncode == -signal.SIGKILL
        for name in ("broken.ckpt", "unbroken.ckpt"):
            with start(name, "to the end") as process:
                assert process.stdout.read() == "5\n"
        first, second = (np.load(path) for path in sorted(tmp_path.glob("*.npy")))
        np.testing.assert_array_equal(first, second)

    def test_numbers_of_numpy_are_kept_as_plain_ones(self, images, faces, tmp_path):
        settings = {"checkpoint": tmp_path / "c.pt", "lr": np.float64(0.05)}
        settings |= {"max_epochs": np.int64(2), "ema_decay": np.float32(0.5)}
        tiny(**settings).fit(images, faces.target)
        assert tiny(**settings).fit(images, faces.target).n_iter_ == 2

    def test_partial_networks_are_known_again(self, images, faces, tmp_path):
        for _ in range(2):
            network = partial(lambda n_classes: TinyNet(n_classes))
            clf = tiny(checkpoint=tmp_path / "c.pt").set_params(network=network)
            assert clf.fit(images, faces.target).n_iter_ == 2

    def test_a_network_with_other_layers_is_refused(self, images, faces, tmp_path):
        def network(width):
            class Net(nn.Sequential):
                def __init__(self, n_classes):
                    layers = [nn.Linear(256, width), nn.Linear(width, n_classes)]
                    super().__init__(nn.Flatten(), *layers)

            return Net

        for width in (3, 4):
            clf = tiny(checkpoint=tmp_path / "c.pt").set_params(network=network(width))
            if width == 3:
                clf.fit(images, faces.target)
        with pytest.raises(ModelFileError, match=r"(?s)does not fit.*size mismatch"):
            clf.fit(images, faces.target)

    def test_a_folder_is_refused(self, images, faces, tmp_path):
        with pytest.raises(ModelFileError, match=r"is a folder. Name a file: "):
            tiny(checkpoint=tmp_path).fit(images, faces.target)

    def test_leftovers_of_the_killed_are_removed(self, images, faces, tmp_path):
        (tmp_path / ".c.pt.0123.part").touch()
        (tmp_path / ".other.pt.0123.part").touch()
        tiny(checkpoint=tmp_path / "c.pt").fit(images, faces.target)
        names = sorted(path.name for path in tmp_path.iterdir())
        assert names == [".other.pt.0123.part", "c.pt"]

    def test_callbacks_with_a_state_get_it_back(self, images, faces, tmp_path):
        class Count(Callback):
            def on_train_begin(self, net, **kwargs):
                self.n_ = 0

            def on_epoch_end(self, net, **kwargs):
                self.n_ += 1

            def state_dict(self):
                return {"n": self.n_}

            def load_state_dict(self, state):
                self.n_ = state["n"]

        count, path = Count(), tmp_path / "c.pt"
        broken = tiny(max_epochs=4, checkpoint=path)
        broken.set_params(callbacks=[("count", Count()), KillAt(3)])
        with pytest.raises(RuntimeError, match="killed"):
            broken.fit(images, faces.target)
        broken.set_params(callbacks=[("count", count)]).fit(images, faces.target)
        assert count.n_ == 4


class TestPrediction:
    def test_folding_changes_nothing(self):
        torch.manual_seed(0)
        network = make_network("compact", n_classes=7, image_shape=(16, 16))
        with torch.no_grad():
            for _ in range(3):  # give the batch statistics something to hold
                network(torch.randn(8, 1, 16, 16))
        network.eval()
        faces = torch.randn(5, 1, 16, 16)
        folded = fold_batch_norm(network)
        torch.testing.assert_close(folded(faces), network(faces), atol=1e-5, rtol=1e-5)
        kinds = {type(layer) for layer in folded.modules()}
        assert nn.BatchNorm2d not in kinds
        assert nn.BatchNorm2d in {type(layer) for layer in network.modules()}

    @pytest.mark.parametrize(
        "first, second",
        [
            (nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2, track_running_stats=False)),
            (spectral_norm(nn.Conv2d(1, 2, 3)), nn.BatchNorm2d(2)),
            (weight_norm(nn.Conv2d(1, 2, 3)), nn.BatchNorm2d(2)),
        ],
    )
    def test_what_cannot_be_folded_is_left_alone(self, first, second):
        module = nn.Sequential(first, second).eval()
        x = torch.randn(4, 1, 8, 8)
        with torch.no_grad():
            expected = module(x)
            torch.testing.assert_close(fold_batch_norm(module)(x), expected)

    def test_shared_and_unordered_layers_are_left_alone(self):
        shared = nn.Conv2d(1, 1, 1)

        class Reversed(nn.Sequential):
            def forward(self, x):
                return super().forward(x).flip(-1)

        module = nn.Sequential(
            nn.Sequential(shared, nn.BatchNorm2d(1)),
            nn.Sequential(shared, nn.BatchNorm2d(1)),
            Reversed(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)),
        ).eval()
        folded = fold_batch_norm(module)
        n_norms = sum(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
        assert n_norms == 3

    def test_batches_and_flip(self, images):
        module = nn.Sequential(GreyLevelNormalizer(), TinyNet(7)).eval()
        cpu = torch.device("cpu")
        whole = compute_logits(module, images, device=cpu)
        parts = compute_logits(module, images, device=cpu, batch_size=17)
        np.testing.assert_allclose(whole, parts, atol=1e-5)
        mirrored = compute_logits(module, images[:, :, ::-1], device=cpu)
        flipped = compute_logits(module, images, device=cpu, flip=True)
        np.testing.assert_allclose(flipped, (whole + mirrored) / 2, atol=1e-5)


class TestCalibration:
    @pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
    def test_temperature_is_found(self, factor):
        rng = np.random.default_rng(0)
        logits = rng.normal(size=(20_000, 7)) * 2
        cumulative = softmax(logits, axis=1).cumsum(axis=1)
        targets = (cumulative < rng.random((20_000, 1))).sum(axis=1).clip(max=6)
        assert fit_temperature(logits * factor, targets) == pytest.approx(
            factor, rel=0.05
        )


class TestDevices:
    def test_unknown_and_missing_devices(self):
        with pytest.raises(ValueError, match=r"device 'toaster'.*'auto' or 'cpu'"):
            resolve_device("toaster")
        if not torch.cuda.is_available():
            with pytest.raises(ValueError, match="cannot be used here"):
                resolve_device("cuda")


def test_normalizer_over_the_dataset(images):
    normalizer = make_normalizer("dataset", images, (16, 16))
    assert normalizer.mean == pytest.approx(images.mean())
    assert normalizer.std == pytest.approx(images.std())
    assert make_normalizer("auto", images, (16, 16)).per_image
    assert not make_normalizer("auto", images, (1, 256)).per_image
