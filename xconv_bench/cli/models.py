"""``xconv-bench models``: list models."""


def models() -> None:
    """List the models that can be measured by name."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from xconv_bench.models import listing

    table = Table(box=None, pad_edge=False)
    for heading in ("model", "family", "image", "remark"):
        table.add_column(heading, justify="right" if heading == "image" else "left")
    for entry in listing():
        cells = (entry.name, entry.family, str(entry.image_size), entry.remark)
        table.add_row(*(Text(cell) for cell in cells))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 1000
    console.print(table)
    console.print(
        Text(
            "\nalso: timm:NAME, smp:NAME, monai:NAME and hf:NAME of packages that are installed, "
            "and your own network as package.module:callable or path/to/file.py:callable"
        )
    )
