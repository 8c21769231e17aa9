"""Model files: what is in one, what is refused and at what cost; no code is run."""

import json
import pickle
import struct
import time
import tracemalloc
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_network import TinyNet

from fer_sklearn import (
    FERClassifier,
    load_model,
    make_fer_pipeline,
    read_model_metadata,
    save_model,
)
from fer_sklearn._model_format import MAX_HEADER_BYTES, pack_value, unpack_value
from fer_sklearn.cli import main
from fer_sklearn.datasets import class_names
from fer_sklearn.exceptions import FERError, ModelFileError

SHAPE = (16, 16)
FUZZ = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def pipe(faces):
    pipe = make_fer_pipeline(TinyNet, image_shape=SHAPE, max_epochs=1, random_state=0)
    return pipe.fit(faces.data, faces.target)


@pytest.fixture
def path(pipe, tmp_path):
    save_model(pipe, tmp_path / "emotions.fer")
    return tmp_path / "emotions.fer"


def read(path):
    """Header and tensors of a safetensors file, by its documentation alone."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def write(path, header, tensors=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + tensors)


def metadata_of(path):
    return json.loads(read(path)[0]["__metadata__"]["fer_sklearn"])


def forge(path, metadata):
    """Replace the description by another, given as JSON or as its text."""
    header, tensors = read(path)
    if not isinstance(metadata, str):
        weights = safetensors.numpy.load_file(path)
        metadata = metadata | {"checksum": checksum(metadata, weights)}
    text = metadata if isinstance(metadata, str) else json.dumps(metadata)
    write(path, {**header, "__metadata__": {"fer_sklearn": text}}, tensors)


def checksum(metadata, weights):
    described = {name: value for name, value in metadata.items() if name != "checksum"}
    crc = zlib.crc32(json.dumps(described).encode())
    for name in sorted(weights):
        crc = zlib.crc32(weights[name].tobytes(), crc)
    return crc


def change_metadata(path, **entries):
    forge(path, metadata_of(path) | entries)


# -- what is in a file -------------------------------------------------------------


def test_it_is_a_safetensors_file(pipe, path):
    weights = safetensors.numpy.load_file(path)
    state = pipe["cnn"].net_.module_.state_dict()
    assert weights.keys() == state.keys()
    for name, tensor in state.items():
        np.testing.assert_array_equal(weights[name], tensor.numpy())
    assert metadata_of(path) == read_model_metadata(path)
    assert metadata_of(path)["format"] == 2


@pytest.mark.parametrize(
    "value", [None, True, 3, 0.5, "a", [1, [2]], (1, (2.5, "b")), {0: {"a": (1,)}}, {}]
)
def test_parameters_come_back_as_they_were(value):
    assert unpack_value(json.loads(json.dumps(pack_value("a", value)))) == value


@pytest.mark.parametrize("value", [print, np.zeros(3), float("inf"), {(1, 2): 3}])
def test_other_parameters_are_refused(value):
    with pytest.raises(ModelFileError, match="The parameter a holds"):
        pack_value("a", value)


# -- what is refused ---------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 a zip, as model files of the first format were",
        pickle.dumps({"weights": [1, 2, 3]}),
        b"emotion,pixels,Usage\n0,1 2 3,Training\n",
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 5) + b"[[[[[",
        safetensors.numpy.save({"a": np.zeros(3)}),
        safetensors.numpy.save({"a": np.zeros(3)}, metadata={"fer_sklearn": "7"}),
    ],
)
def test_other_files_are_refused(content, tmp_path):
    path = tmp_path / "model.fer"
    path.write_bytes(content)
    for read_it in (load_model, read_model_metadata):
        with pytest.raises(ModelFileError, match=r"not a model file of fer_sklearn"):
            read_it(path)


@pytest.mark.parametrize(
    "tensor",
    [
        {"dtype": "F32", "shape": [2**38], "data_offsets": [0, 2**40]},
        {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]},
        {"dtype": "F32", "shape": [2**20], "data_offsets": [0, 8]},
    ],
)
def test_lies_about_sizes_cost_nothing(tensor, path):
    """A header that speaks of a terabyte is compared with the file."""
    header, tensors = read(path)
    for n_bytes in (0, 8, len(tensors)):
        write(path, {**header, "forged": tensor}, tensors[:n_bytes])
        assert cost_of_refusing(path, "damaged or not a model file") < 1_000_000


def test_large_headers_cost_nothing(path):
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", MAX_HEADER_BYTES + 1))
        file.truncate(2**40)  # a terabyte that takes no disk
    assert cost_of_refusing(path, "not a model file") < 1_000_000


def test_large_networks_cost_nothing(path):
    """This one would have five gigabytes of weights."""
    steps = metadata_of(path)["steps"]
    steps[-1]["params"]["network_params"] = pack_value("", {"width": 10**7})
    load_model(path, network=TinyNet)  # which imports what is needed
    change_metadata(path, steps=steps)
    message = (
        r"is F32 of shape \(8,\) in the file and float32 of shape \(10000000,\) in"
    )
    assert cost_of_refusing(path, message) < 1_000_000


def cost_of_refusing(path, message):
    """Bytes of memory needed, those of the safetensors library included on Linux."""
    peak = Path("/proc/self/clear_refs")
    before = reset_peak() if peak.exists() else 0
    tracemalloc.start()
    with pytest.raises(ModelFileError, match=message):
        load_model(path, network=TinyNet)
    cost = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return max(cost, status("VmHWM") - before) if peak.exists() else cost


def reset_peak():
    Path("/proc/self/clear_refs").write_text("5")
    return status("VmRSS")


def status(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{name}:"))
    return 1024 * int(line.split()[1])


def test_tensors_must_be_those_of_the_network(path):
    header, tensors = read(path)
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [len(tensors)] * 2}
    write(path, {**header, "more\x1b": empty}, tensors)
    with pytest.raises(ModelFileError, match=r"it has 'more\\x1b' only in the file"):
        load_model(path, network=TinyNet)
    renamed = {name.replace("bias", "bios"): entry for name, entry in header.items()}
    write(path, renamed, tensors)
    with pytest.raises(
        ModelFileError, match=r"it has 'network.0.bias' only in the net"
    ):
        load_model(path, network=TinyNet)
    header["network.0.bias"]["dtype"] = "I32"
    write(path, header, tensors)
    with pytest.raises(ModelFileError, match=r"is I32 of shape \(8,\) in the file"):
        load_model(path, network=TinyNet)


def test_types_that_numpy_does_not_have_are_refused(path):
    header, tensors = read(path)
    for dtype, n_bytes in (("BF16", 16), ("F8_E4M3", 8)):
        shape = [len(tensors) // (n_bytes // 8)]
        entry = {"dtype": dtype, "shape": shape, "data_offsets": [0, len(tensors)]}
        metadata = header["__metadata__"]
        write(path, {"__metadata__": metadata, "network.0.bias": entry}, tensors)
        with pytest.raises(ModelFileError, match="does not hold weights of TinyNet"):
            load_model(path, network=TinyNet)


def test_weights_that_are_not_finite_are_refused(path):
    header, tensors = read(path)
    write(path, header, tensors[:-4] + struct.pack("<f", np.nan))
    with pytest.raises(ModelFileError, match="damaged: its checksum is wrong"):
        load_model(path, network=TinyNet)
    forge(path, metadata_of(path))
    with pytest.raises(ModelFileError, match="are not finite"):
        load_model(path, network=TinyNet)


@pytest.mark.parametrize("number", [1, 3, 2**40])
def test_other_formats_are_refused(number, path):
    change_metadata(path, format=number)
    for read_it in (load_model, read_model_metadata):
        with pytest.raises(
            ModelFileError, match=rf"has format {number}; .* format 2\."
        ):
            read_it(path)


def test_other_versions_are_told(path):
    change_metadata(path, versions={"torch": "2.0.1", "fer_sklearn": "0.1.0"})
    with pytest.warns(UserWarning, match=r"model file was stored with torch 2.0.1"):
        load_model(path, network=TinyNet)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"temperature": 0}, "'temperature' .* expected a number from 0.001 to 1000"),
        ({"temperature": 1e-320}, "a number from 0.001 to 1000"),
        ({"temperature": True}, "a number from 0.001 to 1000"),
        ({"normalization": {"per_image": False, "mean": 0, "std": 1e308}}, "1e9"),
        ({"normalization": {"per_image": False, "mean": 1e300, "std": 1}}, "1e9"),
        ({"normalization": {"per_image": False, "mean": 0, "std": 0}}, "1e9"),
        ({"classes": {"dtype": "int64", "values": [1]}}, "two or more labels"),
        ({"classes": {"dtype": "int64", "values": [1, "a"]}}, "labels of one type"),
        ({"classes": {"dtype": "int64", "values": [1, 0]}}, "not sorted labels"),
        ({"classes": {"dtype": "int8", "values": [0, 300]}}, "'classes' .* is wrong"),
        ({"classes": {"dtype": "V9", "values": [0, 1]}}, "their dtype, one of"),
        ({"class_names": ["happy"]}, "has 1 names, expected 7"),
        ({"class_names": None}, "is None, expected a list of names"),
        ({"feature_names": ["a"]}, "has 1 names, expected 256"),
        ({"steps": []}, "cannot be restored"),
        ({"steps": [{"name": "a", "type": "os", "params": {}}]}, "os is not a step"),
        ({"kind": "classifier"}, "A classifier has one step"),
        ({"kind": ["classifier"]}, "expected 'pipeline' or 'classifier'"),
        ({"image_shape": [16, 10**9]}, r"at most 262144 \(512x512\) in all"),
        ({"image_shape": [2000, 2000]}, r"at most 262144 \(512x512\) in all"),
        ({"image_shape": [0, 16]}, "height and width in pixels"),
        ({"image_shape": [16]}, "height and width in pixels"),
        ({"versions": {"torch": 2}}, "versions of libraries"),
    ],
)
def test_wrong_metadata_is_named(path, entries, message):
    change_metadata(path, **entries)
    with pytest.raises(ModelFileError, match=message):
        load_model(path, network=TinyNet)


@pytest.mark.parametrize("number", ["1e999", "NaN", "-Infinity", "9" * 30, "9" * 5000])
def test_numbers_are_finite_and_of_64_bits(number, path):
    forge(
        path,
        json.dumps(metadata_of(path) | {"temperature": 7.5}).replace("7.5", number),
    )
    with pytest.raises(ModelFileError, match=r"ValueError"):
        load_model(path, network=TinyNet)


@pytest.mark.parametrize(
    "name", ["checkpoint", "callbacks", "pretrained", "no_such_parameter"]
)
def test_parameters_that_a_file_must_not_set(path, name):
    steps = metadata_of(path)["steps"]
    steps[-1]["params"][name] = "/etc/passwd"
    change_metadata(path, steps=steps)
    with pytest.raises(ModelFileError, match=name):
        load_model(path, network=TinyNet)


@pytest.mark.parametrize("device", ["meta", "cuda:99", "mps\x00", 3])
def test_devices_in_a_file_are_checked(path, device):
    steps = metadata_of(path)["steps"]
    steps[-1]["params"]["device"] = device
    change_metadata(path, steps=steps)
    with pytest.raises(ModelFileError, match=r"device is|control characters"):
        load_model(path, network=TinyNet)


def test_the_device_of_a_training_must_have_values(images, faces):
    clf = FERClassifier(TinyNet, max_epochs=1, device="meta")
    with pytest.raises(ValueError, match="The device 'meta' cannot be used here"):
        clf.fit(images, faces.target)


def test_networks_with_other_outputs_raise_in_predict(path, images):
    """A network of one's own need not have a size for each number of classes."""
    classes = {"dtype": "int64", "values": [0, 1, 2]}
    change_metadata(path, classes=classes, class_names=["a", "b", "c"])
    model = load_model(path, network=lambda: TinyNet(7))
    with pytest.raises(FERError, match=r"logits of shape \(2, 7\), expected \(2, 3\)"):
        model.predict(images[:2])


# -- what it costs -----------------------------------------------------------------


def test_opening_costs_as_much_as_the_history_is_long(path):
    row = metadata_of(path)["training"]["history"][0]
    seconds = []
    for n_rows in (4_000, 16_000):
        training = {"n_iter": 1, "stop_reason": "max_epochs", "history": [row] * n_rows}
        change_metadata(path, training=training)
        start = time.process_time()
        model = load_model(path, network=TinyNet)
        seconds.append(time.process_time() - start)
        assert len(model["cnn"].history_) == n_rows
    assert seconds[1] < 8 * seconds[0] + 0.5  # 16 times, if the cost were quadratic


def test_a_file_of_many_tensors_is_refused_at_once(path):
    header, tensors = read(path)
    empty = {"dtype": "U8", "shape": [0], "data_offsets": [len(tensors)] * 2}
    write(path, header | {f"t{n}": empty for n in range(30_000)}, tensors)
    start = time.process_time()
    with pytest.raises(ModelFileError, match=r"it has 't0' only in the file"):
        load_model(path, network=TinyNet)
    assert time.process_time() - start < 5


# -- names in a terminal -----------------------------------------------------------

RED = "\x1b[31mred"


@pytest.mark.parametrize(
    "text", [RED, "a\nb", "\x9b2J", "\u202eevil", "\ud800", "\x7f"]
)
def test_control_characters_in_a_file_are_refused(text, path, capsys):
    whole = metadata_of(path)
    steps, training = whole["steps"], whole["training"]
    named = [{**steps[0], "name": text}, *steps[1:]]
    odd = [*steps[:-1], {**steps[-1], "params": {text: 1}}]
    for entries in (
        {"class_names": [text, *whole["class_names"][1:]]},
        {"versions": {"torch": text}},
        {"versions": {text: "2.0"}},
        {"steps": named},
        {"steps": odd},
        {"training": {**training, "stop_reason": text}},
        {"training": {**training, "history": [{text: 1}]}},
        {"network": {**whole["network"], "name": text}},
        {"feature_names": [text] * 256},
    ):
        forge(path, whole | entries)
        with pytest.raises(ModelFileError, match="has control characters") as refused:
            load_model(path, network=TinyNet)
        assert text not in str(refused.value)
        assert main(["inspect", str(path)]) == 1
        assert text not in capsys.readouterr().err


def test_control_characters_in_labels_are_shown_escaped(
    images, faces, tmp_path, capsys
):
    """They are the user's own, so the model is saved, and predicts them."""
    labels = np.array([RED, "größer", "غم\u200cگین", "3", "4", "5", "6"])
    clf = FERClassifier(TinyNet, max_epochs=1).fit(images, labels[faces.target])
    path = tmp_path / "odd.fer"
    save_model(clf, path)
    again = load_model(path, network=TinyNet)
    assert set(again.classes_) == set(labels)
    assert "\\x1b[31mred" in class_names(again)
    assert {"größer", "غم\u200cگین"} < set(class_names(again))
    assert main(["inspect", str(path)]) == 0
    out = capsys.readouterr().out
    assert "\\x1b[31mred" in out
    assert "\x1b" not in out


# -- any bytes at all --------------------------------------------------------------


@FUZZ
@given(data=st.data())
def test_any_damage_is_refused_or_harmless(data, pipe, path, images):
    """Bytes changed, cut out or put in anywhere, and the end cut off."""
    expected = pipe.predict_proba(images[:9])
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
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "This model file was stored with")
            model = load_model(damaged, network=TinyNet)
    except ModelFileError as error:
        assert str(damaged) in str(error)
    else:
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
    forged = path.with_suffix(".forged")
    forged.write_bytes(path.read_bytes())
    metadata = metadata_of(path)
    *way, last = data.draw(st.sampled_from(sorted(places(metadata), key=repr)))
    owner = metadata
    for key in way:
        owner = owner[key]
    owner[last] = data.draw(JSON)
    forge(forged, metadata)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This model file was stored with")
        try:
            model = load_model(forged, network=TinyNet)
        except ModelFileError:
            return
    P = model.predict_proba(images[:9])
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-5)
