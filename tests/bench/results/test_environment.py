"""The record says what a run was made with, and survives machines that cannot say it."""

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from xconv_bench.errors import BenchError
from xconv_bench.results import environment
from xconv_bench.results.environment import describe_environment, record_environment
from xconv_bench.results.gpus import read_graphics
from xconv_bench.results.source import read_source


def test_the_record_is_complete_and_starts_no_cuda(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["xconv-bench", "memory", "--model", "my model"])
    path = tmp_path / "environment.json"
    record_environment(path, seed=7)
    record = json.loads(path.read_text())

    assert datetime.fromisoformat(record["started"]).tzinfo is not None
    assert record["command"] == "xconv-bench memory --model 'my model'"
    assert record["seed"] == 7
    assert record["torch"] == torch.__version__
    assert record["cpu"]["torch_threads"] == torch.get_num_threads()
    assert record["memory_bytes"] > 2**20
    assert record["packages"]["pandas"]
    assert record["flags"]["default_dtype"] == "float32"
    assert record["source"].keys() == {"revision", "dirty"}
    assert {"driver", "gpus", "cuda", "cudnn", "python", "platform"} <= record.keys()
    assert not torch.cuda.is_initialized()
    assert [file.name for file in tmp_path.iterdir()] == ["environment.json"]


@pytest.mark.parametrize(
    ("program", "expected"),
    [("/home/me/.venv/bin/xconv-bench", "xconv-bench"),
     ("/home/me/xconv_bench/__main__.py", "python -m xconv_bench")],
)  # fmt: skip
def test_the_folder_of_the_program_is_left_out(
    program: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [program, "models"])
    assert describe_environment(seed=0)["command"] == f"{expected} models"


def test_a_second_run_is_appended_to_the_record_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "environment.json"
    for seed in (1, 2, 3):
        record_environment(path, seed)
    record = json.loads(path.read_text())
    assert record["seed"] == 1
    assert [later["seed"] for later in record["continued"]] == [2, 3]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"continued": 1}'], ids=repr)
def test_a_foreign_file_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "environment.json"
    path.write_bytes(content)
    with pytest.raises(BenchError, match=r"environment\.json is not a record of an environment"):
        record_environment(path, seed=0)
    assert path.read_bytes() == content


def test_a_directory_in_its_place_is_explained(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="cannot be used: Is a directory"):
        record_environment(tmp_path, seed=0)


@pytest.mark.parametrize(
    ("convolutions", "products"),
    [
        ({"allow_tf32": True}, {"allow_tf32": False}),
        ({"conv": SimpleNamespace(fp32_precision="tf32")}, {"fp32_precision": "none"}),
    ],
    ids=["old flags", "new flags"],
)
def test_tf32_is_read_where_this_torch_keeps_it(
    monkeypatch: pytest.MonkeyPatch, convolutions: dict[str, Any], products: dict[str, Any]
) -> None:
    cudnn = SimpleNamespace(benchmark=False, deterministic=False, version=lambda: 1, **convolutions)
    cuda = SimpleNamespace(matmul=SimpleNamespace(**products))
    monkeypatch.setattr(torch, "backends", SimpleNamespace(cudnn=cudnn, cuda=cuda))
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)
    flags = describe_environment(0)["flags"]
    assert (flags["convolutions_tf32"], flags["matmul_tf32"]) == (True, False)
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    flags = describe_environment(0)["flags"]
    assert (flags["convolutions_tf32"], flags["matmul_tf32"]) == (False, False)


def test_a_package_that_is_missing_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_PACKAGES", ("no-such-package",))
    assert describe_environment(0)["packages"] == {"no-such-package": None}


class TestSource:
    @pytest.fixture
    def checkout(self, tmp_path: Path) -> Path:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        (tmp_path / "file").write_text("1")
        for command in (["init"], ["add", "."], [*identity, "commit", "-m", "one"]):
            subprocess.run(["git", *command], cwd=tmp_path, check=True, capture_output=True)
        return tmp_path

    def test_a_change_makes_the_checkout_dirty(self, checkout: Path) -> None:
        clean = read_source(checkout)
        assert clean["revision"] is not None
        assert len(clean["revision"]) == 40
        assert clean["dirty"] is False
        (checkout / "file").write_text("2")
        assert read_source(checkout) == {"revision": clean["revision"], "dirty": True}

    def test_a_folder_inside_another_checkout_is_none(self, checkout: Path) -> None:
        installed = checkout / "site-packages"
        installed.mkdir()
        assert read_source(installed) == {"revision": None, "dirty": None}

    def test_without_git_nothing_is_known(
        self, checkout: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", "")
        assert read_source(checkout) == {"revision": None, "dirty": None}


class FakeNvmlError(Exception):
    pass


def fake_nvml(**functions: Any) -> ModuleType:
    nvml = ModuleType("pynvml")
    defaults = {
        "NVMLError": FakeNvmlError,
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlSystemGetDriverVersion": lambda: "570.1",
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetName": lambda handle: "Tesla V100",
        "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(total=16 * 2**30),
        "nvmlDeviceGetCudaComputeCapability": lambda handle: (7, 0),
    }
    vars(nvml).update(defaults, **functions)
    return nvml


def fail(*_: object) -> None:
    raise FakeNvmlError("no driver")


class TestGraphics:
    def test_the_driver_names_its_gpus(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pynvml", fake_nvml())
        gpu = {"name": "Tesla V100", "total_bytes": 16 * 2**30, "compute_capability": "7.0"}
        assert read_graphics() == {"driver": "570.1", "gpus": [gpu]}

    @pytest.mark.parametrize(
        "nvml", [None, fake_nvml(nvmlInit=fail), fake_nvml(nvmlDeviceGetName=fail)]
    )
    def test_without_an_answer_nothing_is_known(
        self, monkeypatch: pytest.MonkeyPatch, nvml: ModuleType | None
    ) -> None:
        monkeypatch.setitem(sys.modules, "pynvml", nvml)
        assert read_graphics() == {"driver": None, "gpus": None}
