"""Messages of rows, below a table or a picture."""

from collections.abc import Iterator, Sequence

from xconv_bench.naming import method_words
from xconv_bench.report.settings import Comparable, of_network
from xconv_bench.report.summary import Row
from xconv_bench.report.words import status_words


def notes_of(settings: Sequence[Comparable]) -> list[str]:
    """Return the messages of all configurations, each once, with the configurations it is about.

    A configuration that was not measured has a note even where it left no message.
    """
    concerned: dict[tuple[str, str], list[str]] = {}
    for setting in settings:
        for row in of_network(setting.rows):
            if row["message"] or row["status"] != "ok":
                said = (str(row["status"]), str(row["message"] or ""))
                concerned.setdefault(said, []).append(_name(setting, row))
    return [_note(*said, names) for said, names in concerned.items()]


def failures_of(setting: Comparable) -> Iterator[str]:
    """Yield ``xconv multi r=512: out of memory`` for each configuration that was not measured."""
    for row in of_network(setting.rows):
        if row["status"] != "ok":
            yield f"{method_words(row)}: {status_words(str(row['status']))}"


def _name(setting: Comparable, row: Row) -> str:
    return ": ".join(part for part in (setting.apart, method_words(row)) if part)


def _note(status: str, message: str, names: Sequence[str]) -> str:
    who = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
    words = [] if status == "ok" else [status_words(status)]
    return ": ".join([who, *words, *([message] if message else [])])
