"""The page: what it says, that it is whole, and that it needs nothing else."""

import base64
import itertools
import re
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from run_directories import MEMORY, XCONV, error_row, make_run, memory_row, runtime_row

from xconv_bench.report.page.document import page_of, write_page
from xconv_bench.results.recorded import read_runs

VOID = frozenset({"meta", "img", "input", "br", "link"})


class Outline(HTMLParser):
    """The parts of a page; raises AssertionError where tags do not fit together."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        if data.strip() and self.open:
            self.texts.append((self.open[-1], data.strip()))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]

    def within(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]

    @property
    def words(self) -> str:
        shown = (text for name, text in self.texts if name not in ("script", "style"))
        return " ".join(" ".join(shown).split())


def page(*runs: Path) -> str:
    return page_of(*read_runs(runs))


def test_one_run(tmp_path: Path) -> None:
    failed = memory_row(None, **{**XCONV, "probes": 512})
    run = make_run(tmp_path / "run", memory=[*MEMORY, failed], error=[error_row(0.5, **XCONV)])
    outline = Outline(page(run))
    assert "smallest live peak 300 MiB (0.75×) with xconv multi r=8 conv" in outline.words
    assert "2 ok, 1 out of memory" in outline.words
    assert "16 GiB are not enough" in outline.within("div")
    assert "The same in all rows: model : resnet50" in outline.words.replace("model", "model :")
    assert {each.get("class") for each in outline.all("tr")} == {None, "failed"}
    values = {each.get("data-sort") for each in outline.all("td")}
    assert {str(400 * 2**20), "0.5"} <= values
    assert len(outline.all("img")) >= 2
    assert all(len(each["alt"] or "") > 40 for each in outline.all("img"))
    assert "Comparison of runs" not in outline.words


def test_it_is_accessible(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", memory=MEMORY)
    outline = Outline(page(run, make_run(tmp_path / "other", memory=MEMORY)))
    levels = [int(tag[1]) for tag, _ in outline.found if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert outline.all("html") == [{"lang": "en"}]
    assert all(each.get("scope") in ("col", "row") for each in outline.all("th"))
    assert len(outline.all("caption")) == len(outline.all("table"))
    ids = [attributes["id"] for _, attributes in outline.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    addresses = [str(each["href"]) for each in outline.all("a")]
    targets = [address[1:] for address in addresses if address.startswith("#")]
    assert set(targets) <= set(ids)


def test_it_fits_a_phone_and_the_dark(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", memory=MEMORY, error=[error_row(0.5, **XCONV)])
    text = page(run, make_run(tmp_path / "other", memory=MEMORY))
    outline = Outline(text)
    metas = {each.get("name"): each.get("content") for each in outline.all("meta")}
    assert metas["viewport"] == "width=device-width, initial-scale=1"
    assert metas["color-scheme"] == "light dark"
    scrolling = re.findall(r'<div class="scroll"[^>]*>\s*<(table|img)', text)
    assert len(scrolling) == len(outline.all("table")) + len(outline.all("img"))
    assert "@media print" in text and "@media screen and (prefers-color-scheme: dark)" in text


def test_words_stand_out_from_their_ground_in_both_modes() -> None:
    """Contrasts are at least 4.5, as accessibility guidelines ask of text (WCAG 2.2, 1.4.3)."""
    css = resources.files("xconv_bench.report.page").joinpath("page.css").read_text("utf-8")
    modes = [
        dict(re.findall(r"--(\w+): (#\w+)", block)) for block in re.findall(r":root {(.*?)}", css)
    ]
    assert len(modes) == 2 and modes[0].keys() == modes[1].keys()
    for colours in modes:
        for words, ground in itertools.product(("ink", "faint", "link"), ("page", "ground")):
            assert contrast(colours[words], colours[ground]) >= 4.5, (words, ground)
        assert contrast(colours["failure"], colours["failed"]) >= 4.5
        assert contrast(colours["ink"], colours["differs"]) >= 4.5
    rest = re.sub(r":root {.*?}", "", css)
    assert re.findall(r"#[0-9a-f]{3,6}\b", rest) == ["#fff"]  # behind pictures, in the dark


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_download_is_the_table(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", memory=MEMORY)
    (link,) = (each for each in Outline(page(run)).all("a") if "download" in each)
    head, _, content = str(link["href"]).partition("base64,")
    assert head.startswith("data:text/csv") and link["download"] == "memory.csv"
    assert base64.b64decode(content) == (run / "memory.csv").read_bytes()


def test_names_are_text(tmp_path: Path) -> None:
    name = "<script>alert('1')</script>\" onload=\"x"
    rows = [{**row, "model": name, "message": "<b>&amp;"} for row in MEMORY]
    run = make_run(tmp_path / "<i>run", {"torch": "<script>"}, memory=rows)
    other = make_run(tmp_path / "other", memory=rows)
    text = page(run, other)
    outline = Outline(text)
    assert len(outline.all("script")) == 1 and not outline.all("i") and not outline.all("b")
    assert not any("onload" in attributes for _, attributes in outline.found)
    assert name in outline.words and "<b>&amp;" in outline.words


def test_methods_sort_by_their_knobs(tmp_path: Path) -> None:
    knobs: list[dict[str, Any]] = [{**XCONV, "probes": n} for n in (128, 16, 4)]
    knobs += [{"method": "rad-sampling", "keep": keep} for keep in (0.1, 0.03)]
    run = make_run(tmp_path / "run", memory=[memory_row(1, **each) for each in [*knobs, {}]])
    headings = [each for each in Outline(page(run)).all("th") if "data-sort" in each]
    assert [each["data-sort"] for each in headings] == ["5", "4", "3", "2", "1", "0"]


def test_nothing_is_loaded_from_elsewhere(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", memory=MEMORY)
    text = page(run, make_run(tmp_path / "other", memory=MEMORY))
    assert not re.search(r"https?:|//[a-z]+\.|@import|url\(", re.sub(r"base64,[^\"]*", "", text))
    for _, attributes in Outline(text).found:
        for name in ("src", "href"):
            assert name not in attributes or str(attributes[name]).startswith(("data:", "#"))


def test_runs_side_by_side(tmp_path: Path) -> None:
    later = [memory_row(400), memory_row(150, **XCONV)]
    runs = [
        make_run(tmp_path / "a", {"torch": "2.6.0", "seed": 0}, memory=MEMORY),
        make_run(tmp_path / "b", {"torch": "2.7.0", "seed": 0}, memory=later),
    ]
    outline = Outline(page(*runs))
    assert "1 of 4 figures differ by more than half a percent" in outline.words
    cells = outline.within("td")
    first = cells.index("0.50×")
    assert cells[first - 3 : first] == ["live peak", "300 MiB", "150 MiB"]
    assert outline.within("em") == ["differs"]
    # With the verdict, and with the pictures.
    assert [each for each in outline.within("h3") if each in ("a", "b")] == ["a", "b"] * 2
    assert "run" in outline.within("th")


def test_many_rows(tmp_path: Path) -> None:
    """A page stays of a size that a browser shows; what is left out is said and downloaded."""
    rows = [
        memory_row(100 + number % 7, **cells, model=f"net{number}")
        for number in range(600)
        for cells in ({}, XCONV)
    ]
    run = make_run(tmp_path / "run", memory=rows)
    text = page(run)
    outline = Outline(text)
    assert "300 of 1,200 rows are shown" in outline.words
    assert "594 further settings" in outline.words
    assert "At most 3 × 40 configurations are drawn" in outline.words
    assert len(outline.all("tr")) < 330 and len(outline.all("img")) == 3
    (link,) = (each for each in outline.all("a") if "download" in each)
    assert base64.b64decode(str(link["href"]).partition("base64,")[2]).count(b"\n") == 1_201


def test_those_that_failed_are_shown_of_many(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [error_row(0.5, **XCONV, layer=str(n)) for n in range(400)]
    rows += [error_row(0.25, **XCONV), error_row(0.5, status="error", message="broken", layer="x")]
    words = Outline(page(make_run(tmp_path / "run", error=rows))).words
    assert "first those that failed, then those of whole networks" in words
    assert "broken" in words


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 0.0])
def test_odd_figures(tmp_path: Path, value: float) -> None:
    rows = [runtime_row(value), runtime_row(value, value, **XCONV)]
    errors = [error_row(value), error_row(value, **XCONV)]
    runs = [make_run(tmp_path / n, runtime=rows, error=errors, memory=MEMORY) for n in "ab"]
    assert "Time of a training step" in Outline(page(*runs)).within("h2")


def test_nothing_was_measured(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", memory=[memory_row(None)])
    assert "1 out of memory" in Outline(page(run)).words


def test_the_record_goes_on(tmp_path: Path) -> None:
    record = {
        "torch": "2.6.0", "gpus": [{"name": "A", "memory_bytes": 2**30}], "cpu": {"cores": 2},
        "continued": [{"torch": "2.7.0", "command": "xconv-bench memory"}, 7],
    }  # fmt: skip
    words = Outline(page(make_run(tmp_path / "run", record, memory=MEMORY))).words
    assert "xconv-bench memory with PyTorch 2.7.0" in words
    assert "name A, memory 1024 MiB" in words and "CPU cores" in words


def test_it_is_written_whole(tmp_path: Path) -> None:
    runs, _ = read_runs([make_run(tmp_path / "run", memory=MEMORY)])
    path = tmp_path / "new" / "page.html"
    write_page(runs, ["x.csv is none: skipped"], path)
    text = path.read_text()
    assert "x.csv is none: skipped" in Outline(text).within("li")
    assert [each.name for each in path.parent.iterdir()] == ["page.html"]
    write_page(runs, ["x.csv is none: skipped"], path)
    assert path.read_text() == text
