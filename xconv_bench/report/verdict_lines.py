"""Verdicts for systems of continuous integration: JUnit XML, and annotations of GitHub Actions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree import ElementTree

from xconv_bench.plain_text import visible
from xconv_bench.report.tables.verdicts import excess_words, figure_words, row_words
from xconv_bench.thresholds.verdict import Verdict


def junit_xml(verdicts: Sequence[Verdict]) -> bytes:
    """Return a test suite with a case for each verdict; what was not compared is skipped."""
    outcomes = [verdict.outcome for verdict in verdicts]
    suite = ElementTree.Element(
        "testsuite",
        name="xconv-bench check",
        tests=str(len(verdicts)),
        failures=str(outcomes.count("fail")),
        skipped=str(outcomes.count("skip")),
    )
    for verdict in verdicts:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=f"xconv-bench.{verdict.limit.table}",
            name=f"{verdict.limit.demand}: {row_words(verdict)}",
        )
        if verdict.outcome == "fail":
            ElementTree.SubElement(case, "failure", message=_complaint(verdict)).text = str(
                verdict.limit
            )
        if verdict.outcome == "skip":
            ElementTree.SubElement(case, "skipped", message=verdict.message)
    for element in suite.iter():  # no XML may hold a control character, not even escaped
        element.attrib |= {name: visible(text) for name, text in element.attrib.items()}
        element.text = element.text and visible(element.text)
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True) + b"\n"


def github_lines(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Yield a line for each verdict that is not a pass: GitHub shows it beside the change."""
    for verdict in verdicts:
        if verdict.outcome == "pass":
            continue
        level = "error" if verdict.outcome == "fail" else "notice"
        title = _property(f"{verdict.limit.table}: {verdict.limit.demand}")
        yield f"::{level} title={title}::{_data(f'{row_words(verdict)}: {_complaint(verdict)}')}"


def _complaint(verdict: Verdict) -> str:
    """Return what is wrong, in one line."""
    column = verdict.limit.column
    if verdict.bound is None or verdict.value is None:
        return verdict.message
    words = (
        f"{column.name} is {figure_words(column, verdict.value)}, {excess_words(verdict)} beyond "
    )
    words += figure_words(column, verdict.bound)
    if verdict.reference is None or verdict.limit.reference is None:
        return words
    return f"{words}; {verdict.limit.reference} has {figure_words(column, verdict.reference)}"


def _data(text: str) -> str:
    return visible(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
