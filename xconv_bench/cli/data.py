"""``xconv-bench data``: list data sets."""


def data() -> None:
    """List the data sets that networks are trained on, and what each of them needs."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from xconv_bench.data.sources import SOURCES

    table = Table(box=None, pad_edge=False)
    for heading in ("data", "what it is", "what it needs"):
        table.add_column(heading)
    for source in SOURCES.values():
        table.add_row(*(Text(cell) for cell in (source.name, source.what, source.needs)))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 1000
    console.print(table)
