"""Every Python block of README.md and of the quick start runs."""

import re
import shlex
import textwrap
from pathlib import Path

import pytest

from fer_sklearn.cli.parser import build_parser
from fer_sklearn.datasets import make_faces

ROOT = Path(__file__).parents[1]


README = (ROOT / "README.md").read_text(encoding="utf-8")
QUICK_START = (ROOT / "docs" / "quick_start.rst").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.M | re.S)
N_README = len(BLOCKS)
BLOCKS += map(
    textwrap.dedent,
    re.findall(r"^\.\. code-block:: python\n\n((?: {4}.*\n|\n)+)", QUICK_START, re.M),
)


@pytest.fixture
def folder_with_fer2013(tmp_path, monkeypatch):
    """A working directory with synthetic faces in the form of fer2013.csv."""
    faces = make_faces(70, random_state=0)
    frame = faces.data.to_frame()
    frame.insert(0, "emotion", faces.target)
    frame["Usage"] = faces.usage
    frame.to_csv(tmp_path / "fer2013.csv", index=False)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_block_runs(number, folder_with_fer2013):
    code = BLOCKS[number]
    if "photos" in code:
        pytest.importorskip("cv2", reason="needs the extra [photos]")
    # The words stand as people should copy them; here one epoch is enough.
    code = re.sub(
        r"make_fer_pipeline\((max_time=\d+, )?(verbose=1, )?random_state=0\)",
        "FAST",
        code,
    )
    code = re.sub(r"max_epochs=\d+", "max_epochs=1", code)
    code = code.replace("FAST", 'make_fer_pipeline("nano", max_epochs=1)')
    exec(compile(code, f"block {number}", "exec"), {})


def _commands():
    """Each command line of the README and of the documentation."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.rst"))]
    for page in pages:
        for line in page.read_text(encoding="utf-8").splitlines():
            # Prose is not indented by four, and the README's shell is not indented.
            if re.match(r" {4}fer-sklearn |fer-sklearn ", line):
                yield pytest.param(line, id=f"{page.name}: {line.strip()[:60]}")


@pytest.mark.parametrize("line", list(_commands()))
def test_command_lines_are_understood(line):
    words = shlex.split(line, comments=True)
    assert build_parser().parse_args(words[1:]).command == words[1]


def test_a_run_of_the_readme_is_made_before_it_is_used():
    made = README.index("--out runs/")
    (name,) = set(re.findall(r"runs/\w+", README))
    assert README.index(name) == made + len("--out ")


def test_python_starts_within_25_lines():
    assert README.splitlines().index("```python") < 25
    assert len(BLOCKS[0].splitlines()) <= 25


def test_blocks_are_found():
    assert N_README >= 4
    assert len(BLOCKS) - N_README >= 2
