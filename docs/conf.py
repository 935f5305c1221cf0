"""How Sphinx makes the site of the pages in this folder: `make site`."""

from __future__ import annotations

import churnkit

project = "churnkit"
author = "The churnkit authors"
copyright = author  # noqa: A001 - the name that Sphinx asks for
version = release = churnkit.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

# Headings can be linked to by their words, as on a code host.
myst_heading_anchors = 4

# Signatures stay as short as they are written; types of other libraries lead nowhere without a
# network, so that only links and roles of our own are held to lead somewhere.
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_attr_annotations = False
default_role = "code"
nitpicky = True
suppress_warnings = ["toc.empty_glob"]
nitpick_ignore_regex = [("py:.*", ".*")]

html_theme = "furo"
html_title = "churnkit"
html_copy_source = False
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
# Nothing is loaded from elsewhere, and nothing of the house is told to others.
html_theme_options = {"footer_icons": [], "top_of_page_buttons": []}
