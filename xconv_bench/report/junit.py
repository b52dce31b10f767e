"""Verdicts as JUnit XML, which most systems of continuous integration show."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from xconv_bench.plain_text import visible
from xconv_bench.report.verdict_table import excess_words, figure_words, row_words
from xconv_bench.thresholds.verdict import Verdict


def junit_xml(verdicts: Sequence[Verdict]) -> bytes:
    """A test suite with a case for each verdict; what was not compared is skipped."""
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
            ElementTree.SubElement(case, "failure", message=complaint(verdict)).text = str(
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


def complaint(verdict: Verdict) -> str:
    """What is wrong, in one line."""
    metric = verdict.limit.metric
    if verdict.bound is None or verdict.value is None:
        return verdict.message
    words = f"{metric} is {figure_words(metric, verdict.value)}, {excess_words(verdict)} beyond "
    words += figure_words(metric, verdict.bound)
    if verdict.reference is None or verdict.limit.reference is None:
        return words
    return f"{words}; {verdict.limit.reference} has {figure_words(metric, verdict.reference)}"
