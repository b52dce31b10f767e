"""The site of the documentation: whole, no link leads nowhere, no network needed."""

import importlib.util
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import xconv
import xconv_bench
from xconv.conversion import FAMILIES
from xconv.schemes import SCHEMES

ROOT = Path(__file__).resolve().parent.parent
LOADED = {"script": "src", "img": "src", "iframe": "src", "link": "href"}
"""Elements that a browser loads something for, and the attribute that says what."""

pytestmark = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("mkdocs", "material", "mkdocstrings"))),
    reason="needs the extra docs",
)


class Parsed(HTMLParser):
    """Addresses that a page loads, where its links lead, its anchors and its paragraphs."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.paragraphs: list[str] = []
        self._is_in_paragraph = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attributes}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if found.get("rel") != "canonical" and found.get(LOADED.get(tag, "")):
            self.loads.append(found[LOADED[tag]])
        if tag == "p":
            self.paragraphs.append("")
            self._is_in_paragraph = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "p":
            self._is_in_paragraph = False

    def handle_data(self, data: str) -> None:
        if self._is_in_paragraph:
            self.paragraphs[-1] += data


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the site, built as ``make docs`` builds it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Parsed]:
    return {path: Parsed(path) for path in site.rglob("*.html")}


def test_every_page_is_there(site: Path, pages: dict[Path, Parsed]) -> None:
    docs = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")]
    assert {site / path.with_suffix(".html") for path in docs} <= pages.keys()


def test_nothing_comes_from_the_network(site: Path, pages: dict[Path, Parsed]) -> None:
    loaded = [load for page in pages.values() for load in page.loads]
    for path in site.rglob("*.css"):
        loaded += re.findall(
            r"(?:url\(|@import)\s*[\"']?([^)\"']*)", path.read_text(encoding="utf-8")
        )
    assert {each for each in loaded if re.match(r"([a-z]+:)?//", each)} == set()


def test_links_lead_somewhere(site: Path, pages: dict[Path, Parsed]) -> None:
    broken = {
        f"{path.relative_to(site)}: {link}"
        for path, page in pages.items()
        if path.name != "404.html"  # it may be shown at any address
        for link in (*page.links, *page.loads)
        if not leads_somewhere(path, link, pages)
    }
    assert broken == set()


def leads_somewhere(path: Path, link: str, pages: dict[Path, Parsed]) -> bool:
    parts = urlsplit(link)
    if parts.scheme:
        return True
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not parts.fragment or target.suffix != ".html":
        return target.is_file()
    return target in pages and unquote(parts.fragment) in pages[target].anchors


def test_all_that_is_public_is_described(pages: dict[Path, Parsed]) -> None:
    swapped = {ours for family in FAMILIES.values() for ours in family.values()}
    names = {f"{ours.__module__}.{ours.__name__}" for ours in swapped if not is_public(ours)}
    names |= {type(scheme).__module__ for scheme in SCHEMES.values()}
    for module in (xconv, xconv.functional, xconv_bench):
        names |= {f"{module.__name__}.{name}" for name in module.__all__}
    assert names - {anchor for page in pages.values() for anchor in page.anchors} == set()


def is_public(ours: type) -> bool:
    return ours.__name__ in xconv.__all__


def test_lists_are_lists(site: Path, pages: dict[Path, Parsed]) -> None:
    """Markdown on a code host needs no empty line before a list; on the site it does."""
    lost = {
        f"{path.relative_to(site)}: {text[:60]}"
        for path, page in pages.items()
        for text in page.paragraphs
        if re.search(r"^(- |1\. |\|)", text, flags=re.MULTILINE)
    }
    assert lost == set()
