"""Every Python block of README.md and of the user guide's first pages runs."""

import re
from pathlib import Path

import pytest

from fer_sklearn.datasets import make_faces

ROOT = Path(__file__).parents[1]


def python_blocks(text):
    return re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)


BLOCKS = python_blocks((ROOT / "README.md").read_text(encoding="utf-8"))


@pytest.fixture
def folder_with_fer2013(tmp_path, monkeypatch):
    """A working directory with drawn faces in the form of fer2013.csv."""
    faces = make_faces(70, random_state=0)
    frame = faces.data.to_frame()
    frame.insert(0, "emotion", faces.target)
    frame["Usage"] = faces.usage
    frame.to_csv(tmp_path / "fer2013.csv", index=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_block_of_the_readme_runs(number, folder_with_fer2013, monkeypatch):
    code = BLOCKS[number]
    # The words stand as people should copy them; here one epoch is enough.
    code = re.sub(r"make_fer_pipeline\(random_state=0\)", "FAST", code)
    code = re.sub(r"max_epochs=\d+", "max_epochs=1", code)
    code = code.replace("FAST", 'make_fer_pipeline("nano", max_epochs=1)')
    exec(compile(code, f"README.md, block {number}", "exec"), {})


def test_python_starts_within_25_lines():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert lines.index("```python") < 25
    first = BLOCKS[0]
    assert len(first.splitlines()) <= 25
