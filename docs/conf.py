"""How Sphinx builds the documentation: MyST pages, docstrings through autodoc, nothing fetched."""

from importlib.metadata import version as installed_version

project = "Walras"
author = "The Walras developers"
project_copyright = "The Walras developers, Apache-2.0"
release = version = installed_version("walras")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"Walras {release}"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"  # in reading order
autodoc_typehints = "description"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_google_docstring = False  # scipy's style of docstrings throughout
