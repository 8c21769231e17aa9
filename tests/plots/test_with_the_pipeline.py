"""The pictures of a fitted network, and of real faces."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from fer_sklearn import EMOTIONS, load_fer2013, make_fer_pipeline
from fer_sklearn.plots import (
    ClassFrequencyDisplay,
    FaceGridDisplay,
    MistakesDisplay,
    RecallDisplay,
    SaliencyDisplay,
    TrainingCurvesDisplay,
)


@pytest.fixture(scope="module")
def pipe(faces):
    return make_fer_pipeline(
        image_shape=(16, 16), max_epochs=2, early_stopping=True, random_state=0
    ).fit(faces.data, faces.target)


def test_curves_of_a_fitted_pipeline(pipe):
    display = TrainingCurvesDisplay.from_estimator(pipe)
    pd.testing.assert_frame_equal(display.history, pipe[-1].history_)
    assert list(display.axes_) == ["loss", "accuracy", "lr"]
    assert display.best_epoch == 1 + np.argmax(pipe[-1].history_["valid_accuracy"])


def test_predictions_of_a_fitted_pipeline(pipe, faces, images):
    strings = FaceGridDisplay.from_estimator(pipe, faces.data, faces.target)
    arrays = FaceGridDisplay.from_estimator(pipe, images, faces.target)
    np.testing.assert_allclose(strings.confidence, arrays.confidence, rtol=1e-5)
    assert strings.y_pred.tolist() == arrays.y_pred.tolist()
    mistakes = MistakesDisplay.from_estimator(pipe, faces.data, faces.target)
    expected = round(len(images) * (1 - pipe.score(faces.data, faces.target)))
    assert mistakes.n_mistakes == expected


def test_pictures_have_the_names_that_a_model_was_trained_with(faces, images):
    y = (faces.target > 2).astype(int)
    pipe = make_fer_pipeline(
        "nano", image_shape=(16, 16), max_epochs=1, random_state=0
    ).fit(faces.data, y, cnn__class_names=["low", "high"])
    names = {"low", "high"}
    assert set(RecallDisplay.from_estimator(pipe, images, y).class_names) == names
    grid = FaceGridDisplay.from_estimator(pipe, images, y, n_faces=9)
    assert {*grid.y_true, *grid.y_pred} <= names
    mistakes = MistakesDisplay.from_estimator(pipe, images, y)
    assert mistakes.n_mistakes == np.sum(pipe.predict(images) != y) > 0
    assert {*mistakes.y_true, *mistakes.y_pred} == names
    for target in ("low", 0):
        display = SaliencyDisplay.from_estimator(pipe, images[:1], target=target)
        assert display.class_names.tolist() == ["low"]
    # Own words are heard before the model's.
    display = RecallDisplay.from_estimator(pipe, images, y, display_labels=["a", "b"])
    assert display.class_names.tolist() == ["a", "b"]


def test_saliency_of_a_fitted_pipeline(pipe, images):
    display = SaliencyDisplay.from_estimator(pipe, images[:2], target="happy")
    assert display.class_names.tolist() == ["happy", "happy"]
    np.testing.assert_allclose(
        display.probability, pipe.predict_proba(images[:2])[:, 3], rtol=1e-4
    )
    assert (display.saliency != 0).any()


def test_training_faces_as_the_network_sees_them(pipe, images):
    view = pipe["augment"].fit_transform(images)
    display = FaceGridDisplay.from_estimator(pipe, view, n_faces=3)
    np.testing.assert_array_equal(display.images, view.sample([0, 1, 2]))


def test_subfigures(pipe, images):
    left, _ = plt.figure(layout="constrained", figsize=(16, 4)).subfigures(1, 2)
    display = TrainingCurvesDisplay.from_estimator(pipe, ax=left.subplots())
    assert display.figure_ is left
    display = FaceGridDisplay.from_faces(images, n_faces=3, ax=left.subplots())
    assert display.figure_ is left


@pytest.mark.real_data
def test_real_faces(fer2013_csv):
    faces = load_fer2013(fer2013_csv)
    frequencies = ClassFrequencyDisplay.from_labels(faces.target)
    assert frequencies.class_names.tolist() == list(EMOTIONS)
    assert EMOTIONS[frequencies.counts.argmax()] == "happy"
    assert EMOTIONS[frequencies.counts.argmin()] == "disgust"
    grid = FaceGridDisplay.from_faces(faces.data, faces.target)
    first = np.array(faces.data.iloc[0].split(), dtype=int).reshape(48, 48)
    np.testing.assert_array_equal(grid.images[0], first)
