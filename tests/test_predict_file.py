"""predict_file: files of any size, in this process."""

import io
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from brightness_model import BrightnessModel
from tiny_network import TinyNet

from fer_sklearn import make_fer_pipeline, predict_file, save_model
from fer_sklearn._predict_file import Part, csv_writer
from fer_sklearn.cli import main
from fer_sklearn.datasets import make_faces
from fer_sklearn.exceptions import (
    DataFileError,
    FERError,
    MissingExtraError,
    PixelStringError,
)

COLUMNS = ["file", "row", "emotion", "dark", "bright"]

needs_pyarrow = pytest.mark.skipif(
    find_spec("pyarrow") is None, reason="needs the extra [distributed]"
)


def parametrize_files(name, files):
    """Parametrize by file names or suffixes; parquet needs pyarrow."""
    marks = {file: [needs_pyarrow] if "parquet" in file else [] for file in files}
    values = [pytest.param(file, marks=marks[file]) for file in files]
    return pytest.mark.parametrize(name, values)


@pytest.fixture(scope="module")
def table():
    """300 synthetic faces of 16x16 pixels, in the form of fer2013.csv."""
    faces = make_faces(300, image_shape=(16, 16), random_state=0)
    return pd.DataFrame(
        {"emotion": faces.target, "pixels": faces.data, "Usage": "Training"}
    )


@pytest.fixture
def source(table, tmp_path):
    path = tmp_path / "faces.csv"
    table.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def nano_file(faces, tmp_path_factory):
    pipe = make_fer_pipeline(
        "nano", image_shape=(16, 16), max_epochs=1, augment=False, random_state=0
    ).fit(faces.data, faces.target)
    path = tmp_path_factory.mktemp("model") / "emotions.fer"
    save_model(pipe, path)
    return pipe, path


def expected(table):
    return BrightnessModel().predict_proba(table["pixels"])


FORMS = {
    "faces.csv": lambda t, path: t.to_csv(path, index=False),
    "train.csv": lambda t, path: t[["emotion", "pixels"]].to_csv(path, index=False),
    "test.csv": lambda t, path: t[["pixels"]].to_csv(path, index=False),
    "icml_face_data.csv": lambda t, path: t.rename(
        columns={"pixels": " pixels", "Usage": " Usage"}
    ).to_csv(path, index=False),
    "faces.csv.gz": lambda t, path: t.to_csv(path, index=False),
    "faces.csv.zip": lambda t, path: t.to_csv(path, index=False),
    "faces.csv.tar.gz": lambda t, path: t.to_csv(
        path, index=False, compression={"method": "tar", "archive_name": "faces.csv"}
    ),
    "faces.parquet": lambda t, path: t.to_parquet(path),
    "groups.parquet": lambda t, path: t.to_parquet(path, row_group_size=70),
}


@parametrize_files("out_name", ["out.csv", "out.parquet"])
@parametrize_files("name", FORMS)
def test_reads_and_writes_all_forms_in_order(name, out_name, table, tmp_path):
    FORMS[name](table, tmp_path / name)
    out = tmp_path / out_name
    # Chunks that divide neither the rows nor the groups of rows.
    n_rows = predict_file(BrightnessModel(), tmp_path / name, out, chunk_size=37)
    assert n_rows == 300
    written = pd.read_csv(out) if out_name.endswith("csv") else pd.read_parquet(out)
    assert list(written) == COLUMNS
    assert set(written["file"]) == {str(tmp_path / name)}
    np.testing.assert_array_equal(written["row"], np.arange(300))
    y_prob = expected(table)
    exact = out_name.endswith("parquet")
    np.testing.assert_allclose(written[COLUMNS[3:]], y_prob, atol=0 if exact else 5e-7)
    names = np.array(COLUMNS[3:])[y_prob.argmax(axis=1)]
    np.testing.assert_array_equal(written["emotion"], names)


@parametrize_files("out_name", ["out.csv", "out.parquet"])
def test_unconfident_answers_are_uncertain(out_name, table, source, tmp_path):
    out = tmp_path / out_name
    y_prob = expected(table)
    threshold = float(np.median(y_prob.max(axis=1)))
    predict_file(BrightnessModel(), source, out, min_confidence=threshold)
    written = pd.read_csv(out) if out_name.endswith("csv") else pd.read_parquet(out)
    names = np.array(COLUMNS[3:])[y_prob.argmax(axis=1)]
    wanted = np.where(y_prob.max(axis=1) >= threshold, names, "uncertain")
    assert 0 < np.mean(wanted == "uncertain") < 1
    np.testing.assert_array_equal(written["emotion"], wanted)


def test_writes_what_the_command_line_writes(faces, nano_file, tmp_path):
    pipe, model_path = nano_file
    source = tmp_path / "faces.csv"
    pd.DataFrame({"pixels": faces.data}).to_csv(source, index=False)
    outs = [tmp_path / name for name in ("cli.csv", "file.csv", "pipe.csv")]
    assert main(["predict", str(model_path), str(source), "-o", str(outs[0])]) == 0
    predict_file(model_path, source, outs[1])
    predict_file(pipe, source, outs[2])
    texts = [out.read_text() for out in outs]
    assert texts[0].startswith("file,row,emotion,angry,")
    assert texts[0] == texts[1] == texts[2]


def test_csv_needs_no_optional_dependency(source, tmp_path, monkeypatch):
    for module in ("dask", "distributed", "pyarrow"):
        monkeypatch.setitem(sys.modules, module, None)
    assert predict_file(BrightnessModel(), source, tmp_path / "out.csv") == 300
    with pytest.raises(MissingExtraError, match=r"pip install .*pyarrow"):
        predict_file(BrightnessModel(), source, tmp_path / "out.parquet")


@needs_pyarrow
def test_parquet_keeps_all_digits(faces, nano_file, tmp_path):
    pipe, _ = nano_file
    source, out = tmp_path / "faces.parquet", tmp_path / "out.parquet"
    pd.DataFrame({"pixels": faces.data}).to_parquet(source)
    predict_file(pipe, source, out)
    written = pd.read_parquet(out).iloc[:, 3:].to_numpy()
    assert written.dtype == np.float32
    np.testing.assert_array_equal(written, pipe.predict_proba(faces.data))


@needs_pyarrow
def test_a_csv_holds_no_formulas():
    """A spreadsheet would run =HYPERLINK(...), +1, -x and @SUM(1) when it opens it."""
    names = ['=HYPERLINK("http://a.example")', "@SUM(1)", "+x", "-1", "happy"]
    file = io.StringIO()
    write = csv_writer(file, names)
    for path in ("=a.csv", "@eaDir/a.csv", "/data/=a.csv", "a.csv"):
        part = Part(Path(path), X=[""] * 5, start=0)
        write(part, np.arange(5), np.eye(5))
    written = pd.read_csv(io.StringIO(file.getvalue()))
    safe = ["'" + names[0], "'@SUM(1)", "'+x", "-1", "happy"]
    assert list(written.columns) == ["file", "row", "emotion", *safe]
    assert written["emotion"].tolist() == safe * 4
    # The same files under names that are no formulas.
    paths = ["./=a.csv", "./@eaDir/a.csv", "/data/=a.csv", "a.csv"]
    assert written["file"].unique().tolist() == paths


def test_several_files(source, table, tmp_path):
    more, out = tmp_path / "more.parquet", tmp_path / "out.parquet"
    table[:20].to_parquet(more)
    assert predict_file(BrightnessModel(), [source, more], out) == 320
    written = pd.read_parquet(out)
    assert written["file"].tolist() == [str(source)] * 300 + [str(more)] * 20
    assert written["row"].tolist() == [*range(300), *range(20)]


@needs_pyarrow
def test_groups_of_parquet_are_large(source, tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("fer_sklearn._predict_file._ROWS_IN_GROUP", 128)
    out = tmp_path / "out.parquet"
    predict_file(BrightnessModel(), source, out, chunk_size=16)
    assert parquet.ParquetFile(out).num_row_groups == 3


# What is wrong, and with which row of the file.
BAD_ROWS = {
    "short": ("1 2 3", r"Row 211 of \S+ \(counted from 0\) has 3 grey levels"),
    "large": ("256 " * 256, r"Row 211 of \S+ \(counted from 0\) has '256' as grey"),
    "missing": (None, r"Row 211 of \S+ \(counted from 0\) is (nan|None) of type"),
}


@parametrize_files("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("kind", BAD_ROWS)
def test_bad_row_is_named_and_nothing_is_written(kind, suffix, table, tmp_path):
    text, message = BAD_ROWS[kind]
    table = table.copy()
    table.loc[211, "pixels"] = text
    source, out = tmp_path / f"faces.{suffix}", tmp_path / "out.csv"
    FORMS[f"faces.{suffix}"](table, source)
    out.write_text("before")
    with pytest.raises(PixelStringError, match=message):
        predict_file(BrightnessModel(), source, out, chunk_size=32)
    assert out.read_text() == "before"
    assert sorted(os.listdir(tmp_path)) == sorted([source.name, "out.csv"])


@needs_pyarrow
def test_bad_rows_are_left_out_on_request(table, tmp_path):
    table = table.copy()
    bad = [0, 5, 64, 210, 211, 299]
    table.loc[bad, "pixels"] = "1 2 3"
    source, out = tmp_path / "faces.csv", tmp_path / "out.parquet"
    table.to_csv(source, index=False)
    message = r"6 of 300 rows do not hold a face and .* Row 0 of .* Row 5 of .*"
    with pytest.warns(UserWarning, match=message):
        n_rows = predict_file(
            BrightnessModel(), source, out, chunk_size=64, on_error="skip"
        )
    written = pd.read_parquet(out)
    good = table.drop(index=bad)
    assert n_rows == 294
    assert written["row"].tolist() == good.index.tolist()
    np.testing.assert_array_equal(written[COLUMNS[3:]], expected(good))


def test_only_bad_rows_are_an_error(tmp_path):
    source, out = tmp_path / "faces.csv", tmp_path / "out.csv"
    pd.DataFrame({"pixels": ["1 2 3"] * 5}).to_csv(source, index=False)
    with pytest.raises(DataFileError, match=r"No row holds a face. Row 0 of .* 3 grey"):
        predict_file(BrightnessModel(), source, out, on_error="skip")
    assert not out.exists()


# One process, so that what the imports need is there before; 20 times the rows.
MEMORY = """
import resource, sys
sys.path[:0] = sys.argv[2:]
from brightness_model import BrightnessModel
from fer_sklearn import predict_file

def peak_after(rows, suffix):
    predict_file(BrightnessModel(), f"{sys.argv[1]}/{rows}.{suffix}",
                 f"{sys.argv[1]}/out.parquet")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

for suffix in ("csv", "parquet"):
    print(peak_after("few", suffix), peak_after("many", suffix))
"""


@needs_pyarrow
@pytest.mark.skipif(sys.platform == "win32", reason="needs the module resource")
def test_memory_does_not_grow_with_the_rows(table, tmp_path):
    few = pd.concat([table] * 5, ignore_index=True)
    many = pd.concat([few] * 20, ignore_index=True)
    for name, rows in {"few": few, "many": many}.items():
        rows.to_csv(tmp_path / f"{name}.csv", index=False)
        rows.to_parquet(tmp_path / f"{name}.parquet", compression=None)
    # Held whole, as text or as strings, the larger file needs more than 20 MB.
    assert (tmp_path / "many.csv").stat().st_size > 20e6
    command = [sys.executable, "-c", MEMORY, str(tmp_path), *sys.path]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    for line in answer.stdout.splitlines():
        small, large = map(int, line.split())
        assert large - small < 10, f"peak memory in MB: {line}"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"on_error": "ignore"}, "on_error must be 'raise' or 'skip', got 'ignore'"),
        ({"min_confidence": 1.5}, "must be a number from 0 to 1, got 1.5"),
        ({"chunk_size": 0}, "chunk_size must be a whole number of at least 1, got 0"),
        ({"out": "out.xlsx"}, r"out.xlsx must end in .csv or .parquet"),
        ({"out": "none/out.csv"}, "none is not a folder. Create it"),
        ({"out": "faces.csv"}, "faces.csv is also a source"),
        ({"source": []}, "source is empty"),
    ],
)
def test_parameters_are_checked(params, message, source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = {"source": "faces.csv", "out": "out.csv", **params}
    with pytest.raises(FERError, match=message):
        predict_file(BrightnessModel(), **given)


def test_unfitted_model_is_refused(source, tmp_path):
    with pytest.raises(ValueError, match="not fitted"):
        predict_file(make_fer_pipeline(TinyNet), source, tmp_path / "out.csv")


def test_missing_source(tmp_path):
    with pytest.raises(FileNotFoundError):
        predict_file(BrightnessModel(), tmp_path / "no.csv", tmp_path / "out.csv")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "face,label\n1,2\n", "has no pixels column, its columns are: face,"),
        ("a.csv", "emotion,pixels\n", "has column names, but no rows"),
        ("a.csv", "", "is empty"),
        ("a.csv", "a,pixels\n1,2\n1,2,3,4\n", "is not a csv or is cut off"),
        ("a.csv.gz", "emotion,pixels\n", "cannot be unpacked"),
        pytest.param(
            *("a.parquet", "emotion,pixels\n", "is not a parquet file or is damaged"),
            marks=needs_pyarrow,
        ),
    ],
)
def test_bad_files(name, content, message, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataFileError, match=message):
        predict_file(BrightnessModel(), tmp_path / name, tmp_path / "out.csv")
    assert os.listdir(tmp_path) == [name]


@parametrize_files("suffix", ["csv", "parquet"])
def test_folders_are_refused(suffix, tmp_path):
    folder = tmp_path / f"parts.{suffix}"
    folder.mkdir()
    with pytest.raises(DataFileError, match="is a folder"):
        predict_file(BrightnessModel(), folder, tmp_path / "out.csv")
