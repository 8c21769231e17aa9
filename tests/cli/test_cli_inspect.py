import json
import subprocess
import sys

from fer_sklearn.cli import main


def test_inspect_says_what_is_inside(run, capsys):
    assert main(["inspect", str(run)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    for text in (
        "nano, ",
        "16x16 pixels",
        "0 angry, 1 disgust",
        "2 epochs, ended by max_epochs, last validation accuracy 0.",
        "torch ",
        "PixelStringTransformer(flatten=False, image_shape=(16, 16))",
        "FERClassifier(",
        "network='nano'",
    ):
        assert text in out


def test_json_is_the_metadata(run, capsys):
    assert main(["inspect", str(run / "model.fer"), "--json"]) == 0
    metadata = json.loads(capsys.readouterr().out)
    assert metadata["image_shape"] == [16, 16]
    params = {step["name"]: step["params"] for step in metadata["steps"]}
    assert params["cnn"]["lr"] == 0.02


def test_torch_is_not_loaded(run):
    code = (
        "import sys; from fer_sklearn.cli import main;"
        f"status = main(['inspect', {str(run)!r}]);"
        "sys.exit(status or 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
