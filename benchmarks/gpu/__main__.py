"""Run all that needs a GPU: ``make gpu``, in parts of at most 8 minutes, the most worthwhile first.

    python -m benchmarks.gpu [--part NAME ...] [--output FOLDER] [--minutes N] [--dry-run]

Each part leaves its tables, the log of its commands and ``verdict.txt`` in FOLDER/PART, even if it
is cut off or ended from outside; FOLDER/summary.md shows them all. A part that was interrupted
continues when it is run into the same folder again.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

from benchmarks.gpu import running
from benchmarks.gpu.page import VERDICT, summary
from benchmarks.gpu.parts import LONGEST_MINUTES, PARTS, Part
from benchmarks.gpu.verdicts import Verdict

PAGE = "summary.md"
_RESERVED_SECONDS = 15.0
"""Seconds of the given minutes that are reserved for the page.

A command that is cut off also needs some to write what it has.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts; return 0 if all goals are met, 1 if one is missed or was not measured."""
    given = _parser().parse_args(arguments)
    names = dict.fromkeys(name for words in given.part or PARTS for name in words.split(","))
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        return _complain(f"--part {unknown[0]!r} is unknown: choose from {', '.join(PARTS)}", 2)
    if given.minutes <= 0:
        return _complain(f"--minutes {given.minutes:g}: expected a number above 0", 2)
    parts = [PARTS[name] for name in names]
    if given.dry_run:
        _show(parts, given.output)
        return 0
    if problem := _no_gpu():
        return _complain(f"{problem}; --dry-run lists the parts without one", 1)
    signal.signal(signal.SIGTERM, _interrupt)
    end = time.monotonic() + given.minutes * 60 - _RESERVED_SECONDS
    verdicts: list[Verdict] = []
    with suppress(KeyboardInterrupt):
        for part in parts:
            if time.monotonic() >= end:
                print(f"{part.name}: no time is left (--minutes)", flush=True)
                continue
            verdicts.append(_carry_out(part, given.output / part.name, end))
            _write_page(given.output)
    _write_page(given.output)
    print(f"written: {given.output / PAGE}")
    return int(len(verdicts) < len(parts) or not all(verdict.met for verdict in verdicts))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "--part", action="append", metavar="NAME", help=f"run only these: {', '.join(PARTS)}"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("runs/gpu"), metavar="FOLDER",
        help="folder of tables and verdicts (default: runs/gpu)",
    )  # fmt: skip
    parser.add_argument(
        "--minutes", type=float, default=len(PARTS) * LONGEST_MINUTES, metavar="N",
        help="end after N minutes in all (default: 8 for each part)",
    )  # fmt: skip
    parser.add_argument(
        "--dry-run", action="store_true", help="list parts, commands and times; needs no GPU"
    )
    return parser


def _show(parts: Sequence[Part], output: Path) -> None:
    total = 0.0
    for part in parts:
        commands = part.commands(output / part.name)
        seconds = part.seconds(output / part.name)
        total += min(seconds, LONGEST_MINUTES * 60)
        print(
            f"{part.name}: {part.shows}; about {seconds / 60:.0f} min, {LONGEST_MINUTES:g} at most"
        )
        for command in commands:
            print(f"  {command.seconds:4.0f} s  {command}")
    print(f"all together: about {total / 60:.0f} min")


def _carry_out(part: Part, folder: Path, end: float) -> Verdict:
    """Run the commands of a part one after another, and write its verdict to the disk."""
    folder.mkdir(parents=True, exist_ok=True)
    deadline = min(time.monotonic() + LONGEST_MINUTES * 60 - _RESERVED_SECONDS, end)
    remarks = ["not finished"]
    began = time.monotonic()

    def tell() -> Verdict:
        verdict = _judge(part, folder)
        line = "; ".join([str(verdict), *remarks])
        (folder / VERDICT).write_text(f"{line} ({time.monotonic() - began:.0f} s)\n")
        return verdict

    commands = part.commands(folder.absolute())
    tell()
    for number, command in enumerate(commands, 1):
        print(f"[{part.name} {number}/{len(commands)}] {command}", file=sys.stderr, flush=True)
        how = running.run(command, folder / "log.txt", deadline, tell)
        if how:
            remarks.append(f"command {number} of {len(commands)} {_words(how)}")
        if how == running.CUT_OFF:
            break
    remarks.remove("not finished")
    verdict = tell()
    print(f"{part.name}: {(folder / VERDICT).read_text().strip()}", flush=True)
    return verdict


def _words(how: str) -> str:
    return "was cut off" if how == running.CUT_OFF else how


def _judge(part: Part, folder: Path) -> Verdict:
    """Return the verdict on the tables so far; unreadable tables must not cost the other parts."""
    try:
        return part.verdict(folder)
    except Exception as error:
        return Verdict(None, f"the tables cannot be judged ({type(error).__name__}: {error})")


def _write_page(output: Path) -> None:
    try:
        text = summary([output])
    except Exception as error:  # measurements are on the disk all the same
        text = f"The page cannot be drawn ({type(error).__name__}: {error}).\n"
    output.mkdir(parents=True, exist_ok=True)
    (output / PAGE).write_text(text)


def _no_gpu() -> str:
    import torch

    return "" if torch.cuda.is_available() else "torch sees no CUDA device here"


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _complain(message: str, code: int) -> int:
    print(f"benchmarks.gpu: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
