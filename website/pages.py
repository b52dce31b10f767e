"""Pages of the site that are no files of docs/, and the links between all of them.

A page is known by its path in the repository, where its links lead on a code host. On the site,
README.md is the first page, folders are lists of their files, and files outside of docs/ are pages
that show them. MkDocs calls the functions whose names begin with ``on_``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from posixpath import dirname, join, normpath, relpath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
_ASSETS = ROOT / "website" / "assets"
_SHOWN = {".csv", ".ipynb", ".json", ".md", ".png", ".py", ".toml"}
"""Kinds of files that lists of folders name."""
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)")
_CODE = re.compile(r"(^```.*?^```|`[^`\n]*`)", re.MULTILINE | re.DOTALL)
_HOME, _HOME_ON_SITE = "README.md", "index.md"
_AT_THE_TOP = (_HOME, "CONTRIBUTING.md", "CHANGELOG.md")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add README.md and its neighbours, and what pages link to outside of docs/."""
    for name in _AT_THE_TOP:
        _add(files, config, _on_site(name), (ROOT / name).read_text(encoding="utf-8"))
    for path in _ASSETS.iterdir():
        file = File.generated(config, f"assets/{path.name}", content=path.read_bytes())
        files.append(file)
    linked = [target for file in files.documentation_pages() for target in _targets(file)]
    for target in linked:
        linked += _add_target(files, config, target)
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Return the page with links that lead to where their targets are on the site."""
    here = page.file.src_uri

    def moved(link: re.Match[str]) -> str:
        return relpath(_on_site(_target(here, link[1])), dirname(here))

    parts = _CODE.split(markdown)
    return "".join(each if n % 2 else _LINK.sub(moved, each) for n, each in enumerate(parts))


def _add(files: Files, config: MkDocsConfig, name: str, text: str, in_menu: bool = True) -> None:
    level = InclusionLevel.UNDEFINED if in_menu else InclusionLevel.NOT_IN_NAV
    files.append(File.generated(config, name, content=text, inclusion=level))


def _targets(file: File) -> Iterator[str]:
    for part in _CODE.split(file.content_string)[::2]:
        for link in _LINK.findall(part):
            yield _target(file.src_uri, link)


def _target(page: str, link: str) -> str:
    """Return the path in the repository that a link of a page of the site leads to."""
    folder = dirname(page)
    is_in_docs = page != _HOME_ON_SITE and page not in _AT_THE_TOP
    if is_in_docs and (ROOT / "docs" / folder).is_dir():
        folder = join("docs", folder)
    return normpath(join(folder, link))


def _on_site(path: str) -> str:
    """Return where a path of the repository is on the site."""
    if path == _HOME:
        return _HOME_ON_SITE
    place = path.removeprefix("docs/")
    if (ROOT / path).is_dir():
        return join(place, "index.md")
    is_page = path.startswith("docs/") or path.endswith(".md")
    return place if is_page else f"{place}.md"


def _add_target(files: Files, config: MkDocsConfig, path: str) -> list[str]:
    """Add the page of a folder or of a file outside of docs/; return what it links to."""
    place, source = _on_site(path), ROOT / path
    if files.get_file_from_path(place) or not source.exists():
        return []  # a link that leads nowhere is MkDocs' to report
    if not source.is_dir():
        _add(files, config, place, _shown(source), in_menu=False)
        return []
    inside = sorted(each for each in source.rglob("*") if each.suffix in _SHOWN)
    names = [each.relative_to(source).as_posix() for each in inside]
    lines = "\n".join(f"- [{name}]({name})" for name in names)
    _add(files, config, place, f"# {path}\n\n{lines}\n", in_menu=False)
    return [join(path, name) for name in names]


def _shown(source: Path) -> str:
    text = source.read_text(encoding="utf-8")
    if source.suffix != ".ipynb":
        return f"# {source.name}\n\n{_fenced(text, source.suffix[1:])}\n"
    return "\n\n".join(part for cell in json.loads(text)["cells"] for part in _cell(cell))


def _cell(cell: Mapping[str, Any]) -> Iterator[str]:
    text = "".join(cell["source"])
    yield text if cell["cell_type"] == "markdown" else _fenced(text, "python")
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        if "image/png" in data:
            yield f"![Output of the cell](data:image/png;base64,{data['image/png'].strip()})"
        elif "text/plain" in data:
            yield _fenced("".join(data["text/plain"]), "text")


def _fenced(text: str, language: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```"
