"""The launcher seen from outside: its output, its end, and what it leaves behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from processes import is_alive, living_in_session, wait_until

TESTS = Path(__file__).resolve().parents[2]

PROGRAM = f"""
import sys
from pathlib import Path

sys.path[:0] = [{str(TESTS)!r}, {str(TESTS.parent)!r}]
import pieces_of_work as pieces
from xconv_bench.launch import Launcher

launcher = Launcher(timeout_seconds=600)
print("result", launcher.run(pieces.print_everywhere).status)
sys.stdout.flush()
launcher.run(pieces.Ends(pieces.ignore_everything, (Path(sys.argv[1]),)))
"""


def test_output_of_the_network_is_no_result_and_the_worker_dies_with_its_parent(
    tmp_path: Path,
) -> None:
    environment = {key: os.environ[key] for key in os.environ.keys() - {"PYTHONUNBUFFERED"}}
    note, output, errors = tmp_path / "pid", tmp_path / "output", tmp_path / "errors"
    with output.open("wb") as out, errors.open("wb") as err:
        parent = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(note)], stdout=out, stderr=err,
            start_new_session=True, env=environment,
        )  # fmt: skip
    try:
        assert wait_until(lambda: note.is_file() and note.read_text()), errors.read_text()
        worker = int(note.read_text())
        assert is_alive(worker)
        parent.kill()
        parent.wait()
        assert wait_until(lambda: not is_alive(worker))
        assert wait_until(lambda: not living_in_session(parent.pid))
    finally:
        for process in living_in_session(parent.pid):
            os.kill(process, signal.SIGKILL)
    assert output.read_text() == "result ok\n"
    assert sorted(errors.read_text().splitlines()) == [
        "printed by Python",
        "printed by another program",
        "printed past Python",
    ]
