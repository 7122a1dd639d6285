"""How Sphinx builds the documentation: MyST pages, docstrings through autodoc, nothing fetched."""

import sys
from pathlib import Path

# The packages beside these pages, whether they are installed or not.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from collections.abc import Awaitable

from sphinx.ext.napoleon import GoogleDocstring

import auctions
import contractnet
from walras import __version__

# Roles know their rules, and strategies what they return, for type checkers only: autodoc looks names up where they are.
for room in (contractnet, auctions):
    public = {name: getattr(room, name) for name in room.__all__} | {"Awaitable": Awaitable}
    for module in {getattr(found, "__module__", room.__name__) for found in public.values()}:
        for name, found in public.items():
            vars(sys.modules[module]).setdefault(name, found)

# What is said of an attribute is prose: a colon in it ends no type.
GoogleDocstring._parse_attribute_docstring = GoogleDocstring._consume_to_end

project = "Walras"
author = "The Walras developers"
project_copyright = "The Walras developers, Apache-2.0"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
default_role = "py:obj"  # `Protocol` in a docstring is a link where there is such a thing
# `prices` may be a parameter here and a field of two classes elsewhere: no link then
suppress_warnings = ["ref.python"]
html_theme = "furo"
html_title = f"Walras {release}"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"  # in reading order
autodoc_typehints = "description"
autodoc_default_options = {"members": True, "show-inheritance": True}
# Rules have scipy's style of docstrings, everything else has Google's: napoleon reads both, which is its default.
