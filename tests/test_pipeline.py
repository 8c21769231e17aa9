"""make_fer_pipeline: from pixel strings to emotions, and what goes wrong on the way."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from tiny_network import TinyNet

from fer_sklearn import make_baseline_pipeline, make_fer_pipeline
from fer_sklearn.exceptions import FERError, PixelStringError


def tiny(**params):
    defaults = {"max_epochs": 2, "batch_size": 64, "random_state": 0, "lr": 0.05}
    defaults |= {"network": TinyNet, "image_shape": (16, 16)}
    return make_fer_pipeline(**{**defaults, **params})


@pytest.fixture(scope="module")
def fitted(faces):
    return tiny().fit(faces.data, faces.target)


class TestMaking:
    def test_plain_pipeline_of_three_steps(self):
        pipe = make_fer_pipeline()
        assert type(pipe) is Pipeline
        assert list(pipe.named_steps) == ["pixels", "augment", "cnn"]
        assert pipe["cnn"].network == "compact"

    def test_keyword_arguments_reach_their_step(self):
        pipe = make_fer_pipeline(
            "nano",
            augment={"rotation_range": 7},
            image_shape=[32, 40],
            random_state=3,
            max_epochs=4,
        )
        params = pipe.get_params()
        assert params["cnn__network"] == "nano"
        assert params["cnn__max_epochs"] == 4
        assert params["augment__rotation_range"] == 7
        assert params["pixels__image_shape"] == [32, 40]
        assert params["cnn__random_state"] == params["augment__random_state"] == 3

    def test_without_augmentation(self, faces):
        pipe = tiny(augment=False).fit(faces.data, faces.target)
        assert list(pipe.named_steps) == ["pixels", "cnn"]
        assert pipe.predict(faces.data[:2]).shape == (2,)

    def test_augmentation_by_default_parameters(self):
        assert list(make_fer_pipeline(augment={}).named_steps)[1] == "augment"

    def test_unknown_parameter(self):
        with pytest.raises(TypeError, match="epochs"):
            make_fer_pipeline(epochs=3)

    def test_settings_of_the_seed(self):
        params = make_baseline_pipeline(random_state=0, verbose=1).get_params()
        assert params["cnn__network"] == "baseline"
        assert params["cnn__optimizer"] == "adam"
        assert params["cnn__lr_schedule"] == "plateau"
        assert params["cnn__batch_size"] == 32
        assert params["cnn__n_iter_no_change"] == 11
        assert params["cnn__verbose"] == 1
        assert params["augment__shear_range"] == 0.15
        assert params["augment__erasing_probability"] == 0
        assert make_baseline_pipeline(max_epochs=2)["cnn"].max_epochs == 2
        assert make_baseline_pipeline(network="nano")["cnn"].network == "nano"

    def test_can_be_cloned(self):
        pipe = tiny(lr=0.03)
        twin = clone(pipe)
        assert twin is not pipe
        assert repr(twin.get_params()) == repr(pipe.get_params())


class TestUsing:
    def test_every_form_of_the_same_faces(self, fitted, faces, images):
        expected = fitted.predict_proba(faces.data)
        forms = {
            "list": faces.data.tolist(),
            "object array": faces.data.to_numpy(dtype=object),
            "string array": faces.data.to_numpy(dtype=str),
            "frame": faces.data.to_frame(),
            "pictures": images,
        }
        for form in forms.values():
            np.testing.assert_array_equal(fitted.predict_proba(form), expected)

    def test_answers(self, fitted, faces):
        assert fitted.classes_.tolist() == list(range(7))
        assert fitted.predict_proba(faces.data[:5]).shape == (5, 7)
        winners = fitted.predict_proba(faces.data).argmax(axis=1)
        np.testing.assert_array_equal(fitted.predict(faces.data), winners)
        assert fitted.score(faces.data, faces.target) == np.mean(
            winners == faces.target
        )

    def test_names_of_emotions(self, faces):
        names = np.asarray(faces.target_names)[faces.target]
        pipe = tiny().fit(faces.data, names)
        assert pipe.classes_.tolist() == sorted(faces.target_names)
        assert set(pipe.predict(faces.data)) <= set(faces.target_names)

    def test_learns_synthetic_faces(self, faces):
        pipe = tiny(max_epochs=25, lr=0.2, augment=False, ema_decay=None)
        assert pipe.fit(faces.data, faces.target).score(faces.data, faces.target) > 0.4

    def test_nothing_is_augmented_in_predict(self, fitted, faces, images):
        without = fitted["cnn"].predict_proba(images)
        for _ in range(2):
            np.testing.assert_array_equal(fitted.predict_proba(faces.data), without)

    def test_validation_data_reaches_the_classifier(self, faces, images):
        pipe = tiny().fit(
            faces.data,
            faces.target,
            cnn__X_val=images[:30],
            cnn__y_val=faces.target[:30],
        )
        assert pipe["cnn"].history_["valid_accuracy"].notna().all()

    def test_html(self, fitted):
        html = fitted._repr_html_()
        for name in (
            "PixelStringTransformer",
            "RandomAffineAugmenter",
            "FERClassifier",
        ):
            assert name in html


class TestRouting:
    def test_weights_travel_through_the_pipeline(self, faces):
        weights = np.where(faces.target == 3, 50.0, 1.0)
        with sklearn.config_context(enable_metadata_routing=True):
            pipe = tiny(max_epochs=5)
            pipe["cnn"].set_fit_request(sample_weight=True)
            pipe.fit(faces.data, faces.target, sample_weight=weights)
        by_name = tiny(max_epochs=5)
        by_name.fit(faces.data, faces.target, cnn__sample_weight=weights)
        assert (pipe.predict(faces.data) == 3).all()
        np.testing.assert_array_equal(
            pipe.predict_proba(faces.data), by_name.predict_proba(faces.data)
        )

    def test_weights_that_nobody_asked_for_are_refused(self, faces):
        with (
            sklearn.config_context(enable_metadata_routing=True),
            pytest.raises(ValueError, match=r"sample_weight.*set_fit_request"),
        ):
            tiny().fit(faces.data, faces.target, sample_weight=np.ones(210))

    def test_validation_strings_are_read(self, faces):
        X_val, y_val = faces.data[:30], faces.target[:30]
        pipe = tiny().fit(faces.data, faces.target, cnn__X_val=X_val, cnn__y_val=y_val)
        accuracy = pipe["cnn"].history_["valid_accuracy"].iloc[-1]
        assert accuracy == pytest.approx(pipe.score(X_val, y_val))
        with pytest.raises(PixelStringError, match="Row 1 of X_val has 3 grey levels"):
            tiny().fit(
                faces.data,
                faces.target,
                cnn__X_val=[faces.data[0], "1 2 3"],
                cnn__y_val=y_val[:2],
            )

    def test_validation_strings_are_routed(self, faces):
        """With transform_input, X_val goes through the steps before the classifier."""
        with sklearn.config_context(enable_metadata_routing=True):
            pipe = tiny().set_params(transform_input=["X_val"])
            pipe["cnn"].set_fit_request(X_val=True, y_val=True)
            X_val, y_val = faces.data[:30], faces.target[:30]
            pipe.fit(faces.data, faces.target, X_val=X_val, y_val=y_val)
        accuracy = pipe["cnn"].history_["valid_accuracy"].iloc[-1]
        assert accuracy == pytest.approx(pipe.score(X_val, y_val))


class TestBadInput:
    """Each is refused before a training starts."""

    @pytest.fixture(autouse=True)
    def no_training(self, monkeypatch):
        def never(*args, **kwargs):
            raise AssertionError("a training started")

        monkeypatch.setattr("fer_sklearn._classifier.FERClassifier._train", never)

    @pytest.mark.parametrize(
        ("face", "match"),
        [
            (" ".join(["7"] * 255), "Row 2 of X has 255 grey levels, expected 256"),
            (" ".join(["7"] * 257), "Row 2 of X has 257 grey levels, expected 256"),
            (" ".join(["7"] * 255 + ["x"]), "Row 2 of X has 'x'"),
            (" ".join(["7"] * 255 + ["256"]), "Row 2 of X has '256'"),
            (" ".join(["7"] * 255 + ["-1"]), "Row 2 of X has '-1'"),
            (" ".join(["7"] * 255 + ["1.5"]), r"Row 2 of X has '1\.5'"),
            (" ".join(["7"] * 255 + ["1e2"]), "Row 2 of X has '1e2'"),
            ("", "Row 2 of X has 0 grey levels"),
            (None, "Row 2 of X is None"),
            (float("nan"), "Row 2 of X is nan"),
            (17, "Row 2 of X is 17 of type int"),
        ],
    )
    def test_bad_row(self, faces, face, match):
        rows = faces.data.tolist()
        rows[2] = face
        with pytest.raises(PixelStringError, match=match):
            tiny().fit(pd.Series(rows, dtype=object), faces.target)

    @pytest.mark.parametrize(
        ("X", "y", "match"),
        [
            (slice(0, 0), slice(0, 0), "0 rows"),
            (slice(0, 9), slice(0, 8), "inconsistent numbers of samples"),
            (slice(0, 1), slice(0, 1), "one class only"),
        ],
    )
    def test_bad_shape(self, faces, X, y, match):
        with pytest.raises(ValueError, match=match):
            tiny().fit(faces.data[X], faces.target[y])

    def test_two_columns(self, faces):
        frame = pd.DataFrame({"pixels": faces.data, "usage": "Training"})
        with pytest.raises(PixelStringError, match=r"2 columns.*X\['pixels'\]"):
            tiny().fit(frame, faces.target)

    def test_another_size_than_image_shape(self, faces):
        match = r"256 grey levels, expected 2304 \(48x48\).*image_shape"
        with pytest.raises(PixelStringError, match=match):
            tiny(image_shape=(48, 48)).fit(faces.data, faces.target)

    def test_network_that_is_too_large_for_the_faces(self, faces):
        with pytest.raises(ValueError, match=r"at least 40x40 pixels, got 16x16"):
            tiny(network="baseline").fit(faces.data, faces.target)

    def test_impossible_parameters_of_any_step(self, faces):
        for name in ("augment__rotation_range", "cnn__lr", "cnn__batch_size"):
            pipe = tiny().set_params(**{name: -1})
            with pytest.raises(ValueError, match=name.split("__")[1]):
                pipe.fit(faces.data, faces.target)

    def test_unknown_network(self, faces):
        with pytest.raises(FERError, match="Unknown network 'vgg'"):
            tiny(network="vgg").fit(faces.data, faces.target)

    def test_predict_before_fit(self, faces):
        for pipe in (tiny(), tiny(augment=False)):
            with pytest.raises(NotFittedError):
                pipe.predict(faces.data)


def test_predict_on_another_size(fitted, faces):
    longer = [f"{text} 0" for text in faces.data[:3]]
    with pytest.raises(PixelStringError, match="Row 0 of X has 257 grey levels"):
        fitted.predict(longer)
    with pytest.raises(PixelStringError, match=r"\(2, 8, 8\)"):
        fitted.predict(np.zeros((2, 8, 8), np.uint8))
