"""While a command runs, Python seldom looks for garbage: imports make none."""

import gc
from collections.abc import Callable
from typing import Any

import pytest

from xconv_bench.cli import app

Command = Callable[..., Any]


def test_imports_are_not_searched_and_the_caller_s_choice_is_put_back(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, meanwhile = gc.get_threshold(), []

    def carry_out() -> int:
        meanwhile.append(gc.get_threshold())
        return 0

    monkeypatch.setattr(app, "run_command_line", carry_out)
    assert command("models").code == 0
    assert meanwhile[0][0] >= 100_000 and gc.isenabled()
    assert gc.get_threshold() == usual
