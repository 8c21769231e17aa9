import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_sklearn import EMOTIONS, FERClassifier, load_model, make_faces, save_model
from fer_sklearn.cli import main
from fer_sklearn.datasets import class_names


@pytest.fixture(scope="module")
def accuracy(run, faces):
    """Accuracy of the run's model on chosen rows of the synthetic faces."""
    right = load_model(run / "model.fer").predict(faces.data) == faces.target
    return lambda rows: right[rows].mean()


def _evaluate(capsys, *args):
    assert main(["evaluate", *map(str, args), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_public_test_is_scored_unless_told_otherwise(run, faces_csv, accuracy, capsys):
    metrics = _evaluate(capsys, run, faces_csv)
    assert metrics["accuracy"] == accuracy(slice(140, None))
    assert metrics["faces"] == 70
    for usage, rows in (("Training", slice(140)), ("all", slice(None))):
        metrics = _evaluate(capsys, run, faces_csv, "--usage", usage)
        assert metrics["accuracy"] == accuracy(rows)


def test_the_folder_of_test_images_is_scored(run, faces, images, accuracy, capsys):
    folder = run.parent / "folders"
    for row in range(140):
        part = "train" if row < 70 else "test"
        place = folder / part / EMOTIONS[faces.target[row]]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[row]).save(place / f"{row}.png")
    metrics = _evaluate(capsys, run, folder)
    assert metrics["faces"] == 70
    assert metrics["accuracy"] == accuracy(slice(70, 140))


def test_model_file_and_run_folder_are_the_same(run, faces_csv, capsys):
    by_file = _evaluate(capsys, run / "model.fer", faces_csv)
    by_folder = _evaluate(capsys, run, faces_csv)
    assert by_file["log_loss"] == by_folder["log_loss"]


def test_the_run_had_printed_the_same_numbers(run, faces_csv, capsys):
    metrics = _evaluate(capsys, run, faces_csv)
    of_run = json.loads((run / "metrics.json").read_text())
    assert metrics["confusion_matrix"] == of_run["confusion_matrix"]
    assert metrics["log_loss"] == pytest.approx(of_run["log_loss"])


def test_tables_for_people(run, faces_csv, capsys):
    assert main(["evaluate", str(run), str(faces_csv)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{faces_csv} (PublicTest): 70 faces\n")
    for word in ("surprise", "standard error", "macro F1", "calibration error"):
        assert word in out


def test_rows_unseen_in_training_are_scored_by_themselves(
    run, faces, faces_csv, accuracy, capsys, tmp_path
):
    # 20 of the test faces are also in the training file.
    seen = pd.concat([faces.data[:30], faces.data[140:160]])
    table = pd.DataFrame({"emotion": 0, "pixels": seen})
    table.to_csv(tmp_path / "train.csv", index=False)
    args = ["--unseen-by", tmp_path / "train.csv"]
    metrics = _evaluate(capsys, run, faces_csv, *args)
    assert metrics["faces"] == 70
    assert metrics["unseen"]["faces"] == 50
    assert metrics["unseen"]["accuracy"] == accuracy(slice(160, None))
    assert main(["evaluate", str(run), str(faces_csv), *map(str, args)]) == 0
    assert "train.csv: 50 of these 70 faces\n" in capsys.readouterr().out


def test_unseen_by_a_file_with_usage_means_its_training_rows(run, faces_csv, capsys):
    metrics = _evaluate(capsys, run, faces_csv, "--unseen-by", faces_csv)
    assert metrics["unseen"]["faces"] == 70


def _fails(capsys, *args):
    assert main(["evaluate", *map(str, args)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


def test_nothing_unseen_is_an_error(run, faces_csv, capsys):
    args = (run, faces_csv, "--usage", "Training", "--unseen-by", faces_csv)
    assert "nothing is left to score" in _fails(capsys, *args)


def test_a_file_without_labels_is_for_predict(run, faces, capsys, tmp_path):
    faces.data.to_csv(tmp_path / "test.csv", index=False, header=["pixels"])
    message = _fails(capsys, run, tmp_path / "test.csv")
    assert "has no emotion column" in message
    assert "fer-sklearn predict" in message


def test_missing_usage_is_named(run, faces_csv, capsys):
    message = _fails(capsys, run, faces_csv, "--usage", "PrivateTest")
    assert "has no PrivateTest rows (it has PublicTest, Training)" in message


def test_emotions_that_the_model_never_saw(train, faces, capsys, tmp_path):
    table = pd.DataFrame({"emotion": faces.target, "pixels": faces.data})
    table.to_csv(tmp_path / "all.csv", index=False)
    few = table[np.isin(faces.target, [3, 4])]
    few.to_csv(tmp_path / "few.csv", index=False)
    out = tmp_path / "run"
    assert train(tmp_path / "few.csv", "--out", out, "--quiet") == 0
    capsys.readouterr()
    message = _fails(capsys, out, tmp_path / "all.csv")
    assert "does not know angry, disgust" in message
    assert "it knows happy, sad" in message


def _say_all(model, faces, capsys):
    """What evaluate, predict, inspect and the model itself call its classes."""
    evaluated = list(_evaluate(capsys, model, faces)["emotions"])
    assert main(["predict", str(model), str(faces)]) == 0
    header = capsys.readouterr().out.partition("\n")[0]
    assert main(["inspect", str(model)]) == 0
    inspected = capsys.readouterr().out.partition("classes")[2].partition("\n")[0]
    loaded = class_names(load_model(model / "model.fer"))
    return evaluated, header.split(",")[3:], inspected.strip(), loaded


def test_all_commands_call_a_class_the_same(train, faces, capsys, tmp_path):
    few = np.isin(faces.target, [3, 4])
    table = pd.DataFrame({"emotion": faces.target, "pixels": faces.data})[few]
    table.to_csv(tmp_path / "few.csv", index=False)
    assert train(tmp_path / "few.csv", "--out", tmp_path / "run", "--quiet") == 0
    capsys.readouterr()
    said = _say_all(tmp_path / "run", tmp_path / "few.csv", capsys)
    names = ["happy", "sad"]
    assert said == (names, names, "3 happy, 4 sad", names)


def test_classes_of_ones_own(train, faces, images, capsys, tmp_path):
    for row, label in enumerate(faces.target):
        folder = tmp_path / "faces" / ("frustrated" if label < 3 else "contempt")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[row]).save(folder / f"{row}.png")
    assert train(tmp_path / "faces", "--out", tmp_path / "run", "--quiet") == 0
    out = capsys.readouterr().out
    assert "contempt " in out and "frustrated " in out
    table = pd.DataFrame({"pixels": faces.data})
    table.to_csv(tmp_path / "faces.csv", index=False)
    names = ["contempt", "frustrated"]
    assert list(
        _evaluate(capsys, tmp_path / "run", tmp_path / "faces")["emotions"]
    ) == (names)
    assert main(["predict", str(tmp_path / "run"), str(tmp_path / "faces.csv")]) == 0
    header, first, *_ = capsys.readouterr().out.split("\n")
    assert header.split(",")[3:] == names
    assert first.split(",")[2] in names


def test_a_model_that_was_not_told_the_names(faces, images, capsys, tmp_path):
    few = np.isin(faces.target, [3, 4])
    clf = FERClassifier("nano", max_epochs=1).fit(images[few], faces.target[few])
    save_model(clf, tmp_path / "model.fer")
    table = pd.DataFrame({"emotion": faces.target, "pixels": faces.data})[few]
    table.to_csv(tmp_path / "few.csv", index=False)
    message = _fails(capsys, tmp_path / "model.fer", tmp_path / "few.csv")
    assert "does not know happy, sad; it knows 3, 4." in message
    assert "fit(..., class_names=EMOTIONS)" in message


def _break_off(path):
    path.mkdir()
    (path / "config.json").touch()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "does not exist. Give a model file"),
        (lambda path: path.write_text("no model"), "not a model file of fer_sklearn"),
        (lambda path: path.mkdir(), "is not a run folder: it has no model.fer"),
        (_break_off, "has no model.fer. If its training was interrupted"),
    ],
)
def test_what_is_no_model_is_named(make, message, faces_csv, capsys, tmp_path):
    make(tmp_path / "model.fer")
    assert message in _fails(capsys, tmp_path / "model.fer", faces_csv)


def test_a_folder_of_runs_names_the_newest(run, faces_csv, capsys):
    message = _fails(capsys, run.parent, faces_csv)
    assert f"is not a run folder: it has no model.fer. Do you mean {run}?" in message


def test_faces_before_the_model(run, faces_csv, capsys):
    message = _fails(capsys, faces_csv, run)
    assert (
        f"{faces_csv} is not a model file of fer_sklearn. Give a model file" in message
    )


def test_a_model_instead_of_faces(run, capsys):
    for model in (run, run / "model.fer", "compact"):
        assert f"{model} is a model; give a csv of faces" in _fails(capsys, run, model)


def test_a_picture_instead_of_labelled_faces(run, images, capsys, tmp_path):
    Image.fromarray(images[0]).save(tmp_path / "face.PNG")
    message = _fails(capsys, run, tmp_path / "face.PNG")
    assert "face.PNG is one picture or video, without labels; give a csv" in message
    assert "fer-sklearn predict" in message


def test_faces_of_another_size_than_the_model_takes(run, capsys, tmp_path):
    faces = make_faces(7, image_shape=(20, 20), random_state=0)
    table = pd.DataFrame({"emotion": faces.target, "pixels": faces.data})
    table.to_csv(tmp_path / "faces.csv", index=False)
    message = _fails(capsys, run, tmp_path / "faces.csv")
    assert "faces.csv (counted from 0) has 400 grey levels" in message
    assert 'fer-sklearn train --set "pixels__image_shape=(height, width)"' in message
    assert "set image_shape=" not in message
