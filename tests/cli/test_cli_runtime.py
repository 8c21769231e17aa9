"""Which library predicts, and what is imported for it."""

import csv
import json
import subprocess
import sys

import pytest
from PIL import Image

from fer_sklearn import load_pretrained, make_faces, to_onnx
from fer_sklearn._pixels import PixelStringTransformer
from fer_sklearn.cli import main
from fer_sklearn.cli.run_folder import open_model
from fer_sklearn.exceptions import FERError

pytest.importorskip("onnxruntime", reason="needs the extra [onnx]")


@pytest.fixture(scope="module")
def face(tmp_path_factory):
    """A picture of one face of 48x48 pixels."""
    (image,) = PixelStringTransformer().transform(make_faces(1, random_state=3).data)
    path = tmp_path_factory.mktemp("pictures") / "face.png"
    Image.fromarray(image).save(path)
    return path


@pytest.mark.parametrize("runtime", [[], ["--runtime", "onnx"]])
def test_a_pretrained_model_runs_in_onnxruntime(runtime, face, capsys):
    assert main(["predict", "--cropped", *runtime, str(face)]) == 0
    found = capsys.readouterr()
    assert found.err == "fer-sklearn: compact runs in onnxruntime\n"
    assert main(["predict", "--cropped", "--runtime", "torch", str(face)]) == 0
    expected = capsys.readouterr()
    assert expected.err == "fer-sklearn: compact runs in PyTorch\n"
    row, expected_row = (
        next(csv.DictReader(text.out.splitlines())) for text in (found, expected)
    )
    assert row["emotion"] == expected_row["emotion"]
    assert float(row["happy"]) == pytest.approx(float(expected_row["happy"]), abs=1e-5)


def test_8_bits(face, capsys):
    assert main(["predict", "--cropped", "--runtime", "onnx-int8", str(face)]) == 0
    assert capsys.readouterr().err == (
        "fer-sklearn: compact runs in onnxruntime with 8 bits\n"
    )


def test_quiet(face, capsys):
    assert main(["predict", "--cropped", "--quiet", str(face)]) == 0
    assert capsys.readouterr().err == ""


def test_without_onnxruntime(face, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert main(["predict", "--cropped", str(face)]) == 0
    assert capsys.readouterr().err == "fer-sklearn: compact runs in PyTorch\n"
    assert main(["predict", "--cropped", "--runtime", "onnx", str(face)]) == 1
    assert "pip install" in capsys.readouterr().err


def test_runtime_and_file_have_to_fit(run, tmp_path):
    pytest.importorskip("onnx", reason="needs the extra [onnx]")
    with pytest.raises(FERError, match=r"model\.fer is not an ONNX file\. Leave out"):
        open_model(str(run), runtime="onnx")
    with pytest.raises(FERError, match=r"no 8-bit file of it\. Write one in Python"):
        open_model(str(run), runtime="onnx-int8")
    path = tmp_path / "mine.onnx"
    to_onnx(load_pretrained("nano"), path)
    with pytest.raises(FERError, match=r"mine\.onnx is an ONNX file\. Leave out"):
        open_model(str(path), runtime="torch")


def test_threads():
    assert open_model("nano", threads=1, quiet=True).n_threads == 1


def test_evaluate_says_it_on_standard_error(tmp_path, capsys):
    path = tmp_path / "faces.csv"
    X, y = make_faces(14, random_state=0, return_X_y=True)
    X.to_frame().assign(emotion=y).to_csv(path, index=False)
    reports = []
    for runtime in ("onnx", "torch"):
        command = ["evaluate", "nano", str(path), "--json", "--runtime", runtime]
        assert main(command) == 0
        captured = capsys.readouterr()
        assert "fer-sklearn: nano runs in " in captured.err
        reports.append(json.loads(captured.out))
    onnx, torch = reports
    assert onnx["log_loss"] == pytest.approx(torch["log_loss"], abs=1e-5)


# scikit-learn itself imports scipy.stats, and pandas where that is installed.
HEAVY = {"torch", "skorch", "sklearn", "scipy", "pandas", "onnx", "matplotlib"}


def test_predict_imports_little(face):
    command = ["predict", "--quiet", "--cropped", str(face)]
    imported = modules_after(f"from fer_sklearn.cli import main; main({command})")
    assert "onnxruntime" in imported
    assert not HEAVY & imported


def test_predict_with_a_detector_imports_little(face, tmp_path):
    pytest.importorskip("cv2", reason="needs the extra [photos]")
    Image.open(face).resize((192, 192)).save(tmp_path / "photo.png")
    command = ["predict", "--quiet", str(tmp_path / "photo.png")]
    imported = modules_after(f"from fer_sklearn.cli import main; main({command})")
    assert "onnxruntime" in imported
    assert not HEAVY & imported


def test_predict_on_a_table_imports_pandas_alone(tmp_path):
    path = tmp_path / "faces.csv"
    make_faces(2, random_state=0).data.to_csv(path, index=False)
    command = ["predict", "--quiet", str(path)]
    imported = modules_after(f"from fer_sklearn.cli import main; main({command})")
    assert {"onnxruntime", "pandas"} <= imported
    assert not (HEAVY - {"pandas"}) & imported


def test_evaluate_imports_no_torch(tmp_path):
    path = tmp_path / "faces.csv"
    X, y = make_faces(14, random_state=0, return_X_y=True)
    X.to_frame().assign(emotion=y).to_csv(path, index=False)
    command = ["evaluate", "nano", str(path)]
    imported = modules_after(f"from fer_sklearn.cli import main; main({command})")
    assert not {"torch", "skorch"} & imported


def test_serve_imports_little():
    pytest.importorskip("fastapi", reason="needs the extra [serve]")
    imported = modules_after(
        "from fer_sklearn.cli.serve import describe, open_model\n"
        "from fer_sklearn.serving import create_app\n"
        "create_app(open_model('nano'), detect=None, card=describe('nano'))"
    )
    assert "onnxruntime" in imported
    assert not HEAVY & imported


def modules_after(code):
    """Names of the packages that a new process has imported after running code."""
    code += "\nimport sys; print(*{name.split('.')[0] for name in sys.modules})"
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())
