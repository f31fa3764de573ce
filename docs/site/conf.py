"""Sphinx's settings; docs/site/build.sh calls it."""

import pathlib

project = "OptoTorch"
author = "the OptoTorch developers"
extensions = ["breathe", "myst_parser"]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
exclude_patterns = ["index_text.md"]
html_theme = "furo"
html_title = "OptoTorch"
breathe_projects = {"optotorch": str(pathlib.Path(__file__).parents[2] / "build/site/doxygen/xml")}
breathe_default_project = "optotorch"
html_extra_path = [str(pathlib.Path(__file__).parents[2] / "build/site/extra")]
myst_heading_anchors = 4
# Every header declares the namespace; what a link leads to may be out of the manual.
suppress_warnings = ["myst.xref_missing", "duplicate_declaration.cpp"]
