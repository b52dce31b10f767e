"""Publish what runs on a GPU have left, in docs/gpu.md and docs/gpu/.

    python -m benchmarks.gpu.publish FOLDER... [--docs docs]

Each FOLDER is the ``--output`` of a run. A part that several of them have is taken from the last.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.gpu.page import VERDICT, folder_of, summary
from benchmarks.gpu.parts import PARTS
from benchmarks.page import put_text


def publish(runs: Sequence[Path], docs: Path) -> list[str]:
    """Copy tables and verdicts, renew the page, and return the parts that there are.

    Only what the page says of the machine is published: records name more than a page should.
    """
    page = docs / "gpu.md"
    text = put_text(page.read_text(), "results", summary(runs).strip())
    found = []
    for name, part in PARTS.items():
        folder = folder_of(name, runs)
        if folder is None:
            continue
        found.append(name)
        files = [Path(VERDICT), *(Path(f"{table}.csv") for table in part.tables)]
        for path in files:
            if (folder / path).is_file():
                target = docs / "gpu" / name / path
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / path, target)
    page.write_text(text)
    return found


def main() -> int:
    """Publish; return 1 if no folder holds a part of a run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="FOLDER", help="--output of a run")
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="folder of the page")
    given = parser.parse_args()
    if not any(folder_of(name, given.runs) for name in PARTS):
        words = ", ".join(map(str, given.runs))
        print(f"benchmarks.gpu.publish: no part of a run is in {words}", file=sys.stderr)
        return 1
    print(f"published: {', '.join(publish(given.runs, given.docs))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
