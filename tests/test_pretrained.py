"""Models that come with the package, and trainings that start from one."""

import re
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from fer_sklearn import (
    EMOTIONS,
    FERClassifier,
    load_model,
    load_pretrained,
    make_fer_pipeline,
    read_model_metadata,
    save_model,
)
from fer_sklearn import _shipped_models as weights
from fer_sklearn._model_file import open_model_file, write_model_file
from fer_sklearn.exceptions import ModelFileError
from fer_sklearn.networks import ConvNet

SHAPE = (16, 16)
SHIPPED = weights.pretrained_names()


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
    save_model(trained, tmp_path / "tiny.fer")
    (tmp_path / "tiny.md").write_text("# A card")
    monkeypatch.setattr(weights, "weights_folder", lambda: tmp_path)
    return tmp_path


def state(pipe):
    return {k: v.numpy() for k, v in pipe["cnn"].net_.module_.state_dict().items()}


def assert_same_weights(first, second, *, apart_from=()):
    """Compare learnt weights; batch statistics move in every epoch."""
    for name, array in state(first).items():
        if "running" in name or "num_batches" in name or "normalize" in name:
            continue
        same = np.allclose(array, state(second)[name], atol=1e-6)
        assert same != (name in apart_from), name


# -- load_pretrained ---------------------------------------------------------------


def test_loads_by_name(trained, folder, faces):
    pipe = load_pretrained("tiny")
    expected = trained.predict_proba(faces.data)
    np.testing.assert_array_equal(pipe.predict_proba(faces.data), expected)


def test_a_path_is_no_name(folder, tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    (here / "tiny").write_text("a file of that name, without a suffix")
    monkeypatch.chdir(here)
    with pytest.raises(ModelFileError, match="not a model file"):
        load_pretrained(Path("tiny"))


def test_unknown_names_are_answered_with_those_there(folder):
    with pytest.raises(ModelFileError, match=r"model 'huge'. There are: tiny; or give"):
        load_pretrained("huge")
    (folder / "tiny.fer").unlink()
    with pytest.raises(ModelFileError, match="none in this installation"):
        load_pretrained()


def test_names_do_not_lead_out_of_the_folder(folder):
    with pytest.raises(ModelFileError, match="No such file"):
        load_pretrained("../tiny")


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
    folder = weights.weights_folder()
    card = (folder / f"{name}.md").read_text(encoding="utf-8")
    for word in ("macro F1", "Limits", "EU AI Act"):
        assert word in card
    metadata = read_model_metadata(folder / f"{name}.fer")
    assert metadata["class_names"] == list(EMOTIONS)
    assert not re.search(r"/(home|tmp|work|root)/", str(metadata))


@pytest.mark.skipif(not SHIPPED, reason="no trained model is there yet")
def test_a_shipped_model_loads_in_a_moment():
    import fer_sklearn._pretrained  # noqa: F401, what torch costs is not ours

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


def test_files_that_name_a_pretrained_model_still_open(trained, folder):
    """Version 0.1 stored the user's path."""
    with open_model_file(folder / "tiny.fer") as file:
        metadata, weights = file.metadata, file.read_weights()
    metadata["steps"][-1]["params"]["pretrained"] = "/home/somebody/model.fer"
    write_model_file(folder / "old.fer", metadata, weights)
    assert load_model(folder / "old.fer")["cnn"].pretrained is None


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


def test_weights_are_found_without_torch():
    code = (
        "import sys; from fer_sklearn._shipped_models import pretrained_names\n"
        "pretrained_names(); print('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    assert "False" in subprocess.run(command, capture_output=True, text=True).stdout


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
