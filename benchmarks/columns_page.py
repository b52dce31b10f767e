"""The page docs/columns.md, made from the declarations: ``python -m benchmarks.columns_page``."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from xconv_bench.results.schema import TABLES, Column, Schema

PAGE = Path(__file__).parent.parent / "docs" / "columns.md"
_INTRODUCTION = """\
# Columns of the tables

`python -m benchmarks.columns_page` makes this page from `xconv_bench/results/schema/`, where each
column is declared. *Better* says in which direction a change is a regression. *The same* says where
a figure is the same, so that a baseline from there may be compared with it; elsewhere `check` does
not compare. Columns named under *known to* are the standard error of a figure, or the bounds of its
95 % interval. An empty cell of a CSV means that a figure does not apply or could not be read."""


def page() -> str:
    """Return the text of the page."""
    contents = "\n".join(f"- [{each.title}](#{each.name}csv)" for each in TABLES.values())
    settings = {column.name: column for each in TABLES.values() for column in each.settings}
    sections = [
        "## Settings\n\nRows are known by them. They are chosen, so that no value is better.",
        _table(["column", "meaning", "unit"], map(_setting, settings.values())),
    ]
    for schema in TABLES.values():
        sections += _section(schema)
    return "\n\n".join([_INTRODUCTION, f"- [Settings](#settings)\n{contents}", *sections]) + "\n"


def _section(schema: Schema) -> list[str]:
    known_by = ", ".join(f"`{name}`" for name in schema.key)
    doubts = {name for column in schema.figures for name in column.spread}
    figures = [column for column in schema.figures if column.name not in doubts]
    headings = ["column", "meaning", "unit", "better", "the same", "known to", "it is not"]
    return [
        f"## {schema.name}.csv",
        f"**{schema.title}.** {schema.sentence}",
        f"Rows are known by {known_by}.",
        _table(headings, map(_figure, figures)),
    ]


def _setting(column: Column) -> Iterator[str]:
    yield from (f"`{column.name}`", column.meaning, _unit(column))


def _figure(column: Column) -> Iterator[str]:
    yield from _setting(column)
    yield column.better.value if column.better else ""
    yield column.holds.value if column.is_number else ""
    yield ", ".join(f"`{name}`" for name in column.spread)
    yield column.is_not


def _unit(column: Column) -> str:
    return column.unit.value if column.unit else ""


def _table(headings: Sequence[str], lines: Iterable[Iterable[str]]) -> str:
    """Return a table in Markdown, without the columns that no line has."""
    columns = list(zip(headings, *lines, strict=True))
    filled = [column for column in columns if any(column[1:])]
    heads, *rows = zip(*filled, strict=True)
    return "\n".join(map(_line, (heads, ["---"] * len(heads), *rows)))


def _line(cells: Iterable[str]) -> str:
    bar = r"\|"  # a bare one would end the cell
    return f"| {' | '.join(cell.replace('|', bar) for cell in cells)} |"


if __name__ == "__main__":
    PAGE.write_text(page())
