"""The library of kernels in C: where it is compiled, when it is used; and it may be missing."""

import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
import torch
from native_cases import needs_compiler, switched
from torch.utils._python_dispatch import TorchDispatchMode

from xconv.native import building, team
from xconv.native.building import build, find_compiler
from xconv.native.calling import Library
from xconv.native.library import _loaded, describe_use, library_for
from xconv.saved.relu import bit_relu

BUILD = f"import runpy; print(runpy.run_path({building.__file__!r})['build']())"
"""A program that needs no torch."""


def test_no_compiler_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", str(tmp_path / "nothing"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert _loaded.__wrapped__() == (None, "off: no C compiler")
    assert [*tmp_path.iterdir()] == []


def test_a_command_that_is_none_and_a_home_that_nobody_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(building, "find_compiler", lambda: ["false"])
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert _loaded.__wrapped__() == (None, "off: no folder for a cache")
    monkeypatch.setenv("CC", "gcc 'without an end")
    assert find_compiler() is None
    assert [*tmp_path.iterdir()] == []


def test_another_system_has_operators_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "byteorder", "big")
    assert _loaded.__wrapped__() == (None, "off: not written for this system")


def test_a_compiler_may_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CC", "false")
    with pytest.raises(subprocess.CalledProcessError):
        build()
    assert [*tmp_path.rglob("*.so")] == []


@needs_compiler
def test_a_compiler_is_called_by_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that stands for several compilers, as ccache does, looks at its name."""
    program, name = tmp_path / "several", tmp_path / "mine"
    program.write_text('#!/bin/sh\n[ "${0##*/}" = mine ] && exec ' + find_compiler()[0] + ' "$@"\n')
    program.chmod(0o700)
    name.symlink_to(program)
    monkeypatch.setenv("CC", str(name))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert build().exists()


@needs_compiler
def test_two_processes_compile_at_once(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", BUILD], env=environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    paths = [Path(process.communicate()[0].strip()) for process in processes]
    assert paths == [*tmp_path.rglob("*.*")] * 2
    assert paths[0].parent.stat().st_mode & 0o777 == 0o700


@needs_compiler
def test_a_damaged_file_is_compiled_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "xconv").mkdir(mode=0o700)
    damaged = tmp_path / "xconv" / f"{building._digest(find_compiler())}.so"
    damaged.write_text("nothing that could be loaded")
    library, use = _loaded.__wrapped__()
    assert isinstance(library, Library) and use == "in use"
    assert damaged.stat().st_size > 1000


@pytest.mark.parametrize("mode", [0o500, 0o777], ids=["read-only", "open to others"])
def test_a_folder_may_be_unfit(mode: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if find_compiler() is None or (mode == 0o500 and os.geteuid() == 0):
        pytest.skip("nothing would be compiled, or nothing is read-only")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "xconv").mkdir()
    (tmp_path / "xconv").chmod(mode)
    with pytest.raises(PermissionError):
        build()


@needs_compiler
def test_operators_run_where_somebody_watches() -> None:
    class Watching(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            return func(*args, **(kwargs or {}))

    numbers = torch.ones(8)
    assert library_for(numbers) is not None
    with switched("off"):
        assert library_for(numbers) is None
        assert describe_use() == "off: XCONV_KERNELS=off"
    with Watching():
        assert library_for(numbers) is None
    assert torch.vmap(lambda each: each * (library_for(each) is None))(numbers).sum() == 8
    unfit = (
        numbers.to("meta"), numbers.to_sparse(), numbers[::2], torch.nn.Parameter(numbers),
        torch.complex(numbers, numbers)[:1].conj().imag,
    )  # fmt: skip
    assert all(library_for(numbers, each) is None for each in unfit)


@needs_compiler
def test_tensors_whose_numbers_lie_nowhere_are_left_to_operators() -> None:
    nowhere = torch._efficientzerotensor((8,)), torch._to_functional_tensor(torch.ones(8))
    assert all(library_for(each) is None for each in nowhere)
    input = torch.ones(8, requires_grad=True)
    bit_relu(input).backward(nowhere[0])
    assert input.grad is not None and not input.grad.any()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/maps")
def test_threads_are_those_of_torchs_openmp() -> None:
    has_one = any(True for _ in team._libraries())
    assert bool(team.address_of_team()) == has_one


def test_there_may_be_no_openmp(tmp_path: Path) -> None:
    (tmp_path / "libgomp.so").write_text("no library")
    maps = tmp_path / "maps"
    maps.write_text(f"7f00-7f01 r-xp 00000000 00:00 1   {tmp_path}/libgomp.so\n7f01-7f02 r-xp\n")
    for path in (maps, tmp_path / "none"):
        with mock.patch.object(team, "_MAPS", path):
            assert team.address_of_team() == 0


FORKED = """
import os, signal, torch
from xconv.native import masks
from xconv.native.library import library_for
torch.set_num_threads(2)
line, packed = torch.empty(2**20), torch.empty(2**17, dtype=torch.uint8)
def run():
    masks.relu(library_for(line), line, line, packed)
run()
child = os.fork()
if not child:
    signal.alarm(60)
    run()
    os._exit(0)
print(os.waitpid(child, 0)[1])
"""


@needs_compiler
@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_forked_process_has_threads_of_its_own() -> None:
    """OpenMP's do not live on in it: whoever gave them work would wait for ever."""
    done = subprocess.run(
        [sys.executable, "-c", FORKED], capture_output=True, text=True, check=True
    )
    assert done.stdout == "0\n", done.stderr
