"""Replacement of tables and texts between the marks in a page."""

import re

import pandas as pd


def put(text: str, name: str, table: pd.DataFrame) -> str:
    """Put ``table`` between the marks of ``name``, as ``put_text`` does; its index comes first."""
    return put_text(text, name, _markdown(table))


def put_text(text: str, name: str, content: str) -> str:
    """Replace what is between ``<!-- NAME -->`` and ``<!-- end -->`` in ``text``.

    Exits if the page has no such marks.
    """
    begin = f"<!-- {name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?<!-- end -->", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"the page has no place for {name!r}: put {begin} and <!-- end --> there")
    return pattern.sub(lambda _: f"{begin}\n{content}\n<!-- end -->", text)


def _markdown(table: pd.DataFrame) -> str:
    lines = [
        f"| {table.index.name} | " + " | ".join(map(str, table.columns)) + " |",
        "|---" * (len(table.columns) + 1) + "|",
    ]
    lines += [
        "| " + " | ".join([str(name), *map(str, row)]) + " |"
        for name, *row in table.itertuples(name=None)
    ]
    return "\n".join(lines)
