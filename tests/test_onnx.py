"""ONNX models: equal to the pipeline, honest about int8, and free of torch."""

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.model_selection import cross_val_score
from torch import nn

from fer_sklearn import (
    EMOTIONS,
    FERClassifier,
    load_fer2013,
    load_model,
    load_onnx,
    load_pretrained,
    make_faces,
    make_fer_pipeline,
    save_model,
    to_onnx,
)
from fer_sklearn._model_format import open_model_file, pretrained_names
from fer_sklearn._models import image_shape
from fer_sklearn._onnx_model import HALF, PREDICTOR, _encode_weights
from fer_sklearn.datasets import class_names
from fer_sklearn.exceptions import ModelFileError, PixelStringError
from fer_sklearn.networks import ConvNet

pytest.importorskip("onnx", reason="needs the extra [onnx]")
ort = pytest.importorskip("onnxruntime", reason="needs the extra [onnx]")

WITH_8_BITS = sorted(set(pretrained_names()) - {"large"})
SHAPE = (16, 16)
TINY = {"widths": [(8, 8), (16,)], "dropout": 0.0}


def pipeline(**params):
    defaults = {"network_params": TINY, "max_epochs": 4, "batch_size": 32}
    defaults |= {"random_state": 0, "augment": False, "ema_decay": None}
    return make_fer_pipeline(ConvNet, image_shape=SHAPE, **{**defaults, **params})


@pytest.fixture(scope="module")
def pipe(faces):
    params = {"test_time_flip": True, "temperature": 0.7}
    return pipeline(**params).fit(faces.data, faces.target)


@pytest.fixture(scope="module")
def path(pipe, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "emotions.onnx"
    to_onnx(pipe, path)
    return path


def test_equals_the_pipeline(pipe, path, faces, images):
    model = load_onnx(path)
    expected = pipe.predict_proba(faces.data)
    np.testing.assert_allclose(model.predict_proba(faces.data), expected, atol=1e-5)
    np.testing.assert_allclose(model.predict_proba(images), expected, atol=1e-5)
    np.testing.assert_allclose(
        model.predict_log_proba(images), pipe.predict_log_proba(faces.data), atol=1e-3
    )
    assert model.predict(faces.data).tolist() == pipe.predict(faces.data).tolist()
    assert model.score(faces.data, faces.target) == pipe.score(faces.data, faces.target)


@pytest.mark.parametrize("normalization", ["image", "dataset"])
@pytest.mark.parametrize("flip", [True, False])
def test_what_is_inside(normalization, flip, faces, images, tmp_path):
    params = {"test_time_flip": flip, "normalization": normalization}
    pipe = pipeline(temperature=3.0, max_epochs=1, **params)
    pipe.fit(faces.data, faces.target)
    report = to_onnx(pipe["cnn"], tmp_path / "model.onnx")
    assert report.max_difference < 1e-5
    assert report.agreement == 1
    got = load_onnx(tmp_path / "model.onnx").predict_proba(images)
    np.testing.assert_allclose(got, pipe.predict_proba(images), atol=1e-5)


def test_any_runtime_reads_it(pipe, path, images):
    """Names, types and a batch of any size, without a line of this package."""
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    (faces,), (probabilities,) = session.get_inputs(), session.get_outputs()
    assert (faces.name, faces.type) == ("faces", "tensor(uint8)")
    assert faces.shape == ["batch", *SHAPE]
    assert (probabilities.name, probabilities.type) == (
        "probabilities",
        "tensor(float)",
    )
    for n in (1, 2, 7):
        (got,) = session.run(None, {"faces": images[:n]})
        np.testing.assert_allclose(got, pipe.predict_proba(images[:n]), atol=1e-5)


def test_classes_stand_in_the_file(path, faces, images, tmp_path):
    model = load_onnx(path)
    assert model.classes_.tolist() == list(range(7))
    assert model.class_names_ == list(EMOTIONS)
    assert model.image_shape_ == SHAPE
    clf = FERClassifier(ConvNet, network_params=TINY, max_epochs=1)
    clf.fit(images, np.array(EMOTIONS)[faces.target])
    to_onnx(clf, tmp_path / "names.onnx")
    model = load_onnx(tmp_path / "names.onnx")
    assert model.class_names_ == sorted(EMOTIONS)
    assert set(model.predict(images)) <= set(EMOTIONS)
    clf.fit(images[:99], faces.target[:99] % 2, class_names=["calm", "tense"])
    to_onnx(clf, tmp_path / "own.onnx")
    assert class_names(load_onnx(tmp_path / "own.onnx")) == ["calm", "tense"]


def test_is_a_scikit_learn_estimator(path, faces, images):
    model = load_onnx(path, n_threads=1)
    assert is_classifier(model)
    assert model.fit(faces.data, faces.target) is model
    scores = cross_val_score(model, faces.data, faces.target, cv=2, error_score="raise")
    assert len(scores) == 2
    copy = pickle.loads(pickle.dumps(model))
    assert copy.n_threads == 1
    expected = model.predict_proba(images)
    np.testing.assert_array_equal(copy.predict_proba(images), expected)
    assert len(repr(model)) < 80


def test_parameters_set_later_count(path, images, monkeypatch):
    model = load_onnx(path, n_threads=2)
    expected = model.predict_proba(images)
    made = []

    class Session(ort.InferenceSession):
        def __init__(self, content, options, **kwargs):
            made.append(options.intra_op_num_threads)
            super().__init__(content, options, **kwargs)

    monkeypatch.setattr(ort, "InferenceSession", Session)
    model.predict_proba(images)
    assert made == []
    got = model.set_params(n_threads=1).predict_proba(images)
    assert made == [1]
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_a_clone_is_fitted_and_on_its_own(path, images):
    model = load_onnx(path, n_threads=1)
    copy = clone(model).set_params(n_threads=2, batch_size=7)
    assert (model.n_threads, model.batch_size) == (1, 256)
    assert copy.content is model.content
    np.testing.assert_allclose(
        copy.predict_proba(images), model.predict_proba(images), atol=1e-6
    )


def test_several_threads_share_it(path, images):
    model = pickle.loads(pickle.dumps(load_onnx(path, n_threads=1)))
    expected = model.predict_proba(images)
    model = pickle.loads(pickle.dumps(model))
    with ThreadPoolExecutor(8) as pool:
        for got in pool.map(model.predict_proba, [images] * 16):
            np.testing.assert_allclose(got, expected, atol=1e-6)


def test_batches_do_not_matter(path, images):
    model = load_onnx(path, n_threads=1)
    whole = model.predict_proba(images)
    model.batch_size = 7
    np.testing.assert_allclose(model.predict_proba(images), whole, atol=1e-6)


def test_bad_faces_are_named(path, faces):
    model = load_onnx(path)
    with pytest.raises(PixelStringError, match="Row 1 of X has 2 grey levels"):
        model.predict([faces.data[0], "1 2"])
    with pytest.raises(PixelStringError, match="expected whole numbers of shape"):
        model.predict(np.zeros((1, 48, 48), dtype=np.uint8))


def test_needs_no_torch(path, tmp_path):
    code = (
        "import sys, numpy as np; from fer_sklearn import load_onnx\n"
        f"model = load_onnx({str(path)!r}, n_threads=1)\n"
        "print(model.predict(np.zeros((2, 16, 16), dtype=np.uint8)).shape)\n"
        "print({'torch', 'skorch', 'onnx'} & set(sys.modules))"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["(2,)", "set()"]


# -- the models that come with the package ------------------------------------------


@pytest.mark.parametrize("name", pretrained_names())
def test_a_pretrained_model_is_the_same_in_both_runtimes(name):
    """If it fails after the weights were replaced, run `nox -s export`."""
    pipe, model = load_pretrained(name), load_pretrained(name, runtime="onnx")
    X = make_faces(70, random_state=0).data
    np.testing.assert_allclose(model.predict_proba(X), pipe.predict_proba(X), atol=1e-5)
    assert model.classes_.tolist() == pipe.classes_.tolist()
    assert class_names(model) == class_names(pipe)
    assert image_shape(model) == image_shape(pipe)


def test_weights_of_half_precision_are_written_as_such(pipe, faces, tmp_path):
    """Nothing is lost, and the graph completed with weights is the whole model."""
    onnx = pytest.importorskip("onnx")
    save_model(pipe, tmp_path / "half.fer", dtype="float16")
    pipe = load_model(tmp_path / "half.fer", network=ConvNet)
    to_onnx(pipe, tmp_path / "half.onnx")
    whole = onnx.load(tmp_path / "half.onnx")
    halved = [w.name for w in whole.graph.initializer if w.name.endswith(HALF)]
    assert f"{PREDICTOR}.network.stage0.0.weight{HALF}" in halved
    model = load_onnx(tmp_path / "half.onnx")
    expected = pipe.predict_proba(faces.data)
    np.testing.assert_allclose(model.predict_proba(faces.data), expected, atol=1e-6)

    constants = [w for w in whole.graph.initializer if w.name not in halved]
    del whole.graph.initializer[:]
    whole.graph.initializer.extend(constants)
    with open_model_file(tmp_path / "half.fer") as file:
        weights = _encode_weights(file.read_weights())
    (tmp_path / "both.onnx").write_bytes(whole.SerializeToString() + weights)
    both = load_onnx(tmp_path / "both.onnx")
    onnx.checker.check_model(onnx.load(tmp_path / "both.onnx"))
    np.testing.assert_array_equal(
        both.predict_proba(faces.data), model.predict_proba(faces.data)
    )


def test_the_largest_model_has_no_8_bit_file():
    with pytest.raises(ModelFileError, match=r"no 8-bit file of .large"):
        load_pretrained("large", runtime="onnx-int8")


@pytest.mark.parametrize("name", WITH_8_BITS)
def test_the_8_bit_file_of_a_pretrained_model_is_nearly_the_same(name):
    """If it fails after the weights were replaced, run `nox -s export`."""
    model, small = (load_pretrained(name, runtime=r) for r in ("onnx", "onnx-int8"))
    assert len(small.content) < 0.6 * len(model.content)
    X = make_faces(140, random_state=0).data
    expected, P = model.predict_proba(X), small.predict_proba(X)
    assert np.abs(P - expected).mean() < 0.02
    assert (P.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.9
    assert small.classes_.tolist() == model.classes_.tolist()
    assert class_names(small) == class_names(model)


@pytest.mark.real_data
@pytest.mark.parametrize("name", WITH_8_BITS)
def test_8_bits_cost_little_accuracy(name, fer2013_csv):
    valid = load_fer2013(fer2013_csv, usage="PublicTest")
    accuracy, small = (
        load_pretrained(name, runtime=runtime).score(valid.data, valid.target)
        for runtime in ("onnx", "onnx-int8")
    )
    # They differ on 3 % of the faces: the difference has a standard error of 0.003.
    assert small > accuracy - 0.005


def test_the_weights_of_8_bit_files_have_7_bits(pipe, faces, tmp_path):
    """Processors without VNNI add pairs of products in 16 bits."""
    onnx = pytest.importorskip("onnx")
    path = tmp_path / "int8.onnx"
    to_onnx(pipe, path, int8=True, calibration=faces.data)
    weights = [
        onnx.numpy_helper.to_array(tensor)
        for tensor in onnx.load(path).graph.initializer
        if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) > 1
    ]
    assert weights
    assert max(np.abs(weight.astype(int)).max() for weight in weights) <= 64


def test_an_unknown_runtime_is_refused():
    with pytest.raises(ModelFileError, match="'onnx' or 'onnx-int8', got 'tensorrt'"):
        load_pretrained("nano", runtime="tensorrt")


# -- int8 --------------------------------------------------------------------------


def test_int8_is_small_and_its_loss_is_told(pipe, path, faces, tmp_path, caplog):
    small = tmp_path / "int8.onnx"
    report = to_onnx(
        pipe,
        small,
        int8=True,
        calibration=faces.data[:100],
        evaluation=(faces.data, faces.target),
    )
    model = load_onnx(small, n_threads=1)
    expected, got = pipe.predict_proba(faces.data), model.predict_proba(faces.data)
    assert report.agreement > 0.9
    assert report.agreement == np.mean(expected.argmax(1) == got.argmax(1))
    assert 1e-5 < report.max_difference < 0.2
    assert report.accuracy == pipe.score(faces.data, faces.target)
    assert report.onnx_accuracy == model.score(faces.data, faces.target)
    operators = node_types(small)
    assert {"QuantizeLinear", "DequantizeLinear"} <= operators
    assert "QuantizeLinear" not in node_types(path)
    assert not caplog.records


def node_types(path):
    import onnx

    return {node.op_type for node in onnx.load(path).graph.node}


def test_int8_wants_faces(pipe, faces, tmp_path):
    with pytest.raises(ModelFileError, match="int8=True needs calibration="):
        to_onnx(pipe, tmp_path / "int8.onnx", int8=True)
    with pytest.raises(PixelStringError, match="Row 0 of X has 3 grey levels"):
        to_onnx(pipe, tmp_path / "int8.onnx", int8=True, calibration=["1 2 3"])
    assert not list(tmp_path.iterdir())


# -- what goes wrong ---------------------------------------------------------------


class Unwritable(nn.Module):
    """Takes a step that ONNX has no word for."""

    def __init__(self, n_classes):
        super().__init__()
        self.logits = nn.Linear(256, n_classes)

    def forward(self, faces):
        return self.logits(faces.flatten(1).lgamma())


def test_models_that_differ_are_not_written(faces, tmp_path, monkeypatch):
    from fer_sklearn import _onnx

    pipe = pipeline(max_epochs=1).fit(faces.data, faces.target)
    trace = _onnx._trace_classifier

    def trace_another(classifier, **options):
        other = pickle.loads(pickle.dumps(classifier))
        other.temperature_ = 2.0
        return trace(other, **options)

    monkeypatch.setattr(_onnx, "_trace_classifier", trace_another)
    with pytest.raises(ModelFileError, match=r"probabilities differ by 0\.\d+ from"):
        to_onnx(pipe, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_networks_that_onnx_has_no_words_for(images, faces, tmp_path):
    clf = FERClassifier(Unwritable, max_epochs=1).fit(images, faces.target)
    with pytest.raises(ModelFileError, match=r"Unwritable.* cannot be written as ONNX"):
        to_onnx(clf, tmp_path / "model.onnx")


@pytest.mark.parametrize("content", [b"", b"not a model", b"PK\x05\x06" + bytes(18)])
def test_other_files_are_refused(content, tmp_path):
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(ModelFileError, match=r"model.onnx is .*to_onnx"):
        load_onnx(tmp_path / "model.onnx")


def test_foreign_and_damaged_onnx_models_are_refused(path, tmp_path):
    import onnx

    model = onnx.load(path)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "foreign.onnx")
    with pytest.raises(ModelFileError, match="fer_sklearn did not write it"):
        load_onnx(tmp_path / "foreign.onnx")
    (tmp_path / "cut.onnx").write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ModelFileError, match="to_onnx"):
        load_onnx(tmp_path / "cut.onnx")
    with pytest.raises(ModelFileError, match="No such file"):
        load_onnx(tmp_path / "missing.onnx")


def test_the_extra_is_named(pipe, path, monkeypatch):
    from fer_sklearn.exceptions import MissingExtraError

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    for call in (
        lambda: load_onnx(path),
        lambda: load_pretrained("nano", runtime="onnx"),
        lambda: to_onnx(pipe, path),
    ):
        with pytest.raises(MissingExtraError, match=r'install "onnx.*onnxruntime'):
            call()
