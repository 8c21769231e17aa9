"""Model files: what comes back, what is refused, and that nothing is run."""

import json
import pickle
import struct
import subprocess
import sys
import tracemalloc
import warnings
import zipfile

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
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
    make_fer_pipeline,
    read_model_metadata,
    save_model,
)
from fer_sklearn.datasets import class_names
from fer_sklearn.exceptions import ModelFileError
from fer_sklearn.networks import ConvNet

TINY = {"widths": [(4,), (8,)], "dropout": 0.0}
SHAPE = (16, 16)
FUZZ = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


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


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def forge(path, *, compression=zipfile.ZIP_STORED, **replaced):
    """Write a file with right checksums, some members replaced."""
    names = {"metadata": "metadata.json", "weights": "weights.safetensors"}
    contents = members(path)
    contents.update({names[key]: value for key, value in replaced.items()})
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)


def change_metadata(path, **entries):
    metadata = json.loads(members(path)["metadata.json"])
    forge(path, metadata=json.dumps(metadata | entries))


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
    change_metadata(path, class_names=None)  # as version 0.1 wrote it
    assert class_names(load_model(path, network=TinyNet)) == ["3", "4"]


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


# -- what is refused ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 bytes that are no zip"),
        (b"PK\x03\x04 but not a zip at all, only its first bytes", "are no zip"),
        (pickle.dumps({"weights": [1, 2, 3]}), "are no zip"),
        (b"PK\x05\x06" + bytes(18), "a zip of 0 members"),
    ],
)
def test_other_files_are_refused(content, message, tmp_path):
    (tmp_path / "model.fer").write_bytes(content)
    with pytest.raises(ModelFileError, match=message):
        load_model(tmp_path / "model.fer")


def test_paths_that_lead_nowhere(tmp_path):
    with pytest.raises(ModelFileError, match="No such file or directory"):
        load_model(tmp_path / "missing.fer")
    with pytest.raises(ModelFileError, match="Is a directory"):
        load_model(tmp_path)


def test_other_zips_are_refused(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../etc/metadata.json", "{}")
        archive.writestr("weights.safetensors", "")
    with pytest.raises(ModelFileError, match=r"a zip of '../../etc/metadata.json'"):
        load_model(path)


def test_zip_bombs_cost_nothing(path):
    forge(path, compression=zipfile.ZIP_DEFLATED, weights=bytes(200_000_000))
    assert path.stat().st_size < 300_000
    assert peak_memory(path) < 1_000_000


def test_declared_sizes_cost_nothing(path):
    """A header that speaks of a terabyte is compared before anything is read."""
    header = {"a": {"dtype": "F32", "shape": [2**38], "data_offsets": [0, 2**40]}}
    text = json.dumps(header).encode()
    forge(path, weights=struct.pack("<Q", len(text)) + text)
    assert peak_memory(path) < 1_000_000
    forge(path, weights=struct.pack("<Q", 2**60))
    assert peak_memory(path) < 1_000_000


def peak_memory(path):
    """Bytes needed to refuse a file."""
    tracemalloc.start()
    with pytest.raises(ModelFileError, match=r"compressed|its header says|too much"):
        load_model(path, network=TinyNet)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_large_pictures_cost_nothing(faces, tmp_path, nano):
    """The baseline on 4096x4096 pixels would have 8.6 thousand million weights."""
    save_model(nano, path := tmp_path / "model.fer")
    metadata = json.loads(members(path)["metadata.json"])
    metadata["network"]["name"] = metadata["steps"][-1]["params"]["network"] = (
        "baseline"
    )
    metadata["image_shape"] = [4096, 4096]
    forge(path, metadata=json.dumps(metadata))
    with pytest.raises(ModelFileError, match="does not hold weights of baseline"):
        load_model(path)


def test_newer_formats_are_refused(path):
    change_metadata(path, format=2)
    with pytest.raises(ModelFileError, match=r"has format 2; .* a newer version"):
        load_model(path, network=TinyNet)
    with pytest.raises(ModelFileError, match="has format 2"):
        read_model_metadata(path)


def test_other_versions_are_told(path):
    change_metadata(path, versions={"torch": "2.0.1", "fer_sklearn": "0.1.0"})
    with pytest.warns(UserWarning, match=r"model file was stored with torch 2.0.1"):
        load_model(path, network=TinyNet)


def test_custom_networks_are_named_by_the_caller(path):
    with pytest.raises(ModelFileError, match=r"load_model\(path, network=TinyNet\)"):
        load_model(path)

    class Wider(ConvNet):
        def __init__(self, n_classes, *, widths, dropout):
            super().__init__(n_classes, widths=[(4,), (9,)])

    with pytest.raises(ModelFileError, match=r"weights of Wider: .* shape \(7, 9\)"):
        load_model(path, network=Wider)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"temperature": 0}, "'temperature' .* expected a number above 0"),
        ({"classes": {"dtype": "int64", "values": [1]}}, "two labels or more"),
        ({"classes": {"dtype": "int64", "values": [1, 0]}}, "no sorted labels"),
        ({"classes": {"dtype": "V9", "values": [0, 1]}}, "no type of classes"),
        ({"class_names": ["happy"]}, "has 1 names, expected 7"),
        ({"steps": []}, "cannot be restored"),
        ({"steps": [{"name": "a", "type": "os", "params": {}}]}, "os is no step"),
        ({"kind": "classifier"}, "A classifier has one step"),
        ({"image_shape": [16, 10**9]}, "1 to 4096 pixels"),
    ],
)
def test_wrong_metadata_is_named(path, entries, message):
    entries.setdefault("class_names", None)
    change_metadata(path, **entries)
    with pytest.raises(ModelFileError, match=message):
        load_model(path, network=TinyNet)


@pytest.mark.parametrize("name", ["checkpoint", "callbacks", "no_such_parameter"])
def test_parameters_that_a_file_must_not_set(path, name):
    steps = json.loads(members(path)["metadata.json"])["steps"]
    steps[-1]["params"][name] = "/etc/passwd"
    change_metadata(path, steps=steps)
    with pytest.raises(ModelFileError, match=name):
        load_model(path, network=TinyNet)


def test_weights_that_are_not_finite_are_refused(path):
    weights = bytearray(members(path)["weights.safetensors"])
    weights[-4:] = struct.pack("<f", np.nan)
    forge(path, weights=bytes(weights))
    with pytest.raises(ModelFileError, match="are not finite"):
        load_model(path, network=TinyNet)


# -- any bytes at all --------------------------------------------------------------


@FUZZ
@given(data=st.data())
def test_any_damage_is_refused_or_harmless(data, pipe, path, images):
    """Bytes changed, cut out or put in anywhere, and the end cut off."""
    content = bytearray(path.read_bytes())
    place = st.integers(0, len(content) - 1)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(place)
        length = data.draw(st.sampled_from([0, 1, 2, 4, 400]))
        content[start : start + length] = data.draw(st.binary(max_size=6))
    damaged = path.with_suffix(".damaged")
    damaged.write_bytes(content[: data.draw(st.none() | place)])
    tracemalloc.start()
    try:
        model = load_model(damaged, network=TinyNet)
    except ModelFileError as error:
        assert str(damaged) in str(error)
    else:
        expected = pipe.predict_proba(images[:9])
        np.testing.assert_array_equal(model.predict_proba(images[:9]), expected)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 4_000_000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["tuple", "dict", "a"]), inner, max_size=2)
    ),
    max_leaves=4,
)


def places(value, place=()):
    """Ways to every value inside nested lists and dictionaries."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        yield (*place, key)
        if isinstance(item, dict | list):
            yield from places(item, (*place, key))


@FUZZ
@given(data=st.data())
def test_any_metadata_is_refused_or_makes_a_model(data, path, images):
    """A forger gets the checksums right: then only the checks of values are left."""
    forged = path.with_suffix(".forged")
    forged.write_bytes(path.read_bytes())
    metadata = json.loads(members(path)["metadata.json"])
    *way, last = data.draw(st.sampled_from(sorted(places(metadata), key=repr)))
    owner = metadata
    for key in way:
        owner = owner[key]
    owner[last] = data.draw(JSON)
    forge(forged, metadata=json.dumps(metadata))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This model file was stored with")
        try:
            model = load_model(forged, network=TinyNet)
        except ModelFileError:
            return
    P = model.predict_proba(images[:9])
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-5)
