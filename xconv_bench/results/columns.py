"""The columns of the tables, what their cells hold, and how a cell is written and read.

A column is text unless its name says otherwise: counts and ``*_bytes`` are integers,
``*_seconds`` and ``*_error`` are floats. An empty cell is None.
"""

from dataclasses import fields

from xconv_bench.configuration import Configuration

Cell = str | int | float | None

KEY_COLUMNS = tuple(field.name for field in fields(Configuration))
"""The columns by which a row is known."""

MEMORY_COLUMNS = (
    *KEY_COLUMNS,
    "status",
    "message",
    "saved_bytes",
    "live_peak_bytes",
    "simulated_peak_bytes",
    "allocated_peak_bytes",
    "reserved_peak_bytes",
    "nvml_process_peak_bytes",
    "nvml_device_peak_bytes",
    "nvml_context_bytes",
    "rss_peak_bytes",
    "forward_seconds",
    "backward_seconds",
    "step_seconds",
    "gradient_relative_error",
    "parameters",
    "convolutions",
)
"""The columns of ``memory.csv``."""

STATUSES = ("ok", "oom", "error", "timeout", "unsupported")

FINAL_STATUSES = frozenset({"ok", "oom", "unsupported"})
"""A resumed run does not measure these again; the other statuses may have been bad luck."""

LONGEST_TEXT = 2000
"""Characters of a text cell; a message that says more is cut. Readers of CSV have limits too."""

_COUNTS = frozenset(
    {"probes", "batch_size", "image_size", "repeat", "seed", "parameters", "convolutions"}
)


def write_cell(column: str, value: Cell) -> str:
    """The text of ``value`` in a table: always one line, and read back as the same value."""
    if value is None:
        return ""
    kind = _kind(column)
    if kind is str:
        return _one_line(str(value))
    return repr(kind(value))


def read_cell(column: str, text: str) -> Cell:
    """The value of a cell; ValueError where it is not what ``column`` holds."""
    return _kind(column)(text) if text else None


def _kind(column: str) -> type[str] | type[int] | type[float]:
    if column in _COUNTS or column.endswith("_bytes"):
        return int
    if column.endswith(("_seconds", "_error")):
        return float
    return str


def _one_line(text: str) -> str:
    # A file name that is not UTF-8 comes from the system with surrogates, which no file can hold;
    # a NUL makes some readers of CSV stop.
    printable = text.encode("utf-8", "backslashreplace").decode().replace("\0", "")
    line = " ".join(part.strip() for part in printable.splitlines() if part.strip())
    return line if len(line) <= LONGEST_TEXT else f"{line[: LONGEST_TEXT - 3]}..."
