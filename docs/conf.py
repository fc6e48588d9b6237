"""Build the site: `make docs` reads README.md and these pages where they lie, and writes `site/`."""

import shutil
import sys
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

project = "asgi-login"
extensions = ["flowchart", "myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
include_patterns = ["*.md", "benchmarks/RESULTS.md", "docs/**"]
root_doc = "README"

# The anchors are those of GitHub, so that each link works in both places.
myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]

# Docstrings write code in single backticks.
default_role = "code"
napoleon_use_ivar = True
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autoclass_content = "class"

html_theme = "furo"
html_title = "asgi-login"
html_copy_source = False
html_show_copyright = False

# README.md stays plain Markdown: what the sidebar shows is added here.
CHAPTERS = {
    "Tutorial": "docs/tutorial/*",
    "How-to": "docs/how-to/*",
    "Explanation": "docs/explanation/*",
    "Reference": "docs/reference/*",
    "Project": "[A-Z]*\nbenchmarks/RESULTS",
}


def add_chapters(_app: Sphinx, page: str, source: list[str]) -> None:
    """Append the table of contents to README.md."""
    if page == root_doc:
        source[0] += "".join(
            f"\n```{{toctree}}\n:caption: {caption}\n:glob:\n:hidden:\n\n{pages}\n```\n"
            for caption, pages in CHAPTERS.items()
        )


def make_first_page(app: Sphinx, failed: Exception | None) -> None:
    """Serve README.md at the root of the site too."""
    if failed is None:
        shutil.copy(app.outdir / f"{root_doc}.html", app.outdir / "index.html")


def setup(app: Sphinx) -> None:
    """Connect the two."""
    app.connect("source-read", add_chapters)
    app.connect("build-finished", make_first_page)
