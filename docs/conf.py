"""Configuration of the documentation; built without a network."""

import os
import re
import shutil
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

import fer_sklearn.exceptions
from fer_sklearn.cli.parser import build_parser

HERE = Path(__file__).parent
CARDS = HERE.parent / "fer_sklearn" / "weights"

project = "fer-sklearn"
author = "the fer_sklearn developers"
copyright = f"2026, {author}"
version = release = fer_sklearn.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "myst_parser",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
default_role = "autolink"
nitpicky = False
myst_heading_anchors = 3
suppress_warnings = ["config.cache"]  # functions in sphinx_gallery_conf

# Links to the documentation of scikit-learn and the others need a network.
if os.environ.get("DOCS_INTERSPHINX"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "pandas": ("https://pandas.pydata.org/docs", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
        "skorch": ("https://skorch.readthedocs.io/en/stable", None),
        "torch": ("https://docs.pytorch.org/docs/stable", None),
    }

autosummary_generate = True
# argparse breaks its lines at the width of the terminal.
os.environ["COLUMNS"] = "84"
os.environ["NO_COLOR"] = "1"
numpydoc_show_class_members = False

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": "/plot_",
    "doc_module": ("fer_sklearn",),
    "backreferences_dir": "gallery/backreferences",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "within_subsection_order": "FileNameSortKey",
    "show_signature": False,
}

html_theme = "pydata_sphinx_theme"
html_title = f"fer-sklearn {release}"
html_logo = html_favicon = "images/logo.svg"
html_static_path = ["_static"]
html_css_files = ["calm.css"]
html_show_sourcelink = False
ALONE = (
    "index quick_start limits model_cards cards/** performance benchmarks gallery/**"
)
html_sidebars = {page: [] for page in ALONE.split()}
toc_object_entries_show_parents = "hide"
html_theme_options = {
    "logo": {"text": "fer-sklearn"},
    "show_prev_next": True,
    "header_links_before_dropdown": 7,
    "navigation_with_keys": False,
    "secondary_sidebar_items": {"**": ["page-toc"]},
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}


class CommandHelp(Directive):
    """Show what ``fer-sklearn COMMAND --help`` prints: ``.. command-help:: train``."""

    optional_arguments = 1

    def run(self):
        parser = build_parser()
        for command in self.arguments:
            parser = parser._subparsers._group_actions[0].choices[command]
        return [nodes.literal_block(text=parser.format_help(), language="none")]


def public_names():
    """Map each name in the API reference to its full name."""
    names, module = {}, None
    for line in (HERE / "api" / "index.rst").read_text(encoding="utf-8").splitlines():
        if found := re.match(r"\.\. currentmodule:: (\S+)", line):
            module = found[1]
        # In prose, `compact` is a trained model, not the function of the network.
        elif module != "fer_sklearn.networks" and (
            found := re.fullmatch(r"   (\w+)", line)
        ):
            names[found[1]] = f"{module}.{found[1]}"
    errors = (name for name in dir(fer_sklearn.exceptions) if name.endswith("Error"))
    return names | {name: f"fer_sklearn.exceptions.{name}" for name in errors}


class LinkPublicNames(SphinxTransform):
    """Link `make_faces` in a Markdown page to its page in the API reference.

    A page stays plain Markdown, which a forge shows as it is.
    """

    default_priority = 400
    names = public_names()

    def apply(self, **kwargs):
        if not str(self.document["source"]).endswith(".md"):
            return
        for literal in list(self.document.findall(nodes.literal)):
            name = self.names.get(literal.astext())
            inside = (nodes.reference, nodes.title, addnodes.pending_xref)
            if name and not isinstance(literal.parent, inside):
                xref = addnodes.pending_xref(
                    "", refdomain="py", reftype="obj", reftarget=name
                )
                xref["refdoc"] = self.env.docname
                literal.replace_self(xref)
                xref += literal


def copy_cards(app):
    """Make a page of each model card, which is kept next to its model file."""
    (HERE / "cards").mkdir(exist_ok=True)
    for card in CARDS.glob("*.md"):
        shutil.copy(card, HERE / "cards")


def rewrite_links(app, docname, source):
    """Lead links to examples and model cards to the pages made of them.

    In the repository they lead to the files themselves.
    """
    source[0] = re.sub(
        r"\]\((?:\.\./)+examples/(\w+)\.py\)", r"](/gallery/\1.rst)", source[0]
    )
    source[0] = re.sub(
        r"\]\((?:\.\./)+fer_sklearn/weights/(\w+\.md)\)", r"](/cards/\1)", source[0]
    )


def skip_request_setters(app, what, name, obj, skip, options):
    """Leave out the setters that scikit-learn makes for metadata routing.

    Their generated text refers to chapters of scikit-learn's own user guide.
    """
    return True if re.fullmatch(r"set_\w+_request", name) else None


def setup(app):
    app.add_directive("command-help", CommandHelp)
    app.add_transform(LinkPublicNames)
    app.connect("builder-inited", copy_cards)
    app.connect("source-read", rewrite_links)
    app.connect("autodoc-skip-member", skip_request_setters)
