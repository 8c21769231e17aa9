"""Configuration of the documentation; built without a network."""

import os
import re

from docutils import nodes
from docutils.parsers.rst import Directive

import fer_sklearn
from fer_sklearn.cli.parser import build_parser

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
# Included by performance.rst, no page of its own.
exclude_patterns = ["_build", "benchmarks.md"]
templates_path = ["_templates"]
default_role = "autolink"
nitpicky = False

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
html_static_path = ["_static"]
html_css_files = ["calm.css"]
html_show_sourcelink = False
ALONE = "index quick_start limits model_cards performance gallery/**"
html_sidebars = {page: [] for page in ALONE.split()}
toc_object_entries_show_parents = "hide"
html_theme_options = {
    "show_prev_next": True,
    "header_links_before_dropdown": 7,
    "navigation_with_keys": False,
    "secondary_sidebar_items": {"**": ["page-toc"], "user_guide/command_line": []},
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


def skip_request_setters(app, what, name, obj, skip, options):
    """Leave out the setters that scikit-learn makes for metadata routing.

    Their generated text refers to chapters of scikit-learn's own user guide.
    """
    return True if re.fullmatch(r"set_\w+_request", name) else None


def setup(app):
    app.add_directive("command-help", CommandHelp)
    app.connect("autodoc-skip-member", skip_request_setters)
