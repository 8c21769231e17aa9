"""The public names carry complete numpydoc docstrings."""

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

validate = pytest.importorskip("numpydoc.validate", reason="needs numpydoc").validate

# numpydoc's checks that say nothing about content, or that scikit-learn's own
# docstrings do not keep either.
IGNORED = {
    "GL01",  # text may start on the line of the quotes
    "GL08",  # ruff's D1 rules report a missing docstring
    "ES01",  # a one-line summary can be enough
    "SA01",  # not everything has something to see also
    "SA04",  # nor does a name in See Also always need a description
    "PR06",  # "integer" may be part of a sentence
    "PR08",  # a description may start with a name in backticks
    "RT02",  # the return value may carry its name
    "RT03",  # "self" says it all
    "RT04",
    "SS05",  # takes every last "s" of a first word for third person
    "YD01",
}


PUBLIC_MODULES = [
    "fer_sklearn",
    "fer_sklearn.datasets",
    "fer_sklearn.distributed",
    "fer_sklearn.metrics",
    "fer_sklearn.model_selection",
    "fer_sklearn.networks",
    "fer_sklearn.photos",
    "fer_sklearn.plots",
    "fer_sklearn.serving",
]


def needs_extra(module):
    if module == "fer_sklearn.serving":
        pytest.importorskip("fastapi", reason="needs the extra [serve]")


def own_methods(cls):
    """Public functions written in the class itself."""
    return [
        name
        for name, value in vars(cls).items()
        if inspect.isfunction(value) and not name.startswith("_")
    ]


@pytest.mark.parametrize("module", PUBLIC_MODULES)
def test_public_names_are_documented(module):
    needs_extra(module)
    names = import_module(module).__all__
    values = {name: getattr(import_module(module), name) for name in names}
    wrong = []
    for name, value in values.items():
        if not callable(value):
            continue
        wrong += [f"{name}: {why}" for why in errors_of(f"{module}.{name}")]
        for method in own_methods(value) if inspect.isclass(value) else ():
            found = errors_of(f"{module}.{name}.{method}", without={"EX01"})
            wrong += [f"{name}.{method}: {why}" for why in found]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("module", PUBLIC_MODULES)
def test_public_names_stand_in_the_api_reference(module):
    needs_extra(module)
    page = Path(__file__).parents[1] / "docs" / "api" / "index.rst"
    listed = set(re.findall(r"^   (\w+)$", page.read_text(encoding="utf-8"), re.M))
    names = import_module(module).__all__
    callables = {
        name for name in names if callable(getattr(import_module(module), name))
    }
    assert callables <= listed


def errors_of(name, without=frozenset()):
    ignored = IGNORED | without
    report = validate(name)
    errors = report["errors"]
    if "\nYields\n" in report["docstring"]:
        ignored |= {"RT01"}
    return [" ".join(error) for error in errors if error[0] not in ignored]
