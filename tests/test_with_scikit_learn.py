"""Searches, curves, ensembles: what people do with scikit-learn's estimators."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    PredefinedSplit,
    RandomizedSearchCV,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.multiclass import OneVsOneClassifier
from sklearn.pipeline import make_pipeline
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.svm import SVC
from skorch.callbacks import Callback
from tiny_network import TinyNet

from fer_sklearn import FERClassifier, PixelStringTransformer, make_fer_pipeline
from fer_sklearn.model_selection import face_groups


def make(**params):
    defaults = {"max_epochs": 1, "batch_size": 64, "random_state": 0, "lr": 0.05}
    defaults |= {"network": TinyNet, "image_shape": (16, 16)}
    return make_fer_pipeline(**{**defaults, **params})


FOLDS = StratifiedKFold(2, shuffle=True, random_state=0)


class TestSearches:
    def test_grid(self, faces):
        grid = {
            "cnn__network_params": [{"width": 2}, {"width": 4}],
            "augment__rotation_range": [0, 20],
            "augment": ["passthrough"],
        }
        grids = [
            {key: grid[key] for key in list(grid)[:2]},
            {"augment": grid["augment"]},
        ]
        search = GridSearchCV(make(), grids, cv=FOLDS, error_score="raise")
        search.fit(faces.data, faces.target)
        assert len(search.cv_results_["params"]) == 5
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
        assert search.predict(faces.data[:3]).shape == (3,)
        assert search.classes_.tolist() == list(range(7))
        assert search.predict_proba(faces.data[:3]).shape == (3, 7)

    def test_grid_over_networks_and_scores(self, faces):
        search = GridSearchCV(
            make(),
            {"cnn__network": [TinyNet, "nano"]},
            cv=FOLDS,
            scoring=["accuracy", "f1_macro", "neg_log_loss"],
            refit="neg_log_loss",
            error_score="raise",
        ).fit(faces.data, faces.target)
        assert (search.cv_results_["mean_test_neg_log_loss"] < 0).all()

    def test_random(self, faces):
        search = RandomizedSearchCV(
            make(),
            {"cnn__lr": [0.01, 0.02, 0.03], "cnn__label_smoothing": [0.0, 0.1]},
            n_iter=2,
            cv=FOLDS,
            random_state=0,
            error_score="raise",
        ).fit(faces.data, faces.target)
        assert len(search.cv_results_["params"]) == 2

    def test_halving_over_epochs(self, faces):
        search = HalvingGridSearchCV(
            make(),
            {"cnn__lr": [0.01, 0.05, 0.1, 0.2]},
            resource="cnn__max_epochs",
            max_resources=4,
            min_resources=1,
            factor=2,
            cv=FOLDS,
            random_state=0,
            error_score="raise",
        ).fit(faces.data, faces.target)
        assert search.n_resources_ == [1, 2, 4]
        assert search.best_estimator_["cnn"].n_iter_ == 4

    def test_error_of_a_candidate_is_raised(self, faces):
        search = GridSearchCV(
            make(), {"cnn__lr": [-1.0]}, cv=FOLDS, error_score="raise"
        )
        with pytest.raises(ValueError, match="'lr' parameter of FERClassifier"):
            search.fit(faces.data, faces.target)

    def test_search_ends_with_ctrl_c(self, faces):
        """It must not go on with the next candidate, nor hide what happened."""
        interrupt = InterruptInSecondEpoch()
        search = GridSearchCV(
            make(max_epochs=3, callbacks=[interrupt]),
            {"cnn__lr": [0.01, 0.02]},
            cv=FOLDS,
        )
        InterruptInSecondEpoch.calls = 0
        with pytest.raises(KeyboardInterrupt):
            search.fit(faces.data, faces.target)
        assert InterruptInSecondEpoch.calls == 1
        assert not hasattr(search, "best_estimator_")


class InterruptInSecondEpoch(Callback):
    calls = 0

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 2:
            InterruptInSecondEpoch.calls += 1
            raise KeyboardInterrupt


class TestValidation:
    def test_scores(self, faces):
        scores = cross_val_score(
            make(), faces.data, faces.target, cv=FOLDS, error_score="raise"
        )
        assert scores.shape == (2,)

    def test_estimators_come_back(self, faces):
        results = cross_validate(
            make(),
            faces.data,
            faces.target,
            cv=FOLDS,
            return_estimator=True,
            return_train_score=True,
            error_score="raise",
        )
        for pipe, (_, test), score in zip(
            results["estimator"],
            FOLDS.split(faces.data, faces.target),
            results["test_score"],
            strict=True,
        ):
            assert pipe.score(faces.data.iloc[test], faces.target[test]) == score

    def test_scores_of_a_bare_classifier_on_pictures(self, images, faces):
        clf = FERClassifier(TinyNet, max_epochs=1, random_state=0)
        scores = cross_val_score(
            clf, images, faces.target, cv=FOLDS, error_score="raise"
        )
        flat = images.reshape(210, -1)
        again = cross_val_score(clf, flat, faces.target, cv=FOLDS, error_score="raise")
        np.testing.assert_array_equal(scores, again)

    def test_predictions(self, faces):
        shares = cross_val_predict(
            make(), faces.data, faces.target, cv=FOLDS, method="predict_proba"
        )
        assert shares.shape == (210, 7)
        np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)

    def test_learning_curve(self, images, faces):
        clf = FERClassifier(TinyNet, batch_size=64, random_state=0)
        for incremental in (False, True):  # fit, then partial_fit
            sizes, *scores = learning_curve(
                clf.set_params(max_epochs=1),
                images,
                faces.target,
                train_sizes=[0.5, 1.0],
                cv=FOLDS,
                shuffle=True,
                random_state=0,
                exploit_incremental_learning=incremental,
                error_score="raise",
            )
            assert sizes.tolist() == [52, 105]
            assert all(np.isfinite(part).all() for part in scores)

    def test_validation_curve(self, faces):
        scores, _ = validation_curve(
            make(),
            faces.data,
            faces.target,
            param_name="cnn__weight_decay",
            param_range=[0.0, 0.1],
            cv=FOLDS,
            error_score="raise",
        )
        assert scores.shape == (2, 2)

    def test_permutations(self, faces):
        score, permuted, p_value = permutation_test_score(
            make(augment=False),
            faces.data,
            faces.target,
            cv=FOLDS,
            n_permutations=2,
            random_state=0,
        )
        assert permuted.shape == (2,)
        assert 0 < p_value <= 1
        assert 0 <= score <= 1

    def test_copies_stay_on_one_side(self, faces):
        rows = np.r_[np.arange(210), np.arange(70)]
        X, y = faces.data.iloc[rows], faces.target[rows]
        groups = face_groups(X)
        search = GridSearchCV(
            make(),
            {"cnn__lr": [0.01, 0.05]},
            cv=StratifiedGroupKFold(2),
            error_score="raise",
        ).fit(X, y, groups=groups)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
        for train, test in StratifiedGroupKFold(2).split(X, y, groups):
            assert not set(X.iloc[train]) & set(X.iloc[test])


class TestRareClasses:
    def test_more_folds_than_faces_of_a_class(self, faces):
        y = np.where(np.arange(210) < 2, 1, 0)
        with pytest.warns(UserWarning, match="least populated class in y has only 2"):
            scores = cross_val_score(
                make(), faces.data, y, cv=StratifiedKFold(3), error_score="raise"
            )
        assert np.isfinite(scores).all()
        with pytest.raises(ValueError, match="n_splits=150 cannot be greater"):
            cross_val_score(make(), faces.data, faces.target, cv=150)

    def test_class_in_the_test_fold_only(self, faces):
        """The fold without it has seven minus one columns, and still a score."""
        y = faces.target.copy()
        test_fold = np.where(y == 6, 0, np.arange(210) % 2)
        results = cross_validate(
            make(),
            faces.data,
            y,
            cv=PredefinedSplit(test_fold),
            return_estimator=True,
            error_score="raise",
        )
        assert np.isfinite(results["test_score"]).all()
        first, second = results["estimator"]
        assert first.classes_.tolist() == list(range(6))
        assert second.classes_.tolist() == list(range(7))
        with pytest.warns(RuntimeWarning, match="Number of classes in training fold"):
            shares = cross_val_predict(
                make(),
                faces.data,
                y,
                cv=PredefinedSplit(test_fold),
                method="predict_proba",
            )
        assert shares.shape == (210, 7)
        assert (shares[test_fold == 0, 6] == 0).all()


class TestEnsembles:
    def test_soft_voting(self, faces):
        members = [(f"seed{s}", make(random_state=s)) for s in range(2)]
        vote = VotingClassifier(members, voting="soft").fit(faces.data, faces.target)
        shares = [m.predict_proba(faces.data) for m in vote.estimators_]
        np.testing.assert_allclose(vote.predict_proba(faces.data), np.mean(shares, 0))

    def test_stacking(self, faces):
        names = np.asarray(faces.target_names)[faces.target]
        members = [(f"width{w}", make(network_params={"width": w})) for w in (2, 4)]
        stack = StackingClassifier(members, LogisticRegression(max_iter=500), cv=FOLDS)
        stack.fit(faces.data, names)
        assert stack.predict_proba(faces.data[:3]).shape == (3, 7)
        assert set(stack.predict(faces.data[:9])) <= set(names)

    def test_calibration_across_folds(self, faces):
        clf = CalibratedClassifierCV(make(), cv=FOLDS).fit(faces.data, faces.target)
        shares = clf.predict_proba(faces.data)
        np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
        assert len(clf.calibrated_classifiers_) == 2

    def test_calibration_of_a_frozen_pipeline(self, faces):
        pipe = make().fit(faces.data[:140], faces.target[:140])
        before = pipe.predict_proba(faces.data)
        frozen = FrozenEstimator(pipe)
        clf = CalibratedClassifierCV(frozen).fit(faces.data[140:], faces.target[140:])
        assert clf.predict(faces.data[:2]).shape == (2,)
        np.testing.assert_array_equal(pipe.predict_proba(faces.data), before)

    def test_bagging_of_strings_as_a_data_frame(self, faces):
        """Bagging draws rows of a table, so it wants a frame instead of a Series."""
        bag = BaggingClassifier(make(), n_estimators=2, random_state=0)
        with pytest.raises(ValueError, match="2-dimensional container"):
            bag.fit(faces.data, faces.target)
        X = faces.data.to_frame()
        assert bag.fit(X, faces.target).predict(X[:3]).shape == (3,)

    @pytest.mark.parametrize("meta", [OneVsOneClassifier, SelfTrainingClassifier])
    def test_numbers_for_what_refuses_strings(self, meta, images, faces):
        """They train on rows of grey levels, as PixelStringTransformer gives them."""
        rows = images.reshape(210, -1)
        y = np.where(faces.target > 1, 1, faces.target)
        y[::3] = -1  # not labelled, for self-training
        clf = meta(make_pipeline(*[step for _, step in make().steps[1:]]))
        assert clf.fit(rows, y).predict(rows[:3]).shape == (3,)


class TestOtherPipelines:
    def test_flat_faces_for_pca_and_svc(self, faces):
        pipe = make_pipeline(
            PixelStringTransformer(image_shape=(16, 16), flatten=True),
            PCA(20, random_state=0),
            SVC(),
        )
        scores = cross_val_score(
            pipe, faces.data, faces.target, cv=FOLDS, error_score="raise"
        )
        assert scores.shape == (2,)
        pipe.fit(faces.data, faces.target)
        assert pipe.score(faces.data, faces.target) > 0.5

    def test_flat_faces_for_the_classifier(self, faces):
        reader = PixelStringTransformer(image_shape=(16, 16), flatten=True)
        flat = make_pipeline(
            reader.set_output(transform="pandas"), clone(make()["cnn"])
        )
        flat.fit(faces.data, faces.target)
        assert flat[-1].image_shape_ == (16, 16)
        assert flat[-1].feature_names_in_[0] == "pixel0_0"

    @pytest.mark.parametrize("augment", [True, False])
    def test_set_output_of_a_pipeline_of_pictures(self, faces, augment):
        plain = make(augment=augment).fit(faces.data, faces.target)
        pipe = make(augment=augment).set_output(transform="pandas")
        pipe = clone(pipe).fit(faces.data, faces.target)
        np.testing.assert_array_equal(
            pipe.predict_proba(faces.data), plain.predict_proba(faces.data)
        )

    def test_set_output_of_a_pipeline_of_flat_faces(self, faces):
        pipe = make().set_params(pixels__flatten=True).set_output(transform="pandas")
        pipe.fit(faces.data, faces.target)
        assert pipe["cnn"].image_shape_ == (16, 16)
        assert pipe.predict(faces.data[:3]).shape == (3,)
        frame = pipe["pixels"].transform(faces.data[:3])
        assert frame.columns[0] == "pixel0_0"

    def test_cached_augmenter_still_draws_afresh(self, faces, tmp_path):
        seen = []

        class Record(Callback):
            def on_batch_begin(self, net, batch=None, training=False, **kwargs):
                if training:
                    seen.append({face.numpy().tobytes() for face in batch[0]})

        def pipe(**params):
            return make(max_epochs=2, batch_size=210, callbacks=[Record()], **params)

        cached = pipe(memory=str(tmp_path)).fit(faces.data, faces.target)
        again = pipe(memory=str(tmp_path)).fit(faces.data, faces.target)
        plain = pipe().fit(faces.data, faces.target)
        first, second = seen[:2]
        assert len(first | second) > 400
        # From the cache come the same samples, in the same epochs.
        assert seen[2:4] == seen[:2] == seen[4:]
        for other in (again, plain):
            np.testing.assert_array_equal(
                cached.predict_proba(faces.data), other.predict_proba(faces.data)
            )
