"""What CI runs. `nox` runs lint, types, tests and docs; `nox -l` lists the rest."""

import json
import re
import tomllib
from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "tests", "docs"]
nox.options.error_on_external_run = True
CONSTRAINED = ("-c", "constraints.txt")


@nox.session
def lint(session):
    """Ruff's rules and format."""
    session.install(*CONSTRAINED, "ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session):
    """Static types."""
    session.install(*CONSTRAINED, "-e", ".[all]", "mypy")
    session.run("mypy")


@nox.session
def tests(session):
    """All tests and doctests on the pinned dependencies."""
    session.install(*CONSTRAINED, "-e", ".[all,tests]")
    session.run("pytest", *session.posargs)


@nox.session
def tests_newest(session):
    """All tests on the newest dependencies that pip finds."""
    session.install("--upgrade", "-e", ".[all,tests]")
    session.run("pytest", *session.posargs)


@nox.session(venv_backend="uv", python="3.11")
def tests_oldest(session):
    """All tests on the lower bounds of pyproject.toml (needs uv)."""
    # UV_TORCH_BACKEND=cpu in the environment takes PyTorch's CPU builds, which are
    # far smaller; UV_OVERRIDE and UV_FIND_LINKS take a wheel from the disk instead.
    session.install("--resolution=lowest-direct", "-e", ".[all,tests]")
    # Old libraries warn about names that their newer dependencies have changed.
    session.run("pytest", "-W", "default", *session.posargs)


@nox.session
def no_extras(session):
    """Tests without optional dependencies; those that need one are skipped."""
    session.install(*CONSTRAINED, "-e", ".[tests]")
    session.run("pytest", "tests", *session.posargs)


@nox.session
def fuzz(session):
    """Mutated files and requests, five minutes for each reader."""
    session.install(*CONSTRAINED, "-e", ".[serve]", "atheris>=3.0")
    targets = ["model", "description", "checkpoint", "csv"]
    targets += ["multipart", "picture", "json"]
    for target in session.posargs or targets:
        session.run("python", "-m", "tests.fuzz.run", target, "--seconds", "300")


@nox.session
def integrations(session):
    """The page on other tools and its columns, with their newest versions."""
    page = Path("docs/user_guide/integration.md").read_text(encoding="utf-8")
    tools = " ".join(re.findall(r"^pip install (.+)$", page, re.M)).split()
    # No constraints: MLflow wants an older pyarrow.
    session.install("-e", ".[tests]", *tools)
    files = ("tests/test_docs.py", "tests/test_columns.py")
    session.run("pytest", *files, "-k", "other_tools or columns")


@nox.session
def docs(session):
    """The documentation, warnings as errors, without a network."""
    session.install(*CONSTRAINED, "-e", ".[all,docs]")
    session.run("sphinx-build", "-W", "--keep-going", "docs", "docs/_build/html")


@nox.session
def packaging(session):
    """Build, check, and run the quick start from the wheel in another folder."""
    session.install(*CONSTRAINED, "build", "twine")
    out = Path(session.create_tmp()).resolve() / "dist"
    session.run("python", "-m", "build", "--outdir", str(out), silent=True)
    wheel, sdist = max(out.glob("*.whl")), max(out.glob("*.tar.gz"))
    session.run("twine", "check", "--strict", str(wheel), str(sdist))
    names = session.run("python", "-m", "zipfile", "-l", str(wheel), silent=True)
    needs = ("py.typed", "page/index.html", "entry_points.txt", "licenses/LICENSE")
    weights = ("compact.fer", "compact.graph.onnx", "compact.int8.onnx")
    for needed in (*needs, *(f"weights/{file}" for file in weights)):
        if needed not in names:
            session.error(f"{needed} is missing in {wheel.name}")
    if "tests/" in names:
        session.error(f"{wheel.name} contains tests")
    session.run("pip", "uninstall", "-y", "build", "twine", silent=True)
    session.install(*CONSTRAINED, str(wheel))
    readme = Path("README.md").read_text(encoding="utf-8")
    quick_start = readme.split("```python\n")[-1].split("```")[0]  # needs no extra
    session.chdir(session.create_tmp())
    session.run("python", "-c", quick_start)
    session.run("fer-sklearn", "--help")


@nox.session
def export(session):
    """Write the ONNX files of the models that come with the package.

    The ranges of the 8-bit files are those of training faces, so this needs
    FER2013_CSV.
    """
    session.install(*CONSTRAINED, "-e", ".[onnx]")
    code = """
import os
import onnx
from fer_sklearn import load_fer2013, load_pretrained, to_onnx
from fer_sklearn._model_format import onnx_file, pretrained_names
from fer_sklearn._onnx_model import HALF

csv = os.environ["FER2013_CSV"]
faces = load_fer2013(csv, usage="Training").data[:256]
valid = load_fer2013(csv, usage="PublicTest")
for name in pretrained_names():
    pipe = load_pretrained(name)
    path = onnx_file(name, "onnx")
    print(name, to_onnx(pipe, path))
    # The weights are read from the model file.
    model = onnx.load(path)
    constants = [w for w in model.graph.initializer if not w.name.endswith(HALF)]
    del model.graph.initializer[:]
    model.graph.initializer.extend(constants)
    path.write_bytes(model.SerializeToString())
    if name == "large":  # it would be 3.4 MB
        continue
    report = to_onnx(
        pipe,
        onnx_file(name, "onnx-int8"),
        int8=True,
        calibration=faces,
        evaluation=(valid.data, valid.target),
    )
    print(name, report)
"""
    session.run("python", "-c", code)


@nox.session
def constraints(session):
    """Resolve all optional dependencies and tools again, and write constraints.txt."""
    requires = tomllib.loads(Path("pyproject.toml").read_text())["build-system"]
    report = Path(session.create_tmp()) / "report.json"
    session.run(
        *("pip", "install", "--quiet", "--dry-run", "--ignore-installed"),
        *("--report", str(report), ".[dev]", *requires["requires"]),
    )
    header = [
        line
        for line in Path("constraints.txt").read_text().splitlines()
        if line.startswith("#")
    ]
    found = [entry["metadata"] for entry in json.loads(report.read_text())["install"]]
    pins = sorted(
        (
            f"{package['name']}=={package['version'].split('+')[0]}"
            for package in found
            if package["name"] != "fer-sklearn"
        ),
        key=str.lower,
    )
    Path("constraints.txt").write_text("\n".join([*header, *pins]) + "\n")
