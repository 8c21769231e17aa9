"""The rules that the source tree keeps, checked on its syntax trees and files."""

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import fer_sklearn

PACKAGE = Path(fer_sklearn.__file__).parent
ROOT = PACKAGE.parent
SOURCES = sorted(PACKAGE.rglob("*.py"))

# A module imports only from those above it; a package counts as one module.
ORDER = [
    "exceptions",
    "_utils",
    "_callback_support",
    "_model_format",
    "datasets",
    "metrics",
    "_rejecting",
    "_pixel_strings",
    "_onnx_model",
    "_pixels",
    "_occlusion",
    "_image_ops",
    "_augmented_images",
    "_augmentation",
    "networks",
    "_training",
    "_classifier",
    "_pipeline",
    "model_selection",
    "plots",
    "_onnx",
    "_models",
    "_embedder",
    "photos",
    "_predict_file",
    "distributed",
    "serving",
    "cli",
]
# _image_ops imports torch at its first use, which a test below sees to.
BEFORE_TORCH = set(ORDER[: ORDER.index("networks")]) - {"_image_ops"}
TORCH = {"torch", "skorch"}


def source_name(path):
    return path.relative_to(PACKAGE).as_posix()


def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def top_module(path):
    """Name in ORDER of the module or package that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_modules(path):
    """Absolute dotted names that a file imports, wherever in it, and their lines."""
    package = ["fer_sklearn", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            base = [*base, *(node.module.split(".") if node.module else [])]
            if len(base) == 1 and base[0] == "fer_sklearn":
                yield from ((f"fer_sklearn.{a.name}", node.lineno) for a in node.names)
            else:
                yield ".".join(base), node.lineno


def run_python(code, **kwargs):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        **kwargs,
    ).stdout


MODULES = [path for path in SOURCES if top_module(path) not in {"__init__", "__main__"}]


@pytest.mark.parametrize("path", MODULES, ids=source_name)
def test_modules_import_only_from_those_above(path):
    own = top_module(path)
    assert own in ORDER, f"Give {own} its place in ORDER."
    above = ORDER[: ORDER.index(own) + 1]
    # The lazy top level resolves public names; inside the package it hides the order.
    for name, line in imported_modules(path):
        parts = name.split(".")
        if parts[0] != "fer_sklearn" or parts[1:2] == ["__version__"]:
            continue
        assert parts[1] in above, f"{source_name(path)}:{line} imports {name}"


@pytest.mark.parametrize(
    "path", [p for p in MODULES if top_module(p) in BEFORE_TORCH], ids=source_name
)
def test_no_torch_before_networks(path):
    found = {name.split(".")[0] for name, _ in imported_modules(path)}
    assert not found & TORCH


def test_import_of_the_package_is_lazy():
    loaded = run_python("import sys, fer_sklearn; print(*sys.modules)").split()
    heavy = {"numpy", "pandas", "scipy", "sklearn", "torch", "skorch", "matplotlib"}
    assert not heavy & set(loaded)


@pytest.mark.parametrize("module", ORDER[: ORDER.index("networks")])
def test_imports_before_networks_bring_no_torch(module):
    code = f"import sys, fer_sklearn.{module}; print(*sys.modules)"
    assert not TORCH & set(run_python(code).split())


WITHOUT_TORCH = """
import sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NoTorch())
"""


@pytest.mark.parametrize(
    "code",
    [
        "from fer_sklearn import make_fer_pipeline",
        "from fer_sklearn import load_pretrained; load_pretrained()",
        "from fer_sklearn import load_model; load_model('compact')",
    ],
)
def test_a_missing_torch_is_named_with_the_cure(code):
    code = f"try: {code}\nexcept ImportError as error: print(repr(error))"
    out = run_python(WITHOUT_TORCH + code)
    assert out.startswith("MissingExtraError")
    assert "Install it with: pip install torch." in out


def test_command_without_torch():
    code = "from fer_sklearn.cli import main; sys.exit(main(['train']))"
    found = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH + code],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert found.returncode == 1
    assert "error: This needs torch, which is not installed." in found.stderr


def test_public_names_are_there_and_sorted():
    assert sorted(fer_sklearn.__all__) == fer_sklearn.__all__
    for name in fer_sklearn.__all__:
        assert getattr(fer_sklearn, name) is not None
        assert name in dir(fer_sklearn)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'load_fer2014'"):
        _ = fer_sklearn.load_fer2014


@pytest.mark.parametrize("path", SOURCES, ids=source_name)
def test_only_the_command_line_and_the_service_print(path):
    calls = [
        node.lineno
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]
    assert not calls or top_module(path) in {"cli", "serving", "__main__"}


def test_files_of_tests_have_different_names():
    """Without packages among the tests, pytest knows a module by its bare name."""
    names = [p.name for p in (ROOT / "tests").rglob("*.py") if p.stem != "conftest"]
    names = [name for name in names if name != "__init__.py"]
    assert len(set(names)) == len(names)


def test_version_is_written_in_one_place():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    assert importlib.metadata.version("fer-sklearn") == fer_sklearn.__version__
    changes = (ROOT / "CHANGES.md").read_text(encoding="utf-8")
    assert re.search(r"^## (\d\S+)", changes, re.M)[1] == fer_sklearn.__version__


def test_constraints_pin_every_requirement():
    """What pyproject.toml names is pinned, within the bounds it states."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = project["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    pins = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if not line.startswith("#"):
            pin = Requirement(line)
            (specifier,) = pin.specifier
            assert specifier.operator == "=="
            pins[canonicalize_name(pin.name)] = specifier.version
    for text in {text for group in groups for text in group}:
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        if name != "fer-sklearn":
            assert requirement.specifier.contains(pins[name]), text


def test_errors_name_the_packages_of_each_extra():
    from fer_sklearn._utils import REQUIREMENTS

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    optional = set(extras) - {"all", "tests", "docs", "dev"}
    for name in optional:
        needed = [Requirement(text) for text in extras[name]]
        here = [r for r in needed if r.marker is None or r.marker.evaluate()]
        expected = [Requirement(text) for text in REQUIREMENTS[name]]
        assert [(r.name, r.specifier) for r in here] == [
            (r.name, r.specifier) for r in expected
        ]
    assert set(REQUIREMENTS) == optional


def test_no_text_names_a_package_that_is_not_on_pypi():
    texts = [*PACKAGE.rglob("*.py"), *(ROOT / "docs").rglob("*.md")]
    texts += [ROOT / "README.md", *(ROOT / "examples").rglob("*.py")]
    for path in texts:
        found = re.search(
            r"pip install[^&\n]*fer-sklearn", path.read_text(encoding="utf-8")
        )
        assert found is None, f"{path}: {found[0]}"
