"""A process that is killed while it puts rows loses none that it knew to be on the disk."""

import random
import subprocess
import sys
from pathlib import Path

from xconv_bench.results.schema import TABLES
from xconv_bench.results.table import Table

KILLS = 30

# Two rows in three are appended, the third takes the place of an old one. A row is long, and full
# of its number up to its end, so that half a row cannot pass for one. Writing byte by byte, and not
# waiting for the disk between rows, makes it likely that a kill meets a half-written line.
WRITER = """
import os
import sys
from pathlib import Path
from xconv_bench.results.schema import TABLES
from xconv_bench.results.table import Table

write = os.write
os.write = lambda descriptor, content: write(descriptor, content[:1])
os.fsync = lambda descriptor: None
table = Table(Path(sys.argv[1]), TABLES["memory"])
number = int(sys.argv[2])
while True:
    seed = number if number % 3 else number // 2
    table.put({"model": "m", "seed": seed, "message": f"{number} " * 300, "convolutions": number})
    print(number, seed, flush=True)
    number += 1
"""


def test_no_kill_tears_a_row_or_loses_one(tmp_path: Path) -> None:
    chance = random.Random(20240501)
    table = Table(tmp_path / "memory.csv", TABLES["memory"])
    number = 1
    acknowledged: dict[int, int] = {}
    for _ in range(KILLS):
        for line in output_until_killed(table.path, number, chance):
            number, seed = map(int, line.split())
            acknowledged[seed] = number
        found = {}
        for row in table.rows():
            assert str(row["message"]).split() == [str(row["convolutions"])] * 300
            found[row["seed"]] = row["convolutions"]
        # The row that was being written at the kill may be there or not.
        late = number + 1
        late_seed = late if late % 3 else late // 2
        kept = {seed: last for seed, last in found.items() if seed != late_seed}
        assert kept == {seed: last for seed, last in acknowledged.items() if seed != late_seed}
        assert found.get(late_seed) in (acknowledged.get(late_seed), late)
        number = late


def output_until_killed(path: Path, first_number: int, chance: random.Random) -> list[str]:
    """Start the writer, kill it after some rows and some moments more, return what it said."""
    command = [sys.executable, "-c", WRITER, str(path), str(first_number)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(chance.randint(1, 8))]
        for _ in range(chance.randrange(20_000)):
            pass
        writer.kill()
        return said + [line for line in writer.stdout if line.endswith("\n")]
