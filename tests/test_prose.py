"""Words for a stranger: docstrings begin with a verb, sentences have a noun, links lead on."""

import re
from pathlib import Path

import pytest
from prose import Words, fault, faults_of_page, words_of

ROOT = Path(__file__).resolve().parent.parent
READ = ("xconv", "xconv_bench", "benchmarks", "website")
PAGES = sorted(
    page for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")) if page.is_file()
)


@pytest.mark.parametrize("package", READ)
def test_words_are_for_strangers(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    faults = [
        f"{path.relative_to(ROOT)}:{words.line}: {wrong}"
        for path in files
        for words in words_of(path)
        if (wrong := fault(words))
    ]
    assert not faults, "\n".join(faults)


def test_docstrings_of_tests_have_whole_sentences() -> None:
    """Names of tests are sentences already: their docstrings need no verb at the beginning."""
    faults = [
        f"{path.relative_to(ROOT)}:{words.line}: {wrong}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for words in words_of(path)
        if words.kind in ("function", "docstring")
        if (wrong := fault(words._replace(kind="string")))
    ]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("function", "Bytes of a mask."),
        ("function", "``count`` words of random bits."),
        ("docstring", "Of the run; an old one is resumed."),
        ("docstring", "Those of the others."),
        ("docstring", "A mask. That of the input is kept."),
        ("help", "of a layer's input"),
        ("string", "no plan fits. What fits is smaller"),
        ("comment", "# which TorchScript does not read"),
    ],
)
def test_a_fragment_is_a_fault(kind: str, text: str) -> None:
    assert fault(Words(1, kind, text))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("function", "Return the bytes of a mask."),
        ("docstring", "A mask of what passes, or of those that do."),
        ("help", "file of the table"),
        ("string", "the mask of what passes"),
        ("comment", "# NaN passes"),
    ],
)
def test_a_sentence_is_none(kind: str, text: str) -> None:
    assert not fault(Words(1, kind, text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_pages_have_whole_sentences(page: Path) -> None:
    assert faults_of_page(page.read_text(encoding="utf-8")) == []


def test_a_page_with_a_fragment_has_a_fault() -> None:
    assert faults_of_page("# What is kept\n\nMasks are kept.\nWhat passes is not.\n")
    assert faults_of_page("Two things:\n\n- masks\n- Those of others.\n")
    assert not faults_of_page("# What is kept\n\nMasks, and those of\nothers: what passes.\n")


def anchors_of(page: Path) -> set[str]:
    """Return the anchors of the headings of ``page``, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    headings = re.findall(r"^#+ +(.*?)\s*$", text, flags=re.M)
    plain = [re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_have_a_target(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            broken.append(link)
    assert broken == []
