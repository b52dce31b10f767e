"""Docstrings, comments and messages of Python files, and the rules that their words follow."""

import ast
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_VERBS = (
    "Accept Add Adopt Align Allow Append Apply Ask Assign Attach Average Begin Bind Bound Build "
    "Call Carry Cast Change Check Choose Clear Close Collect Color Combine Compare Compile "
    "Complete Compute Convert Convolve Copy Count Create Cut Declare Decode Delete Deliver "
    "Describe Disable Discard Divide Do Download Draw Drop Enable Encode End Ensure Enter "
    "Estimate Evaluate Examine Exit Expand Explain Export Fill Find Fit Fold Forget Format "
    "Forward Free Generate Give Go Group Guess Hand Handle Have Hear Hide Hold Ignore Import "
    "Infer Insert Install Join Judge Keep Kill Launch Lay Leave Let Limit Link List Load Lock "
    "Look Make Map Mark Match Measure Merge Migrate Move Multiply Name Normalise Note Open Order "
    "Overwrite Pack Pad Parse Pass Pause Pick Plan Plot Pool Predict Prepare Print Probe Produce "
    "Profile Publish Put Raise Rank Reach Read Rebuild Receive Record Refuse Register Release "
    "Remember Remove Rename Render Renew Repair Repeat Replace Report Reset Resolve Restore "
    "Resume Return Revert Round Run Sample Save Say Scale Scatter See Seed Select Send Separate "
    "Set Settle Shorten Show Shuffle Simulate Sketch Skip Sort Spend Split Spread Start Step Stop "
    "Store Stream Sum Survey Swap Switch Take Tell Test Time Track Train Transform Treat Try Turn "
    "Undo Unpack Update Use Validate Wait Walk Warn Watch Wrap Write Yield "
)
VERBS = frozenset(_VERBS.split())
"""Words with which the docstring of a function may begin; add a verb that is missing."""

_FRAGMENT = re.compile(
    r"(Of|That|Those|What|How|Why|Where|When|Which|Who|As|By|Inside|With|Without|Also)\b"
)
"""The beginning of a docstring that leaves out its noun or its verb."""

_SENTENCE = re.compile(r"(?:\A|[.!?][\"')]*\s+|\n\n\s*)(Of|That|Those|What)\b")
_POINT = re.compile(r"(?:^|[.!?:][\"')]*\s+|^[-\d.]+ |\*\*)(Of|That|Those|What)\b", re.MULTILINE)
_NO_SENTENCES = re.compile(r"^```.*?^```|^(?:#|\|).*?$", re.MULTILINE | re.DOTALL)
_ASIDE = re.compile(r"#+:?\s*(of|that|those|what|which|who)\b", re.IGNORECASE)

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Words(NamedTuple):
    """Words of a file, the line that they begin on, and the kind of place where they stand."""

    line: int
    kind: str
    text: str


def words_of(path: Path) -> Iterator[Words]:
    """Yield the docstrings of ``path``, its comments, helps, and other strings with several words.

    Kinds are ``function`` for docstrings of functions, ``docstring`` for all others (modules,
    classes, attributes), ``comment``, ``help`` and ``string``.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    taken: set[int] = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for number, line in enumerate(body if isinstance(body, list) else []):
            if isinstance(line, ast.Expr) and _is_text(line.value):
                kind = "function" if isinstance(node, Function) and not number else "docstring"
                taken.add(id(line.value))
                yield Words(line.lineno, kind, ast.literal_eval(line.value))
        if isinstance(node, ast.keyword) and node.arg == "help" and _is_text(node.value):
            taken.add(id(node.value))
            yield Words(node.value.lineno, "help", ast.literal_eval(node.value))
    for node in ast.walk(tree):
        if _is_text(node) and id(node) not in taken and " " in ast.literal_eval(node):
            yield Words(node.lineno, "string", ast.literal_eval(node))
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.COMMENT:
                yield Words(token.start[0], "comment", token.string)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def fault(words: Words) -> str:
    """Return what is wrong with some words; nothing where they keep the rules."""
    text = words.text.strip()
    first = re.split(r"[\s,.;:]", text, maxsplit=1)[0]
    if words.kind == "function" and first not in VERBS:
        return f"begins with {first!r}, which is no verb that tests/support/prose.py knows"
    if words.kind == "docstring" and (found := _FRAGMENT.match(text)):
        return f"begins with {found[1]!r}, which leaves out its noun"
    if words.kind == "help" and (found := _FRAGMENT.match(text[:1].upper() + text[1:])):
        return f"begins with {found[1]!r}, which leaves out its noun"
    if words.kind == "comment" and (found := _ASIDE.match(text)):
        return f"begins with {found[1]!r}, which leaves out its noun"
    if words.kind != "comment" and (found := _SENTENCE.search(text)):
        return f"a sentence begins with {found[1]!r}"
    return ""


def faults_of_page(text: str) -> list[str]:
    """Return the sentences of a page of Markdown that leave out their noun.

    Code, tables and headings are not read.
    """
    paragraphs = _NO_SENTENCES.sub("", text).split("\n\n")
    lines = (re.sub(r"\n(?!\s*[-\d])\s*", " ", each.strip()) for each in paragraphs)
    return [line[found.start() :][:60] for line in lines for found in _POINT.finditer(line)]
