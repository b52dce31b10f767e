"""The allocator meter asks torch's statistics in the right order, and only on CUDA."""

import pytest
import torch

from xconv_bench.meters.allocator import AllocatorMeter


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace torch's CUDA statistics and record the order in which they are used."""
    made: list[str] = []

    def stand_in(name: str, result: int | None = None) -> None:
        def record(device: torch.device) -> int | None:
            made.append(f"{name} {device}")
            return result

        monkeypatch.setattr(torch.cuda, name, record)

    stand_in("synchronize")
    stand_in("reset_peak_memory_stats")
    stand_in("max_memory_allocated", 700)
    stand_in("max_memory_reserved", 900)
    return made


def test_peaks_are_reset_before_the_block_and_read_after_it(calls: list[str]) -> None:
    with AllocatorMeter("cuda:1") as meter:
        calls.append("block")

    assert meter.reading == {"allocated_peak_bytes": 700, "reserved_peak_bytes": 900}
    assert meter.message == ""
    assert calls == [
        "synchronize cuda:1",
        "reset_peak_memory_stats cuda:1",
        "block",
        "synchronize cuda:1",
        "max_memory_allocated cuda:1",
        "max_memory_reserved cuda:1",
    ]


def test_a_failed_block_is_not_synchronised_and_has_empty_cells(calls: list[str]) -> None:
    meter = AllocatorMeter("cuda")
    with pytest.raises(RuntimeError, match="illegal memory access"), meter:
        raise RuntimeError("illegal memory access")

    assert meter.reading == {"allocated_peak_bytes": None, "reserved_peak_bytes": None}
    assert calls == ["synchronize cuda", "reset_peak_memory_stats cuda"]


def test_cpu_has_nothing_to_read(calls: list[str]) -> None:
    with AllocatorMeter(torch.device("cpu")) as meter:
        pass

    assert meter.reading == {}
    assert meter.message == ""
    assert calls == []
