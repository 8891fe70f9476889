"""How Sphinx makes the site: from the Markdown beside this file, with nothing from any other host."""

from __future__ import annotations

import re
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

project = "m3ter onboarding for Airflow"
author = "The m3ter onboarding for Airflow authors"
copyright = "the m3ter onboarding for Airflow authors. Apache License 2.0"  # noqa: A001  (Sphinx's name)
version = release = version_of("airflow-provider-m3ter")

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
highlight_language = "text"
# Links to headings are as a repository page makes them.
myst_heading_anchors = 3

html_theme = "furo"
html_title = project
html_copy_source = False
html_show_sourcelink = False
html_use_index = False

_HERE = Path(__file__).parent


def _for_the_site(app: Any, page: str, source: list[str]) -> None:
    """Adjust a page that is written for the repository: the site's contents, and links to what is no part of it."""
    text = source[0]
    # A file beside docs/ can be downloaded from the site; a folder or a page of the repository cannot.
    text = re.sub(
        r"\[([^\]]+)\]\((\.\./[^)#]*)[^)]*\)",
        lambda link: link[0] if _is_download(_HERE / link[2]) else link[1],
        text,
    )
    if page == "index":
        pages = re.findall(r"\]\(([\w-]+)\.md\)", text)
        text += "\n".join(["", "```{toctree}", ":hidden:", "", *dict.fromkeys(pages), "```", ""])
    source[0] = text


def _is_download(path: Path) -> bool:
    return path.is_file() and path.suffix != ".md"


def setup(app: Any) -> None:
    """Register with Sphinx."""
    app.connect("source-read", _for_the_site)
