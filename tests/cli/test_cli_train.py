import ctypes
import json
import os
import signal
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.base import clone

from fer_sklearn import (
    EMOTIONS,
    load_model,
    make_baseline_pipeline,
    make_faces,
    make_fer_pipeline,
)
from fer_sklearn.cli import main
from fer_sklearn.cli.parser import build_parser
from fer_sklearn.cli.train import (
    Progress,
    build_pipeline,
    find_soft_targets,
    make_config,
    read_data,
    resolve_parameters,
)
from fer_sklearn.exceptions import FERError
from fer_sklearn.model_selection import unseen_rows

FILES = [
    "augmented_faces.png",
    "class_frequencies.png",
    "config.json",
    "confusion_matrix.png",
    "history.csv",
    "metrics.json",
    "model.fer",
    "training_curves.png",
]
HAS_PLOTS = find_spec("matplotlib") is not None
if not HAS_PLOTS:
    FILES = [name for name in FILES if not name.endswith(".png")]


def _pipeline(*args):
    config = make_config(build_parser().parse_args(["train", *args]))
    return build_pipeline(config["options"])


def _params(pipe):
    return {name: value for name, value in pipe.get_params().items() if "__" in name}


# -- settings ------------------------------------------------------------------------


def test_without_options_it_is_the_default_pipeline():
    assert _params(_pipeline()) == _params(make_fer_pipeline(random_state=0))


def test_options_reach_the_pipeline():
    pipe = _pipeline(
        *"--network nano --epochs 7 --max-time 2m --batch-size 64 --lr 0.5 --seed 3 "
        "--device cpu --precision bfloat16 --set cnn__label_smoothing=0.2 "
        "--set augment__zoom_range=(0.8,1.1) --set cnn__optimizer=adam".split()
    )
    expected = make_fer_pipeline(
        "nano",
        max_epochs=7,
        max_time=120.0,
        batch_size=64,
        lr=0.5,
        random_state=3,
        device="cpu",
        precision="bfloat16",
        label_smoothing=0.2,
        augment={"zoom_range": (0.8, 1.1)},
        optimizer="adam",
    )
    assert _params(pipe) == _params(expected)


def test_preset_baseline_is_the_notebooks_pipeline():
    pipe = _pipeline("--preset", "baseline", "--epochs", "5")
    expected = make_baseline_pipeline(max_epochs=5, random_state=0)
    assert _params(pipe) == _params(expected)


@pytest.mark.parametrize("preset", [[], ["--preset", "baseline"]])
def test_no_augment_leaves_the_step_out(preset):
    assert list(clone(_pipeline("--no-augment", *preset)).named_steps) == [
        "pixels",
        "cnn",
    ]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--set", "cnn__colour=3"], "--set cnn__colour: cnn has "),
        (["--set", "net__lr=3"], "--set net__lr: the steps of the pipeline are pixels"),
        (["--set", "cnn__lr=-1"], "--set cnn__lr must be a float"),
        (["--set", "augment__zoom_range=a"], "--set augment__zoom_range must be"),
        (["--out", "."], "is not empty. Choose another --out"),
        (["--network", "mini"], "--network mini is unknown; choose one of nano"),
    ],
)
def test_impossible_settings_end_before_any_training(args, message, train, capsys):
    if "--network" in args:
        args = [*args, "--set", "pixels__image_shape=(16,16)"]
        assert main(["train", *args]) == 1
    else:
        assert train(*args) == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--network", "mini"], "--network mini is unknown; choose one of nano"),
        (["--device", "gpu"], "device 'gpu' cannot be used here"),
        (["--set", "pixels__image_shape=48"], "--set pixels__image_shape must be"),
    ],
)
def test_impossible_settings_end_before_the_data_is_read(args, message, capsys):
    assert main(["train", "nowhere.csv", *args]) == 1
    assert message in capsys.readouterr().err


def test_the_run_folder_is_not_a_file(faces_csv, train, capsys):
    assert train(faces_csv, "--out", "something") == 1
    assert "something is a file; --out names a new folder" in capsys.readouterr().err


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    """What a command leaves in the current folder stays out of the repository."""
    here = tmp_path / "here"
    here.mkdir()
    (here / "something").touch()
    monkeypatch.chdir(here)
    yield
    assert not list(here.glob("runs/*")), "a failed run was left behind"


# -- data ----------------------------------------------------------------------------


def _read(data, seed=0):
    pipe = make_fer_pipeline("nano", image_shape=(16, 16))
    return read_data({"data": data, "options": {"seed": seed}}, pipe)


def test_usage_says_what_is_fitted_and_what_is_validated(faces_csv, faces, images):
    train, valid = _read(faces_csv)
    assert (train.target == faces.target[:140]).all()
    assert (valid.images == images[140:]).all()


def test_private_test_is_left_alone(faces_csv, tmp_path):
    table = pd.read_csv(faces_csv)
    table.loc[:9, "Usage"] = "PrivateTest"
    table.to_csv(tmp_path / "all.csv", index=False)
    assert [len(part) for part in _read(tmp_path / "all.csv")] == [130, 70]
    table = table[table.Usage != "PublicTest"]
    table.to_csv(tmp_path / "two.csv", index=False)
    assert sum(len(part) for part in _read(tmp_path / "two.csv")) == 130


def test_without_usage_a_tenth_is_held_out_with_its_copies(faces, tmp_path):
    table = pd.DataFrame({"emotion": faces.target, "pixels": faces.data})
    pd.concat([table, table.iloc[::3]]).to_csv(tmp_path / "train.csv", index=False)
    train, valid = _read(tmp_path / "train.csv")
    assert len(train) + len(valid) == 280
    assert 20 <= len(valid) <= 40
    assert unseen_rows(valid.images, train.images).all()
    assert set(valid.names) == set(EMOTIONS)
    again = _read(tmp_path / "train.csv")[1]
    assert (again.images == valid.images).all()
    assert len(_read(tmp_path / "train.csv", seed=1)[1].images) != 0


def _save_images(folder, faces, images, parts):
    """Write faces as image files; `parts` says the part of each row."""
    for row, part in parts.items():
        place = folder / part / EMOTIONS[faces.target[row]]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[row]).save(place / f"{row}.png")


@pytest.mark.parametrize("val", [True, False])
def test_the_test_folder_is_left_alone(val, faces, images, tmp_path):
    rows = range(210)
    parts = {row: ("test", "train", "train")[row % 3] for row in rows}
    if val:
        parts.update(dict.fromkeys(rows[::15], "val"))
    _save_images(tmp_path / "faces", faces, images, parts)
    test = images[[row for row, part in parts.items() if part == "test"]]
    train, valid = _read(tmp_path / "faces")
    assert len(train) + len(valid) == 210 - len(test)
    assert 14 <= len(valid) <= 20
    assert unseen_rows(test, np.concatenate([train.images, valid.images])).all()


def test_test_faces_alone_are_not_trained_on(faces, images, tmp_path):
    _save_images(tmp_path / "faces", faces, images, dict.fromkeys(range(70), "test"))
    with pytest.raises(FERError, match="has no Training faces; it has PrivateTest"):
        _read(tmp_path / "faces")
    train, valid = _read(tmp_path / "faces" / "test")  # said in so many words
    assert len(train) + len(valid) == 70


def test_folders_of_images_are_read_like_the_csv(faces, images, tmp_path):
    parts = {row: "val" if row >= 180 else "train" for row in range(140, 210)}
    _save_images(tmp_path / "faces", faces, images, parts)
    train, valid = _read(tmp_path / "faces")
    assert (len(train), len(valid)) == (40, 30)
    order = np.argsort(faces.target[180:], kind="stable") + 180
    assert (valid.images == images[order]).all()
    assert (valid.target == faces.target[order]).all()


def test_synthetic_faces_without_data():
    train, valid = _read(None)
    assert train.images.shape[1:] == (16, 16)
    assert (len(train), len(valid)) == (1260, 140)


def test_too_few_faces_to_hold_some_out(faces, train, tmp_path, capsys):
    rows = [np.flatnonzero(faces.target == label)[0] for label in range(4)]
    table = pd.DataFrame({"emotion": range(4), "pixels": faces.data.iloc[rows]})
    table.to_csv(tmp_path / "few.csv", index=False)
    assert train(tmp_path / "few.csv") == 1
    err = capsys.readouterr().err
    assert "too few faces (angry 1, disgust 1, fear 1, happy 1) to hold some out" in err
    assert "stratify" not in err


def test_a_few_faces_of_each_emotion_can_be_held_out(faces, tmp_path):
    table = pd.DataFrame({"emotion": faces.target, "pixels": faces.data})
    table.groupby("emotion").head(2).to_csv(tmp_path / "few.csv", index=False)
    train, valid = _read(tmp_path / "few.csv")
    assert sorted(valid.target) == sorted(train.target) == list(range(7))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("0," + " ".join(["1"] * 255) + ",Training", "Row 1 "),
        ("0," + " ".join(["1"] * 255) + " 2.5,Training", "Row 1 "),
        ("7," + " ".join(["1"] * 256) + ",Training", "Row 1 "),
        ("0," + " ".join(["1"] * 256) + ",Training", "one class only ([0])"),
    ],
)
def test_bad_data_ends_before_training_and_leaves_nothing(
    row, message, train, tmp_path, capsys
):
    good = " ".join(["0"] * 256)
    lines = ["emotion,pixels,Usage", f"0,{good},Training", row]
    (tmp_path / "bad.csv").write_text("\n".join([*lines, f"0,{good},PublicTest"]))
    assert train(tmp_path / "bad.csv") == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""
    assert "epoch" not in captured.err


def test_missing_file(train, capsys):
    assert train("nowhere.csv") == 1
    assert "nowhere.csv" in capsys.readouterr().err


# -- the whole run -------------------------------------------------------------------


def test_run_folder_has_all_it_should(run):
    assert sorted(os.listdir(run)) == FILES
    history = pd.read_csv(run / "history.csv")
    assert history.epoch.tolist() == [1, 2]
    assert history.valid_accuracy.notna().all()
    metrics = json.loads((run / "metrics.json").read_text())
    assert (metrics["epochs"], metrics["stop_reason"]) == (2, "max_epochs")
    assert metrics["accuracy"] == pytest.approx(history.valid_accuracy.iloc[-1])
    for name in FILES:
        if name.endswith(".png"):
            with Image.open(run / name) as picture:
                assert min(picture.size) > 300


def test_config_has_resolved_settings_and_versions(run):
    config = json.loads((run / "config.json").read_text())
    given = {"network": "nano", "epochs": 2, "seed": 0}
    assert given.items() <= config["options"].items()
    assert None not in config["options"].values()
    parameters = config["parameters"]
    assert parameters["cnn__lr"] == 0.02
    assert parameters["cnn__batch_size"] == 128
    assert parameters["cnn__device"] in ("cpu", "cuda")
    assert parameters["pixels__image_shape"] == [16, 16]
    assert parameters["augment__horizontal_flip"] is True
    assert {"python", "fer_sklearn", "torch"} <= set(config["versions"])


def test_the_default_learning_rate_is_resolved():
    parameters = resolve_parameters(_pipeline("--set", "cnn__optimizer=adam"))
    assert parameters["cnn__lr"] == 0.001


def test_the_model_predicts_from_strings(run, faces):
    pipe = load_model(run / "model.fer")
    metrics = json.loads((run / "metrics.json").read_text())
    score = pipe.score(faces.data[140:], faces.target[140:])
    assert score == pytest.approx(metrics["accuracy"])


def test_results_on_stdout_and_progress_on_stderr(train, faces_csv, tmp_path, capsys):
    assert train(faces_csv, "--out", tmp_path / "run") == 0
    out, err = capsys.readouterr()
    assert out.startswith("70 validation faces\n")
    assert out.splitlines()[-1].split() == ["model", str(tmp_path / "run/model.fer")]
    first, *epochs = err.splitlines()
    if not HAS_PLOTS:
        assert epochs.pop().startswith("no plots: ")
    expected = f"140 faces to train on, 70 to validate, in {tmp_path / 'run'}"
    assert first == expected
    assert [line[:11] for line in epochs] == ["epoch 1/2  ", "epoch 2/2  "]


@pytest.mark.skipif(sys.platform != "linux", reason="asks the memory of Linux")
@pytest.mark.parametrize(
    ("own", "kept"), [({}, True), ({"MALLOC_ARENA_MAX": "2"}, False)]
)
def test_freed_memory_is_kept_unless_the_user_chose(own, kept):
    """Memory that malloc has kept is written to without page faults."""
    if not hasattr(ctypes.CDLL(None), "mallopt"):
        pytest.skip("malloc is not that of glibc")
    code = """if True:
    import resource
    import numpy as np
    from fer_sklearn.cli.train import keep_freed_memory

    keep_freed_memory()
    np.ones(20_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        np.ones(20_000_000)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    """
    chosen = ("MALLOC_", "GLIBC_TUNABLES")
    env = {k: v for k, v in os.environ.items() if not k.startswith(chosen)}
    n_faults = subprocess.check_output([sys.executable, "-c", code], env={**env, **own})
    assert (int(n_faults) < 50) == kept


def test_few_faces_of_real_size_get_a_hint(tmp_path, capsys):
    faces = make_faces(70, random_state=0)
    table = {"emotion": faces.target, "pixels": faces.data}
    pd.DataFrame(table).to_csv(tmp_path / "few.csv", index=False)
    args = ["train", str(tmp_path / "few.csv"), "--epochs", "1", "--network", "nano"]
    assert main([*args, "--out", str(tmp_path / "a")]) == 0
    hint = "with so few faces, a trained model learns more: --pretrained nano"
    assert capsys.readouterr().err.splitlines()[1] == hint
    assert main([*args, "--out", str(tmp_path / "b"), "--pretrained", "nano"]) == 0
    assert hint not in capsys.readouterr().err


@pytest.mark.parametrize("has", [True, False])
def test_long_trainings_get_a_hint_about_bfloat16(
    train, faces_csv, tmp_path, capsys, monkeypatch, has
):
    hint = "this processor trains about twice as fast with --precision bfloat16"
    monkeypatch.setattr("fer_sklearn.cli.train._FEW_FACES", 10)
    monkeypatch.setattr(
        torch.cpu, "get_capabilities", lambda: {"avx512_bf16": has}, raising=False
    )
    assert train(faces_csv, "--device", "cpu", "--out", tmp_path / "a") == 0
    assert (hint in capsys.readouterr().err) == has
    bfloat16 = ("--device", "cpu", "--precision", "bfloat16")
    assert train(faces_csv, *bfloat16, "--out", tmp_path / "b") == 0
    assert hint not in capsys.readouterr().err


def test_quiet_and_without_matplotlib(train, faces_csv, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert train(faces_csv, "--out", tmp_path / "run") == 0
    assert "no plots: " in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path / "run")) == [
        x for x in FILES if x[-4:] != ".png"
    ]
    assert train(faces_csv, "--out", tmp_path / "quiet", "--quiet") == 0
    assert capsys.readouterr().err == ""


def test_max_time_ends_the_training(train, faces_csv, tmp_path, capsys):
    args = ("--max-time", "1s", "--out", tmp_path / "run", "--quiet")
    assert train(faces_csv, *args) == 0
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["stop_reason"] == "max_time"
    history = pd.read_csv(tmp_path / "run" / "history.csv")
    assert metrics["epochs"] == len(history)
    assert metrics["accuracy"] == pytest.approx(history.valid_accuracy.iloc[-1])


# -- teachers ------------------------------------------------------------------------


def test_a_teacher_is_learnt_from(train, faces_csv, run, tmp_path, capsys):
    out = tmp_path / "run"
    args = ("--teacher", run, "--teacher", run / "model.fer", "--set", "cnn__lr=0.02")
    assert train(faces_csv, *args, "--out", out) == 0
    err = capsys.readouterr().err
    assert "asking 2 teacher(s) about 140 faces" in err
    table = pd.read_csv(faces_csv)[:140]
    pipe = clone(load_model(out / "model.fer"))
    soft = load_model(run / "model.fer").predict_proba(table.pixels)
    pipe.fit(table.pixels, table.emotion, cnn__soft_targets=soft)
    ours = load_model(out / "model.fer")["cnn"].net_.module_.state_dict()
    theirs = pipe["cnn"].net_.module_.state_dict()
    for name, weights in ours.items():
        np.testing.assert_allclose(weights, theirs[name], atol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        ("nowhere.fer", "nowhere.fer does not exist"),
        ("compact", "takes faces of 48x48 pixels, but those to train on have 16x16"),
    ],
)
def test_impossible_teachers(teacher, message, train, faces_csv, capsys):
    assert train(faces_csv, "--teacher", teacher) == 1
    assert message in capsys.readouterr().err


def test_a_teacher_of_other_classes(train, faces_csv, run, tmp_path, capsys):
    table = pd.read_csv(faces_csv)
    table[table.emotion > 1].to_csv(tmp_path / "five.csv", index=False)
    assert train(tmp_path / "five.csv", "--teacher", run) == 1
    assert "has the classes [0, 1, 2, 3, 4, 5, 6]" in capsys.readouterr().err


def _write_votes(path, target, uses):
    """Everybody votes for the label, and one for neutral."""
    names = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]
    votes = pd.DataFrame(np.eye(7, dtype=int)[target] * 9, columns=names)
    votes["neutral"] += 1
    votes = votes.assign(Usage=uses, contempt=0, unknown=0, NF=0)
    votes.to_csv(path, index=False)


def test_votes_are_learnt_from(train, faces_csv, faces, run, tmp_path):
    uses = ["Training"] * 140 + ["PublicTest"] * 70
    _write_votes(tmp_path / "votes.csv", faces.target, uses)
    labels = np.eye(7)[faces.target[:140]]
    both = find_soft_targets(
        _read(faces_csv)[0], teachers=[str(run)], votes=tmp_path / "votes.csv"
    )
    teacher = load_model(run / "model.fer").predict_proba(faces.data[:140])
    votes = 2 * both - teacher
    np.testing.assert_allclose(votes.sum(axis=1), 1, atol=1e-5)
    assert (votes.argmax(axis=1) == labels.argmax(axis=1)).all()
    args = ("--votes", tmp_path / "votes.csv", "--quiet")
    assert train(faces_csv, *args, "--out", tmp_path / "run") == 0


@pytest.mark.parametrize(
    ("uses", "message"),
    [
        (["Training"] * 139 + ["PublicTest"] * 71, "votes on 139 Training faces"),
        (["PublicTest"] * 210, "has no rows of usage 'Training'"),
    ],
)
def test_votes_on_other_faces(uses, message, train, faces_csv, faces, tmp_path, capsys):
    _write_votes(tmp_path / "votes.csv", faces.target, uses)
    assert train(faces_csv, "--votes", tmp_path / "votes.csv") == 1
    assert message in capsys.readouterr().err


def test_votes_need_the_usage_column(train, faces_csv, tmp_path, capsys):
    table = pd.read_csv(faces_csv).drop(columns="Usage")
    table.to_csv(tmp_path / "train.csv", index=False)
    assert train(tmp_path / "train.csv", "--votes", "votes.csv") == 1
    assert "needs fer2013.csv with its Usage column" in capsys.readouterr().err


# -- interrupted and resumed ---------------------------------------------------------


def _stop_after(monkeypatch, epoch, error):
    original = Progress.on_epoch_end

    def on_epoch_end(self, net, **kwargs):
        original(self, net, **kwargs)
        if len(net.history) == epoch:
            raise error

    monkeypatch.setattr(Progress, "on_epoch_end", on_epoch_end)


def _curves(run):
    return pd.read_csv(run / "history.csv").drop(columns="duration")


def test_a_run_that_dies_goes_on_to_the_same_end(
    train, faces_csv, run, tmp_path, capsys, monkeypatch
):
    out = tmp_path / "run"
    args = ("--out", out, "--set", "cnn__lr=0.02")
    with monkeypatch.context() as patch:
        _stop_after(patch, 2, RuntimeError("killed"))
        assert train(faces_csv, *args) == 1
    assert sorted(os.listdir(out)) == ["checkpoint", "config.json"]
    capsys.readouterr()
    assert main(["evaluate", str(out), str(faces_csv)]) == 1
    assert f"fer-sklearn train --resume {out}" in capsys.readouterr().err
    assert main(["train", "--resume", str(out), "--quiet"]) == 0
    assert sorted(os.listdir(out)) == FILES
    pd.testing.assert_frame_equal(_curves(out), _curves(run))
    models = [load_model(path / "model.fer") for path in (out, run)]
    X = np.zeros((1, 16, 16), np.uint8)
    assert (models[0].predict_proba(X) == models[1].predict_proba(X)).all()


def test_a_run_of_an_older_version_goes_on(train, faces_csv, tmp_path, monkeypatch):
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        _stop_after(patch, 2, RuntimeError("killed"))
        assert train(faces_csv, "--out", out) == 1
    config = json.loads((out / "config.json").read_text())
    del config["versions"], config["parameters"]
    config["options"]["pretrained"] = None
    (out / "config.json").write_text(json.dumps(config))
    assert main(["train", "--resume", str(out), "--quiet"]) == 0
    assert (out / "model.fer").exists()


def test_ctrl_c_saves_the_best_model_and_says_so(
    train, faces_csv, tmp_path, capsys, monkeypatch
):
    out = tmp_path / "run"
    _stop_after(monkeypatch, 3, KeyboardInterrupt())
    assert train(faces_csv, "--out", out, "--epochs", "9") == 130
    stdout, stderr = capsys.readouterr()
    lines = stderr.splitlines()
    if not HAS_PLOTS:
        assert lines.pop(-2).startswith("no plots: ")
    assert lines[-2:] == [
        "stopped by Ctrl-C: saving the best model so far (again to stop at once)",
        f"to resume: fer-sklearn train --resume {out}",
    ]
    assert "70 validation faces" in stdout
    best = pd.read_csv(out / "history.csv").valid_accuracy.max()
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["accuracy"] == pytest.approx(best)
    assert sorted(os.listdir(out)) == sorted([*FILES, "checkpoint"])


def test_ctrl_c_in_the_first_epoch_leaves_nothing(
    train, faces_csv, tmp_path, capsys, monkeypatch
):
    def on_batch_end(self, net, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "on_batch_end", on_batch_end)
    assert train(faces_csv, "--out", tmp_path / "run") == 130
    assert "no epoch was complete, so nothing is saved" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_ctrl_c_before_a_resumed_epoch_keeps_the_checkpoint(
    train, faces_csv, tmp_path, capsys, monkeypatch
):
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        _stop_after(patch, 2, RuntimeError("killed"))
        assert train(faces_csv, "--out", out) == 1

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    for name in ("fit", "finish"):  # Ctrl-C at the start, or twice
        capsys.readouterr()
        with monkeypatch.context() as patch:
            patch.setattr(f"fer_sklearn.cli.train.{name}", interrupt)
            assert main(["train", "--resume", str(out)]) == 130
        err = capsys.readouterr().err
        assert "nothing is saved" not in err
        assert f"to resume: fer-sklearn train --resume {out}" in err
    assert (out / "checkpoint").exists()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_real_signal_in_a_real_process(faces_csv, tmp_path):
    command = [sys.executable, "-m", "fer_sklearn", "train", str(faces_csv)]
    options = ["--network", "nano", "--set", "pixels__image_shape=(16,16)"]
    process = subprocess.Popen(
        [*command, *options, "--epochs", "5000", "--out", str(tmp_path / "run")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stderr:
        if line.startswith("epoch    2/5000"):
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "70 validation faces" in out
    assert (tmp_path / "run" / "model.fer").exists()


def test_resume_takes_no_other_settings(run, capsys):
    args = ["train", "x.csv", "--resume", str(run), "--epochs", "3", "--set", "a__b=1"]
    assert main(args) == 1
    assert "leave out --set, --epochs, DATA" in " ".join(
        capsys.readouterr().err.split()
    )


def test_a_finished_run_is_not_resumed(run, capsys):
    assert main(["train", "--resume", str(run)]) == 1
    assert "is finished: its model is" in capsys.readouterr().err


def test_resume_wants_a_run_folder(tmp_path, capsys):
    assert main(["train", "--resume", str(tmp_path / "nowhere")]) == 1
    assert "is not a run folder" in capsys.readouterr().err
