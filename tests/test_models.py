"""Saving and opening models, and trainings that start from one."""

import os
import pickle
import re
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from torch import nn

from fer_sklearn import (
    EMOTIONS,
    FERClassifier,
    PixelStringTransformer,
    _utils,
    load_model,
    load_pretrained,
    make_fer_pipeline,
    read_model_metadata,
    save_model,
    to_onnx,
)
from fer_sklearn import _model_format as model_format
from fer_sklearn._model_format import pretrained_names
from fer_sklearn._models import image_shape
from fer_sklearn.datasets import class_names
from fer_sklearn.exceptions import FERError, ModelFileError
from fer_sklearn.networks import ConvNet

TINY = {"widths": [(4,), (8,)], "dropout": 0.0}
SHAPE = (16, 16)
SHIPPED = pretrained_names()


class TinyNet(ConvNet):
    """A network of the user's own."""


class Bfloat16Net(nn.Module):
    def __init__(self, n_classes):
        super().__init__()
        self.logits = nn.Linear(256, n_classes, dtype=torch.bfloat16)

    def forward(self, faces):
        return self.logits(faces.flatten(1).bfloat16()).float()


def tiny_pipeline(**params):
    defaults = {"network_params": TINY, "max_epochs": 1, "random_state": 0}
    return make_fer_pipeline(TinyNet, image_shape=SHAPE, **{**defaults, **params})


@pytest.fixture(scope="module")
def pipe(faces):
    augment = {"zoom_range": (0.9, 1.1), "random_state": 3}
    params = {"augment": augment, "test_time_flip": True, "temperature": 1.5}
    return tiny_pipeline(**params).fit(faces.data, faces.target)


@pytest.fixture(scope="module")
def nano(faces):
    pipe = make_fer_pipeline("nano", image_shape=SHAPE, max_epochs=1, batch_size=64)
    return pipe.fit(faces.data, faces.target)


@pytest.fixture
def path(pipe, tmp_path):
    save_model(pipe, tmp_path / "emotions.fer")
    return tmp_path / "emotions.fer"


# -- what comes back ---------------------------------------------------------------


def test_round_trip_is_bit_equal(pipe, path, faces):
    again = load_model(path, network=TinyNet)
    expected = pipe.predict_proba(faces.data)
    np.testing.assert_array_equal(again.predict_proba(faces.data), expected)
    np.testing.assert_array_equal(again.classes_, pipe.classes_)
    assert again.classes_.dtype == pipe.classes_.dtype


def test_parameters_come_back(pipe, path):
    again = load_model(path, network=TinyNet)
    assert repr(clone(again).get_params()) == repr(clone(pipe).get_params())


def test_training_summary_comes_back(pipe, path):
    again = load_model(path, network=TinyNet)["cnn"]
    assert again.history_.equals(pipe["cnn"].history_)
    assert again.n_iter_ == 1
    assert again.stop_reason_ == "max_epochs"
    assert again.temperature_ == 1.5
    assert again.image_shape_ == SHAPE


def test_loaded_model_fits_pickles_and_saves_again(pipe, path, faces, tmp_path):
    again = load_model(path, network=TinyNet)
    save_model(again, tmp_path / "twice.fer")
    assert (tmp_path / "twice.fer").read_bytes() == path.read_bytes()
    copy = pickle.loads(pickle.dumps(again))
    expected = pipe.predict(faces.data)
    np.testing.assert_array_equal(copy.predict(faces.data), expected)
    again.fit(faces.data, faces.target)
    np.testing.assert_array_equal(again.predict(faces.data), expected)


def test_networks_by_name_need_no_class(nano, faces, tmp_path):
    save_model(nano, tmp_path / "nano.fer")
    again = load_model(tmp_path / "nano.fer")
    expected = nano.predict_proba(faces.data)
    np.testing.assert_array_equal(again.predict_proba(faces.data), expected)
    with pytest.raises(ModelFileError, match="Leave network= out"):
        load_model(tmp_path / "nano.fer", network=ConvNet)


@pytest.mark.parametrize(
    "labels",
    [
        np.array(EMOTIONS),
        np.array(EMOTIONS, dtype=object),
        np.arange(7.0),
        np.array([0, 1, 0, 1, 1, 0, 1], dtype=bool),
        np.array([3, 4, 5, 6, 7, 8, 9], dtype=np.uint8),
    ],
    ids=lambda labels: str(labels.dtype),
)
def test_labels_keep_their_type(labels, images, faces, tmp_path):
    clf = FERClassifier(TinyNet, network_params=TINY, max_epochs=1)
    clf.fit(images, labels[faces.target])
    save_model(clf, tmp_path / "labels.fer")
    again = load_model(tmp_path / "labels.fer", network=TinyNet)
    assert type(again) is FERClassifier
    assert again.classes_.dtype.kind == clf.classes_.dtype.kind
    np.testing.assert_array_equal(again.predict(images), clf.predict(images))
    names = list(map(str, clf.classes_.tolist()))
    assert read_model_metadata(tmp_path / "labels.fer")["class_names"] == names


def test_names_of_classes_are_in_the_file(images, faces, tmp_path):
    chosen = np.isin(faces.target, [3, 4])
    clf = FERClassifier(TinyNet, network_params=TINY, max_epochs=1)
    clf.fit(images[chosen], faces.target[chosen], class_names=EMOTIONS)
    path = tmp_path / "few.fer"
    save_model(clf, path)
    assert read_model_metadata(path)["class_names"] == ["happy", "sad"]
    assert class_names(load_model(path, network=TinyNet)) == ["happy", "sad"]
    assert class_names(pickle.loads(pickle.dumps(clf))) == ["happy", "sad"]


def test_half_precision_is_half_the_size(nano, faces, tmp_path):
    for dtype in ("float32", "float16"):
        save_model(nano, tmp_path / dtype, dtype=dtype)
    sizes = [(tmp_path / dtype).stat().st_size for dtype in ("float16", "float32")]
    assert sizes[0] < 0.52 * sizes[1]
    again = load_model(tmp_path / "float16")
    expected = nano.predict_proba(faces.data)
    np.testing.assert_allclose(again.predict_proba(faces.data), expected, atol=1e-3)


def test_bfloat16_weights_come_back(images, faces, tmp_path):
    clf = FERClassifier(Bfloat16Net, max_epochs=1).fit(images, faces.target)
    save_model(clf, tmp_path / "model.fer")
    again = load_model(tmp_path / "model.fer", network=Bfloat16Net)
    np.testing.assert_array_equal(
        again.predict_proba(images), clf.predict_proba(images)
    )


@pytest.mark.parametrize("n_steps", [1, 2])
def test_names_of_columns_come_back(n_steps, images, faces, tmp_path):
    X = pd.DataFrame(images.reshape(210, -1)).add_prefix("pixel")
    model = tiny_pipeline()[-n_steps:] if n_steps > 1 else tiny_pipeline()[-1]
    save_model(model.fit(X, faces.target), tmp_path / "model.fer")
    again = load_model(tmp_path / "model.fer", network=TinyNet)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    with pytest.raises(ValueError, match="feature names should match"):
        again.predict(X.add_prefix("other"))


@pytest.mark.parametrize("augment", [False, "passthrough"])
def test_pipelines_without_augmentation(augment, faces, tmp_path):
    pipe = tiny_pipeline(augment=augment != False)  # noqa: E712
    if augment:
        pipe.set_params(augment=augment)
    pipe.fit(faces.data, faces.target)
    save_model(pipe, tmp_path / "plain.fer")
    again = load_model(tmp_path / "plain.fer", network=TinyNet)
    assert list(again.named_steps) == list(pipe.named_steps)
    expected = pipe.predict_proba(faces.data)
    np.testing.assert_array_equal(again.predict_proba(faces.data), expected)


def test_what_belongs_to_a_place_is_left_behind(faces, tmp_path):
    place = {
        "checkpoint": tmp_path / "run.pt",
        "random_state": np.random.RandomState(0),
        "callbacks": [],
        "class_weight": {0: 2.0},
        "progressive_resizing": (8, 0.5),
    }
    pipe = tiny_pipeline(**place).fit(faces.data, faces.target)
    save_model(pipe, tmp_path / "model.fer")
    params = load_model(tmp_path / "model.fer", network=TinyNet)["cnn"].get_params()
    assert params["checkpoint"] is params["callbacks"] is params["random_state"] is None
    assert params["class_weight"] == {0: 2.0}
    assert params["progressive_resizing"] == (8, 0.5)
    assert str(tmp_path).encode() not in (tmp_path / "model.fer").read_bytes()


def test_metadata_needs_no_torch(path):
    code = (
        "import sys; from fer_sklearn import read_model_metadata as read\n"
        f"metadata = read({str(path)!r})\n"
        "print(metadata['network']['name'], metadata['class_names'][6])\n"
        "print(not {'torch', 'skorch', 'sklearn', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [f"{__name__}.TinyNet", "neutral", "True"]


# -- what cannot be saved ----------------------------------------------------------


def test_foreign_steps_are_refused(faces, tmp_path):
    flat = PixelStringTransformer(image_shape=SHAPE, flatten=True)
    clf = FERClassifier(TinyNet, network_params=TINY, max_epochs=1)
    pipe = make_pipeline(flat, PCA(16), clf).fit(faces.data, faces.target)
    with pytest.raises(ModelFileError, match=r"Step 'pca' .* is a PCA"):
        save_model(pipe, tmp_path / "model.fer")
    with pytest.raises(ModelFileError, match="ends with one, got PCA"):
        save_model(pipe[:-1], tmp_path / "model.fer")


@pytest.mark.parametrize("part", ["pipeline", "classifier"])
def test_a_search_is_saved_as_its_best_model(part, images, faces, tmp_path):
    model, prefix, X = tiny_pipeline(), "cnn__", faces.data
    if part == "classifier":
        model, prefix, X = model["cnn"], "", images
    grid = {f"{prefix}lr": [0.01], f"{prefix}random_state": [0]}
    search = GridSearchCV(model, grid, cv=2).fit(X, faces.target)
    save_model(search, tmp_path / "search.fer")
    save_model(search.best_estimator_, tmp_path / "best.fer")
    saved = [(tmp_path / name).read_bytes() for name in ("search.fer", "best.fer")]
    assert saved[0] == saved[1]


def test_a_search_without_a_best_model_says_what_to_do(faces, tmp_path):
    search = GridSearchCV(tiny_pipeline(), {"cnn__lr": [0.1]}, cv=2, refit=False)
    search.fit(faces.data, faces.target)
    with pytest.raises(
        ModelFileError, match=r"got GridSearchCV\. Fit it with refit=True"
    ):
        save_model(search, tmp_path / "model.fer")


def test_unfitted_and_odd_models_are_refused(pipe, images, faces, tmp_path):
    with pytest.raises(NotFittedError):
        save_model(tiny_pipeline(), tmp_path / "model.fer")
    with pytest.raises(ModelFileError, match="'float32' or 'float16', got 'int8'"):
        save_model(pipe, tmp_path / "model.fer", dtype="int8")

    class WithLayer(TinyNet):
        def __init__(self, n_classes, *, widths, layer):
            super().__init__(n_classes, widths=widths)

    params = {"widths": [(4,)], "layer": nn.GELU}
    clf = FERClassifier(WithLayer, network_params=params, max_epochs=1)
    clf.fit(images, faces.target)
    with pytest.raises(ModelFileError, match="cnn__network_params holds <class"):
        save_model(clf, tmp_path / "model.fer")
    assert not list(tmp_path.iterdir())


def test_a_network_named_anew_after_fit_is_refused(faces, tmp_path):
    pipe = tiny_pipeline().fit(faces.data, faces.target)
    pipe.set_params(cnn__network="nano")
    with pytest.raises(ModelFileError, match=r"changed after fit.*Set them back"):
        save_model(pipe, tmp_path / "a.fer")
    assert not list(tmp_path.iterdir())


def test_weights_beyond_half_precision_are_refused(faces, tmp_path):
    pipe = tiny_pipeline().fit(faces.data, faces.target)
    pipe["cnn"].net_.module_.network.logits.bias.data[0] = 1e6
    with pytest.raises(ModelFileError, match=r"logits.bias' are not finite as float16"):
        save_model(pipe, tmp_path / "model.fer", dtype="float16")


def test_a_full_disk_leaves_the_old_file(pipe, path, monkeypatch):
    before = path.read_bytes()

    def no_space(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_utils.os, "fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        save_model(pipe, path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_custom_networks_are_named_by_the_caller(path):
    with pytest.raises(ModelFileError, match=r"load_model\(path, network=TinyNet\)"):
        load_model(path)

    class Wider(ConvNet):
        def __init__(self, n_classes, *, widths, dropout):
            super().__init__(n_classes, widths=[(4,), (9,)])

    with pytest.raises(ModelFileError, match=r"weights of Wider: .* shape \(7, 9\)"):
        load_model(path, network=Wider)


def test_weights_that_overflow_raise_in_predict(faces, tmp_path):
    """Each of them is finite, so that the file is right."""
    pipe = tiny_pipeline().fit(faces.data, faces.target)
    for weights in pipe["cnn"].net_.module_.network.parameters():
        weights.data.fill_(3e38)
    save_model(pipe, tmp_path / "huge.fer")
    again = load_model(tmp_path / "huge.fer", network=TinyNet)
    for predict in (again.predict, again.predict_proba, again.predict_log_proba):
        with pytest.raises(FERError, match=r"logits that are not finite for row 0"):
            predict(faces.data)


def test_no_face_is_predicted_while_a_model_is_opened(faces, tmp_path, monkeypatch):
    """Large faces would take seconds, and gigabytes."""
    pipe = make_fer_pipeline("nano", max_epochs=1).fit(faces.data, faces.target)
    save_model(pipe, tmp_path / "nano.fer")

    def refuse(self, faces):
        raise AssertionError("a face was predicted")

    monkeypatch.setattr(ConvNet, "forward", refuse)
    load_model(tmp_path / "nano.fer")


# -- the face size that a model wants ----------------------------------------------


def test_image_shape_of_all_kinds_of_models(pipe, faces):
    search = GridSearchCV(tiny_pipeline(), {"cnn__lr": [0.1]}, cv=2)
    flat = PixelStringTransformer(image_shape=(4, 5), flatten=True)
    models = [pipe, pipe["cnn"], search.fit(faces.data, faces.target)]
    assert [image_shape(model) for model in models] == [SHAPE] * 3
    assert image_shape(make_pipeline(flat, PCA(2))) == (4, 5)
    assert image_shape(PCA(2)) == (48, 48)


# -- what a name or a path means ---------------------------------------------------


def pipeline(network=None, **params):
    defaults = {"max_epochs": 1, "lr": 1e-9, "random_state": 0, "ema_decay": None}
    return make_fer_pipeline(network, image_shape=SHAPE, **{**defaults, **params})


@pytest.fixture(scope="module")
def trained(faces):
    params = {"network_params": {"dropout": 0.0}, "normalization": "dataset"}
    pipe = pipeline("nano", max_epochs=2, lr=0.1, batch_size=32, **params)
    return pipe.fit(faces.data, faces.target)


@pytest.fixture
def folder(trained, tmp_path, monkeypatch):
    """A folder of shipped models with one in it, "tiny"."""
    folder = tmp_path / "weights"
    folder.mkdir()
    save_model(trained, folder / "tiny.fer")
    (folder / "tiny.md").write_text("# A card")
    monkeypatch.setattr(model_format, "weights_folder", lambda: folder)
    return folder


def state(pipe):
    return {k: v.numpy() for k, v in pipe["cnn"].net_.module_.state_dict().items()}


def assert_same_weights(first, second, *, apart_from=()):
    """Compare learnt weights; batch statistics move in every epoch."""
    for name, array in state(first).items():
        if "running" in name or "num_batches" in name or "normalize" in name:
            continue
        same = np.allclose(array, state(second)[name], atol=1e-6)
        assert same != (name in apart_from), name


def test_names_run_folders_and_files_are_models(trained, folder, faces, tmp_path):
    expected = trained.predict_proba(faces.data)
    run = tmp_path / "run"
    run.mkdir()
    (run / "model.fer").write_bytes((folder / "tiny.fer").read_bytes())
    models = [load_model(m) for m in ("tiny", folder / "tiny.fer", run, str(run))]
    for model in [*models, load_pretrained("tiny")]:
        np.testing.assert_array_equal(model.predict_proba(faces.data), expected)


def test_onnx_files_are_models(trained, faces, tmp_path):
    pytest.importorskip("onnxruntime", reason="needs the extra [onnx]")
    to_onnx(trained, tmp_path / "tiny.onnx")
    model = load_model(tmp_path / "tiny.onnx")
    assert type(model).__name__ == "OnnxClassifier"
    assert image_shape(model) == SHAPE
    expected = trained.predict_proba(faces.data)
    np.testing.assert_allclose(model.predict_proba(faces.data), expected, atol=1e-5)


def test_a_name_never_means_a_file(trained, folder, tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    (here / "tiny").write_text("a file of that name")
    monkeypatch.chdir(here)
    load_model("tiny")
    for path in (Path("tiny"), "./tiny"):
        with pytest.raises(ModelFileError, match="not a model file"):
            load_model(path)


def test_unknown_names_are_answered_with_those_there(folder):
    for load in (load_model, load_pretrained):
        with pytest.raises(ModelFileError, match=r"model 'huge'. There are: tiny"):
            load("huge")
    with pytest.raises(ModelFileError, match="opened by load_model"):
        load_pretrained(folder / "tiny.fer")
    (folder / "tiny.fer").unlink()
    with pytest.raises(ModelFileError, match="none in this installation"):
        load_pretrained()


@pytest.mark.parametrize(
    "model", ["../tiny", "/no/where/tiny.fer", "a\0b.fer", "tiny.x"]
)
def test_paths_that_lead_nowhere(model, folder):
    with pytest.raises(
        ModelFileError, match=r"does not exist\. Give a model file, a run"
    ):
        load_model(model)


def test_folders_without_a_model_say_what_to_do(folder, tmp_path):
    run = tmp_path / "runs" / "today"
    run.mkdir(parents=True)
    with pytest.raises(ModelFileError, match=r"not a run folder.* that train made"):
        load_model(run)
    (run / "config.json").write_text("{}")
    with pytest.raises(ModelFileError, match=r"interrupted, resume it: .*--resume"):
        load_model(run)
    (run / "model.fer").write_bytes(b"")
    with pytest.raises(ModelFileError, match=r"Do you mean .*today\?"):
        load_model(run.parent)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
def test_pipes_are_refused_rather_than_waited_for(tmp_path):
    os.mkfifo(tmp_path / "model.fer")
    with pytest.raises(ModelFileError, match="is a device or a pipe"):
        load_model(tmp_path / "model.fer")


# -- models that come with the package ---------------------------------------------


def test_shipped_models_do_not_warn_of_other_versions(folder, monkeypatch):
    from fer_sklearn._training import checkpoint

    monkeypatch.setattr(checkpoint, "version", lambda name: "99.0")
    load_pretrained("tiny")
    with pytest.warns(UserWarning, match=r"here 99\.0"):
        load_model(folder / "tiny.fer")


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_models_know_the_emotions(name):
    pipe = load_pretrained(name)
    assert pipe.classes_.tolist() == list(range(len(EMOTIONS)))
    P = pipe.predict_proba(np.zeros((2, 48, 48), dtype=np.uint8))
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_models_hold_the_defaults_for_a_later_fit(name):
    pipe = load_pretrained(name)
    flip = pipe["cnn"].test_time_flip
    scratch = make_fer_pipeline(name, image_shape=(48, 48), test_time_flip=flip)
    assert repr(clone(pipe).get_params()) == repr(scratch.get_params())


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_models_have_a_card_and_betray_no_place(name):
    folder = model_format.weights_folder()
    card = (folder / f"{name}.md").read_text(encoding="utf-8")
    for word in ("macro F1", "Limits", "EU AI Act"):
        assert word in card
    metadata = read_model_metadata(folder / f"{name}.fer")
    assert metadata["class_names"] == list(EMOTIONS)
    assert not re.search(r"/(home|tmp|work|root)/", str(metadata))


@pytest.mark.skipif(not SHIPPED, reason="no trained model is there yet")
def test_a_shipped_model_loads_in_a_moment():
    import fer_sklearn._pipeline  # noqa: F401, what torch costs is not ours

    start = time.process_time()
    load_pretrained(SHIPPED[0])
    assert time.process_time() - start < 1


# -- starting from a model ---------------------------------------------------------


def test_same_classes_start_with_all_weights(trained, folder, faces):
    pipe = pipeline(pretrained="tiny").fit(faces.data, faces.target)
    assert pipe["cnn"].network == "nano"
    assert pipe["cnn"].network_params == {"dropout": 0.0}
    assert_same_weights(pipe, trained)
    normalizers = [p["cnn"].net_.module_.normalize for p in (pipe, trained)]
    assert str(normalizers[0]) == str(normalizers[1])


def test_other_classes_start_with_a_new_head(trained, folder, faces):
    y = np.array(EMOTIONS)[faces.target]
    pipe = pipeline(pretrained="tiny").fit(faces.data, y)
    head = {"network.logits.weight", "network.logits.bias"}
    assert_same_weights(pipe, trained, apart_from=head)
    two = pipeline(pretrained="tiny").fit(faces.data, y == "happy")
    assert two.predict_proba(faces.data[:3]).shape == (3, 2)


def test_a_given_normalization_wins(folder, faces):
    pipe = pipeline(pretrained="tiny", normalization="image")
    pipe.fit(faces.data, faces.target)
    assert pipe["cnn"].net_.module_.normalize.per_image


def test_partial_fit_starts_from_it_too(trained, folder, faces, images):
    clf = FERClassifier("nano", pretrained="tiny", lr=1e-9, ema_decay=None)
    clf.partial_fit(images, faces.target, classes=range(7))
    weight = clf.net_.module_.network.logits.weight.detach().numpy()
    expected = state(trained)["network.logits.weight"]
    np.testing.assert_allclose(weight, expected, atol=1e-6)


def test_paths_will_do_and_clones_keep_them(trained, folder, faces):
    pipe = pipeline(pretrained=folder / "tiny.fer")
    pipe = clone(pipe).fit(faces.data, faces.target)
    assert_same_weights(pipe, trained)


def test_a_tuned_model_is_saved_without_its_recipe(folder, faces):
    """A later fit starts from scratch: there, settings for tuning are a trap."""
    params = {"precision": "bfloat16", "test_time_flip": True, "temperature": 1.5}
    tuned = pipeline(
        pretrained=folder / "tiny.fer", augment={"zoom_range": 0}, **params
    )
    tuned.fit(faces.data, faces.target)
    save_model(tuned, folder / "tuned.fer")
    (folder / "tiny.fer").unlink()
    assert str(folder).encode() not in (folder / "tuned.fer").read_bytes()
    again = load_model(folder / "tuned.fer")
    scratch = make_fer_pipeline(
        "nano",
        image_shape=SHAPE,
        network_params={"dropout": 0.0},
        test_time_flip=True,
        temperature=1.5,
    )
    assert repr(again.get_params()) == repr(scratch.get_params())
    expected = tuned.predict_proba(faces.data)
    np.testing.assert_array_equal(again.predict_proba(faces.data), expected)
    again = clone(again).set_params(cnn__max_epochs=1).fit(faces.data, faces.target)
    assert again["cnn"].n_iter_ == 1


def test_it_can_be_searched_over(folder, faces):
    search = GridSearchCV(
        pipeline("nano", network_params={"dropout": 0.0}),
        {"cnn__pretrained": [None, "tiny"]},
        cv=2,
        error_score="raise",
    )
    search.fit(faces.data, faces.target)
    assert search.best_params_ == {"cnn__pretrained": "tiny"}


def test_the_network_must_match(folder, faces, images):
    clf = FERClassifier("compact", pretrained="tiny")
    with pytest.raises(ModelFileError, match=r"holds the network 'nano', .* Choose"):
        clf.fit(images, faces.target)
    clf = FERClassifier(
        ConvNet, network_params={"widths": [(8,)]}, pretrained=folder / "tiny.fer"
    )
    with pytest.raises(ModelFileError, match=r"does not hold weights of .*ConvNet"):
        clf.fit(images, faces.target)
    assert not hasattr(clf, "net_")


def test_networks_of_ones_own(faces, tmp_path):
    class NoHead(ConvNet):
        def __init__(self, n_classes):
            super().__init__(n_classes, widths=[(8,), (n_classes,)])
            self.logits = self.dropout

    path = tmp_path / "own.fer"
    pipe = pipeline(NoHead).fit(faces.data, faces.target)
    save_model(pipe, path)
    with pytest.raises(ModelFileError, match=r"Pass its class: .*network=\.\.\."):
        pipeline(pretrained=path)
    tuned = pipeline(NoHead, pretrained=path).fit(faces.data, faces.target)
    assert_same_weights(tuned, pipe)
    with pytest.raises(ModelFileError, match="Let it end with one"):
        pipeline(NoHead, pretrained=path).fit(faces.data, faces.target % 3)


def test_prediction_needs_no_compiler_of_torch():
    """torch imports it for an optimizer, which takes longer than all the rest."""
    code = """
    import sys
    import numpy as np
    from fer_sklearn import load_pretrained
    load_pretrained("nano").predict(np.zeros((1, 48, 48), np.uint8))
    print(*sys.modules)
    """
    loaded = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not {"torch._dynamo", "sympy", "torch._inductor"} & set(loaded)
