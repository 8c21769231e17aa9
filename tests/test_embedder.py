"""FaceEmbedder: features of a trained network for any scikit-learn model."""

import pickle

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from fer_sklearn import (
    FaceEmbedder,
    FERClassifier,
    PixelStringTransformer,
    load_onnx,
    load_pretrained,
    make_faces,
    make_fer_pipeline,
    save_model,
    to_onnx,
)
from fer_sklearn.exceptions import ModelFileError
from fer_sklearn.networks import ConvNet

BILINEAR = Image.Resampling.BILINEAR


@parametrize_with_checks([FaceEmbedder("nano")])
def test_scikit_learn_checks(estimator, check):
    if check.func.__name__ == "check_methods_subset_invariance":
        pytest.skip(
            "It asks for 1e-7 near 0, less than float32 has. Some processors compute a "
            "face alone in another order; the next test is the same with 1e-5."
        )
    check(estimator)


def test_a_face_alone_has_the_same_features(pictures):
    embedder = FaceEmbedder("nano").fit(pictures)
    alone = [embedder.transform(pictures[row : row + 1])[0] for row in range(35)]
    np.testing.assert_allclose(embedder.transform(pictures), alone, atol=1e-5)


@pytest.fixture(scope="module")
def pictures():
    return PixelStringTransformer().transform(make_faces(35, random_state=0).data)


@pytest.fixture(scope="module")
def model(faces, tmp_path_factory):
    """File of a network for faces of 16x16 pixels."""
    pipe = make_fer_pipeline("nano", max_epochs=1, random_state=0)
    path = tmp_path_factory.mktemp("model") / "small.fer"
    save_model(pipe.fit(faces.data, faces.target), path)
    return path


@pytest.mark.parametrize("name", ["nano", "compact", "large"])
def test_last_layer_on_features_gives_the_logits(name, pictures):
    """What the embedder leaves out is the last linear layer and nothing else."""
    classifier = load_pretrained(name)[-1].set_params(test_time_flip=False)
    features = FaceEmbedder(name).fit_transform(pictures)
    last = classifier.net_.module_.network.logits
    weight, bias = (part.detach().numpy() for part in (last.weight, last.bias))
    logits = (features @ weight.T + bias) / classifier.temperature_
    expected = classifier.predict_log_proba(pictures)
    np.testing.assert_allclose(
        logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)), expected, atol=1e-3
    )


def test_mirror_image(pictures):
    both = FaceEmbedder("nano", test_time_flip=True).fit(pictures)
    np.testing.assert_allclose(
        both.transform(pictures), both.transform(pictures[:, :, ::-1]), atol=1e-4
    )
    alone = FaceEmbedder("nano").fit(pictures)
    mean = (alone.transform(pictures) + alone.transform(pictures[:, :, ::-1])) / 2
    np.testing.assert_allclose(both.transform(pictures), mean, atol=1e-4)


def test_rows_of_pixels_are_pictures(pictures):
    embedder = FaceEmbedder("nano")
    flat = embedder.fit_transform(pictures.reshape(len(pictures), -1))
    np.testing.assert_allclose(flat, embedder.fit_transform(pictures), atol=1e-5)


def test_other_sizes_are_resized(pictures):
    """As Pillow does, up to the rounding of grey levels."""
    large = make_faces(35, image_shape=(96, 96), random_state=0).data
    large = PixelStringTransformer().transform(large)
    small = [Image.fromarray(face).resize((48, 48), BILINEAR) for face in large]
    features = FaceEmbedder("nano").fit_transform(large)
    expected = FaceEmbedder("nano").fit_transform(np.stack(small))
    similarity = np.corrcoef(features, expected)[:35, 35:].diagonal()
    assert similarity.min() > 0.99


def test_names_and_frames(pictures):
    embedder = FaceEmbedder("nano").set_output(transform="pandas")
    frame = embedder.fit_transform(pictures)
    assert isinstance(frame, pd.DataFrame)
    assert frame.shape == (35, 256)
    assert list(frame.columns[:2]) == ["faceembedder0", "faceembedder1"]


def test_pickle_and_clone(pictures):
    embedder = FaceEmbedder("nano").fit(pictures)
    expected = embedder.transform(pictures)
    again = pickle.loads(pickle.dumps(embedder))
    np.testing.assert_array_equal(again.transform(pictures), expected)
    data = pickle.dumps(embedder)
    assert len(data) < 4e6
    assert not hasattr(clone(embedder), "n_features_in_")


def test_a_model_file(model, images):
    features = FaceEmbedder(model).fit_transform(images)
    assert features.shape == (210, 256)
    assert features.dtype == np.float32


def test_search_over_models(faces, model):
    pipe = make_pipeline(
        PixelStringTransformer(), FaceEmbedder(), LogisticRegression(max_iter=200)
    )
    grid = {"faceembedder__pretrained": [model, "nano"]}
    search = GridSearchCV(pipe, grid, cv=2, error_score="raise")
    search.fit(faces.data, faces.target)
    assert search.best_score_ > 1.5 / 7


def test_strings_need_a_reader(faces):
    with pytest.raises(ValueError, match="Put a PixelStringTransformer before"):
        FaceEmbedder("nano").fit(faces.data)


def test_another_size_than_in_fit(pictures):
    embedder = FaceEmbedder("nano").fit(pictures)
    with pytest.raises(ValueError, match="FaceEmbedder was fitted on 48x48"):
        embedder.transform(pictures[:, :40])


def test_no_such_model(pictures):
    with pytest.raises(ModelFileError, match="no pretrained model 'gigantic'"):
        FaceEmbedder("gigantic").fit(pictures)


def test_onnx_has_no_features(tmp_path, faces, model, pictures):
    pytest.importorskip("onnx")
    pipe = make_fer_pipeline("nano", max_epochs=1).fit(faces.data, faces.target)
    to_onnx(pipe, tmp_path / "model.onnx")
    with pytest.raises(ModelFileError, match="gives probabilities and no features"):
        FaceEmbedder(tmp_path / "model.onnx").fit(pictures)


class NoLinear(ConvNet):
    """A network that ends with a convolution."""

    def __init__(self, n_classes):
        import torch

        super().__init__(n_classes, widths=[(8, n_classes)], dropout=0.0)
        self.logits = torch.nn.Identity()


def test_no_linear_layer(images, faces, tmp_path, monkeypatch):
    classifier = FERClassifier(NoLinear, max_epochs=1).fit(images, faces.target)
    monkeypatch.setattr("fer_sklearn._embedder.load_model", lambda model: classifier)
    with pytest.raises(ModelFileError, match=r"no nn\.Linear"):
        FaceEmbedder("own.fer").fit(images)


# -- ONNX -----------------------------------------------------------------------------


def run_onnx(path, faces):
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra [onnx]")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == ["features"]
    return session.run(["features"], {"faces": faces})[0]


@pytest.mark.parametrize("params", [{}, {"test_time_flip": True}])
def test_onnx_gives_the_same_features(params, pictures, tmp_path):
    pytest.importorskip("onnx", reason="needs the extra [onnx]")
    embedder = FaceEmbedder("nano", **params).fit(pictures)
    report = to_onnx(embedder, tmp_path / "features.onnx")
    features = run_onnx(tmp_path / "features.onnx", pictures)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, embedder.transform(pictures), atol=1e-4)
    assert 0 <= report.max_difference < 1e-4


def test_onnx_of_features_has_no_probabilities(pictures, tmp_path):
    pytest.importorskip("onnx", reason="needs the extra [onnx]")
    embedder = FaceEmbedder("nano")
    with pytest.raises(NotFittedError):
        to_onnx(embedder, tmp_path / "features.onnx")
    embedder.fit(pictures)
    for params in ({"int8": True}, {"evaluation": (pictures, np.zeros(35))}):
        with pytest.raises(ModelFileError, match="Leave out int8 and evaluation"):
            to_onnx(embedder, tmp_path / "features.onnx", **params)
    to_onnx(embedder, tmp_path / "features.onnx")
    with pytest.raises(ModelFileError, match="features"):
        load_onnx(tmp_path / "features.onnx")


def test_onnx_does_not_resize(pictures, tmp_path):
    pytest.importorskip("onnx", reason="needs the extra [onnx]")
    embedder = FaceEmbedder("nano").fit(pictures[:, ::2, ::2])
    with pytest.raises(ModelFileError, match=r"24x24 pixels\. .* faces of 48x48\."):
        to_onnx(embedder, tmp_path / "features.onnx")
    assert not list(tmp_path.iterdir())
