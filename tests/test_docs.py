"""The documentation runs: every Python block, and every command line is understood.

The blocks of a page run from top to bottom in one namespace, in a folder that holds
what a reader would have: synthetic faces in the form of fer2013.csv, and some pictures.
A block of text right after a Python block is what it prints.

The page on other tools runs section by section, each after the blocks above the first
heading. A section is skipped if a package that its pip command names is not installed.
"""

import contextlib
import doctest
import importlib.metadata
import io
import itertools
import math
import os
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_sklearn import FERClassifier, PixelStringTransformer
from fer_sklearn.cli.parser import build_parser
from fer_sklearn.datasets import EMOTIONS, make_faces
from fer_sklearn.exceptions import MissingExtraError
from fer_sklearn.photos import make_photo

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [
    ROOT / "README.md",
    *sorted(
        path
        for path in (ROOT / "docs").rglob("*.md")
        if not {"_build", "cards", "gallery"} & set(path.parts)
    ),
]
OTHER_TOOLS = ROOT / "docs" / "user_guide" / "integration.md"
CARDS = sorted((ROOT / "fer_sklearn" / "weights").glob("*.md"))
EXTRAS = {"cv2", "dask", "distributed", "fastapi", "matplotlib", "onnx", "pyarrow"}
FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.M | re.S)


def page_name(path):
    return path.relative_to(ROOT).as_posix()


def blocks(text):
    """Yield the language, the text and the first line of each fenced block."""
    for found in FENCE.finditer(text):
        indent = found[1]
        body = re.sub(rf"^{indent}", "", found[3], flags=re.M)
        yield found[2], body, text[: found.start()].count("\n") + 2, found.span()


def python_blocks(path):
    """Give the code, the first line and the printed text, if it is shown, of each."""
    text = path.read_text(encoding="utf-8")
    found = list(blocks(text))
    for block, after in itertools.pairwise([*found, None]):
        language, code, line, (_, end) = block
        if language == "python":
            follows = (
                after and after[0] == "text" and not text[end : after[3][0]].strip()
            )
            yield code, line, after[1] if follows else None


WITH_PYTHON = [
    path
    for path in PAGES
    if path != OTHER_TOOLS and any(True for _ in python_blocks(path))
]


def sections_on_tools():
    """Yield the packages that pip installs and the Python blocks of each section."""
    text = OTHER_TOOLS.read_text(encoding="utf-8")
    headings = [
        (text[: heading.start()].count("\n") + 1, heading[1])
        for heading in re.finditer(r"^## (.+)$", text, re.M)
    ]
    found = list(python_blocks(OTHER_TOOLS))
    shared = [block for block in found if block[1] < headings[0][0]]
    for (first, heading), (last, _) in itertools.pairwise([*headings, (math.inf, "")]):
        packages = [
            package
            for language, body, line, _ in blocks(text)
            if language == "bash" and first < line < last
            for package in body.removeprefix("pip install").split()
        ]
        own = [block for block in found if first < block[1] < last]
        if own:
            yield pytest.param(packages, shared + own, id=heading)


@pytest.fixture(scope="session")
def readers_files(tmp_path_factory):
    """A folder with the files that the pages speak of."""
    folder = tmp_path_factory.mktemp("reader")
    parts = {"Training": 140, "PublicTest": 35, "PrivateTest": 35}
    frames = []
    for seed, (usage, n_faces) in enumerate(parts.items()):
        X, y = make_faces(n_faces, random_state=seed, return_X_y=True)
        frames.append(pd.DataFrame({"emotion": y, "pixels": X, "Usage": usage}))
    table = pd.concat(frames, ignore_index=True)
    table.to_csv(folder / "fer2013.csv", index=False)
    table[["pixels"]].to_csv(folder / "faces.csv", index=False)
    table[["pixels"]].to_csv(folder / "a.csv.gz", index=False)
    with contextlib.suppress(ImportError):  # needs pyarrow
        table[["pixels"]].to_parquet(folder / "b.parquet")
    write_votes(table, folder / "fer2013new.csv")
    write_pictures(table[:70], folder / "faces" / "train")
    shutil.copy(next((folder / "faces").rglob("*.png")), folder / "face.png")
    for seed, name in enumerate(["party.jpg", "holiday.jpg"]):
        Image.fromarray(make_photo(2, random_state=seed)).save(folder / name)
    return folder


def write_votes(table, path):
    """Write votes of FER+ that mostly agree with the labels."""
    names = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear"]
    order = ["neutral", "happy", "surprise", "sad", "angry", "disgust", "fear"]
    votes = pd.DataFrame(0, index=table.index, columns=names)
    for name, emotion in zip(names, order, strict=True):
        votes[name] = np.where(table["emotion"] == EMOTIONS.index(emotion), 8, 0)
    votes["neutral"] += 2
    votes[["contempt", "unknown", "NF"]] = 0
    votes.insert(0, "Usage", table["Usage"])
    votes.insert(1, "Image name", [f"fer{row:07}.png" for row in table.index])
    votes.to_csv(path, index=False)


def write_pictures(table, folder):
    """Write faces as picture files, with one folder per emotion."""
    images = PixelStringTransformer().fit_transform(table["pixels"])
    for row, (image, label) in enumerate(zip(images, table["emotion"], strict=True)):
        path = folder / EMOTIONS[label] / f"{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


@pytest.fixture
def in_readers_folder(readers_files, tmp_path, monkeypatch):
    """Work in a copy of the reader's folder; leave the environment as it was."""
    shutil.copytree(readers_files, tmp_path / "work")
    (tmp_path / "work" / "docs").symlink_to(ROOT / "docs")
    monkeypatch.chdir(tmp_path / "work")
    before = os.environ.copy()
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def quick(monkeypatch):
    """Train for one epoch, whatever a page says."""
    fit = FERClassifier.fit

    def fit_for_one_epoch(self, *args, **kwargs):
        return fit(self.set_params(max_epochs=1, max_time=None), *args, **kwargs)

    monkeypatch.setattr(FERClassifier, "fit", fit_for_one_epoch)


@pytest.fixture
def local_cluster(monkeypatch):
    """Let the address of the pages lead to a cluster in this process."""
    distributed = pytest.importorskip(
        "dask.distributed", reason="needs the extra [distributed]"
    )
    import fer_sklearn.distributed as module

    with distributed.LocalCluster(
        2, processes=False, threads_per_worker=1, dashboard_address=":0"
    ) as cluster:
        dask_cluster = module.dask_cluster

        def use_local(address, **kwargs):
            return dask_cluster(cluster, **kwargs)

        monkeypatch.setattr(module, "dask_cluster", use_local)
        yield


def run_blocks(path, found):
    """Run blocks in one namespace and compare what they print with what is shown."""
    namespace = {"__name__": "page"}
    for code, line, expected in found:
        # Blank lines first, so that a traceback has the line of the page.
        compiled = compile("\n" * (line - 1) + code, page_name(path), "exec")
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                exec(compiled, namespace)
        except (MissingExtraError, ModuleNotFoundError) as error:
            if isinstance(error, MissingExtraError) or error.name in EXTRAS:
                pytest.skip(f"line {line}: {error}")
            raise
        if expected is not None:
            flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
            same = doctest.OutputChecker().check_output(
                expected, printed.getvalue(), flags
            )
            assert same, f"line {line} prints\n{printed.getvalue()}"


@pytest.mark.slow
@pytest.mark.parametrize("path", WITH_PYTHON, ids=page_name)
def test_python_blocks_run(path, in_readers_folder, quick, request):
    if path.stem == "distributed":
        request.getfixturevalue("local_cluster")
    run_blocks(path, python_blocks(path))


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # the tools warn of each other's versions
@pytest.mark.parametrize(("packages", "found"), list(sections_on_tools()))
def test_other_tools(packages, found, in_readers_folder, quick, tmp_path):
    for package in packages:
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            pytest.skip(f"needs pip install {package}")
    os.environ["HOME"] = str(tmp_path)  # some tools write there
    run_blocks(OTHER_TOOLS, found)


def command_lines():
    """Yield each fer-sklearn command of the pages and the model cards."""
    for path in [*PAGES, *CARDS]:
        for language, text, line, _ in blocks(path.read_text(encoding="utf-8")):
            if language != "bash":
                continue
            for command in text.replace("\\\n", " ").splitlines():
                if found := re.search(r"(?:^|/|\s)(fer-sklearn .*)", command):
                    name = f"{path.name}:{line} {found[1][:40]}"
                    yield pytest.param(found[1], id=name)


@pytest.mark.parametrize("command", list(command_lines()))
def test_command_lines_are_understood(command):
    words = shlex.split(command, comments=True)
    assert build_parser().parse_args(words[1:]).command == words[1]


@pytest.mark.parametrize("path", [*PAGES, *CARDS], ids=page_name)
def test_links_to_files_lead_somewhere(path):
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"https?:|#", target):
            assert (path.parent / target.partition("#")[0]).exists(), target


def test_a_run_of_the_readme_is_made_before_it_is_used():
    made = README.index("--out runs/")
    (name,) = set(re.findall(r"runs/\w+", README))
    assert README.index(name) == made + len("--out ")


def test_readme_reaches_python_within_25_lines():
    assert README.splitlines().index("```python") < 25


def test_blocks_are_found():
    assert len(WITH_PYTHON) >= 12
    assert len(list(python_blocks(ROOT / "README.md"))) >= 4
