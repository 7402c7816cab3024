"""How Sphinx builds the documentation: `make docs`."""

import re
from importlib.metadata import version as installed
from typing import Any

project = "Bridge"
author = "The Bridge authors"
copyright = "The Bridge authors"  # noqa: A001 - Sphinx's name
version = release = installed("oban-bridge")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "Bridge"
html_show_sphinx = False

myst_heading_anchors = 3
# Pages link to files of the checkout too, which are no pages; tests hold those links.
suppress_warnings = ["myst.xref_missing"]

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_numpy_docstring = False
napoleon_use_ivar = True


def _show_as_written(_app: Any, kind: str, name: str, _found: Any, _options: Any, lines: list[str]) -> None:
    """Let the drawing of the exceptions' tree stand as it is."""
    if (kind, name) == ("module", "bridge.errors"):
        lines[:] = [lines[0], "", "::", "", *(f"    {line}" for line in lines[1:])]


def _strip_comments(text: str) -> str:
    """Leave out what only the tests of the pages read."""
    return re.sub(r"^<!--.*?-->\n", "", text, flags=re.DOTALL | re.MULTILINE)


def _on_source(_app: Any, _page: str, content: list[str]) -> None:
    content[0] = _strip_comments(content[0])


def _on_include(_app: Any, _path: Any, _parent: str, content: list[str]) -> None:
    content[0] = _strip_comments(content[0])


def setup(app: Any) -> None:
    """Tell Sphinx of the above."""
    app.connect("source-read", _on_source)
    app.connect("include-read", _on_include)
    app.connect("autodoc-process-docstring", _show_as_written)
