"""Text that networks, names and files bring along acts nowhere: terminal, XML, annotations, pages.

Escape sequences, other control characters and what turns the direction of text are shown instead.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import threshold_rows as rows
from threshold_rows import XCONV

Command = Callable[..., Any]

HOSTILE = "\x1b]0;mine\x07\x1b[2J\x9b31m\x08\u202etxt\x0b::error::\x00"
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]")

NETWORKS = """
import torch

def net():
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3))

class Fails(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3)

    def forward(self, image):
        raise RuntimeError({text!r})
"""


def harmless(*texts: str) -> bool:
    return not any(CONTROL.search(text) for text in texts)


def test_a_network_and_its_file(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows are found again under a name that no table can hold."""
    monkeypatch.chdir(tmp_path)
    Path("a\x1b[31m\udcff.py").write_text(NETWORKS.format(text=HOSTILE))
    sweep = (
        "memory", "--model", "a\x1b[31m\udcff.py:Fails,a\x1b[31m\udcff.py:net", "--simulate",
        "--image-size", 8, "--method", "exact", "--output", "a\x1b[31mrun",
    )  # fmt: skip
    finished = command(*sweep)
    assert finished.code == 1
    assert harmless(finished.output, finished.errors), ascii(finished)
    assert r"\x1b]0;mine\x07\x1b[2J\x9b31m" in finished.output
    assert r"a\x1b[31m\udcff.py:net" in finished.output
    again = command(*sweep)
    assert harmless(again.output, again.errors), ascii(again)
    known = [line for line in again.errors.splitlines() if "already measured" in line]
    assert len(known) == 1 and r"a\x1b[31m\udcff.py:net" in known[0]
    missing = command(*sweep[:2], f"{HOSTILE[:-1]}.py:net", *sweep[3:])
    assert missing.code == 2 and harmless(missing.errors)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run whose table comes from elsewhere: what it says was not written by us."""
    path = rows.write(
        tmp_path / "a\x1b[31mrun", "memory",
        rows.memory(simulated_peak_bytes=1000, live_peak_bytes=1000),
        rows.memory(status="error", message="MESSAGE", **XCONV),
        rows.memory(model="MODEL", simulated_peak_bytes=3000),
    )  # fmt: skip
    table = path / "memory.csv"
    message = HOSTILE.translate({0: None, 0x0B: None})  # no CSV has these within a line
    text = table.read_text().replace("MESSAGE", f"{message}<b>")
    table.write_text(text.replace("MODEL", "a\x1b[31mmodel"))
    (path / "environment.json").write_text(json.dumps({"torch": HOSTILE, "command": HOSTILE}))
    return path


def test_verdicts(command: Command, run: Path, tmp_path: Path) -> None:
    limits = [
        "--limit", "memory: simulated_peak_bytes <= 500",
        "--limit", "memory/\x1b[1m\udcff/*: saved_bytes <= 1",
    ]  # fmt: skip
    path = tmp_path / "junit.xml"
    finished = command("check", run, *limits, "--junit", path, "--github")
    assert finished.code == 1
    assert harmless(finished.output, finished.errors), ascii(finished)
    assert harmless(path.read_text())
    cases = list(ElementTree.parse(path).getroot().iter("failure"))
    assert len(cases) == 4
    assert r"not measured (error: \x1b]0;mine" in str(cases[1].get("message"))
    annotations = [line for line in finished.output.splitlines() if line.startswith("::")]
    assert len(annotations) == 4
    assert all(line.startswith("::error title=") for line in annotations)


def test_reports(command: Command, run: Path, tmp_path: Path) -> None:
    page = command("report", run, run)
    assert page.code == 0 and harmless(page.output, page.errors), ascii(page)
    text = (run / "report.html").read_text()
    assert harmless(text.replace("\t", " ")), CONTROL.findall(text)
    assert r"\x1b[2J" in text and r"a\x1b[31mrun" in text and "<b>" not in text
    markdown = command("report", run, "--format", "markdown")
    assert harmless(markdown.output, markdown.errors), ascii(markdown)
    assert "x1b" in markdown.output
    nothing = command("report", tmp_path / "\x1b[1mnowhere")
    assert nothing.code == 2 and harmless(nothing.errors)


def test_a_profile(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    experiment = '[[experiment]]\ncommand = "memory"\nmodel = "paper/mnist"\nsimulate = true\n'
    path.write_text(f'title = "a\\u001b[31mb"\n{experiment}image-size = 8\nmethod = "exact"\n')
    planned = command("run", path, "--dry-run")
    assert planned.code == 0 and harmless(planned.output, planned.errors), ascii(planned)
    assert r"a\x1b[31mb" in planned.output
    path.write_text(f'title = "a"\n{experiment}"no\\u001b[31msuch" = 3\n')
    refused = command("run", path, "--dry-run")
    assert refused.code == 2 and harmless(refused.errors), ascii(refused)
