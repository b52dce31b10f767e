"""The rss meter sees a real allocation, and says so when it must fall back."""

import sys
from pathlib import Path

import pytest

from xconv_bench.meters import rss
from xconv_bench.meters.rss import RssMeter

MEGABYTE = 10**6


def peak_bytes(meter: RssMeter) -> int:
    peak = meter.reading["rss_peak_bytes"]
    assert peak is not None
    return peak


def test_a_large_allocation_is_seen_and_forgotten_by_the_next_block() -> None:
    with RssMeter() as before:
        pass
    if before.message:
        pytest.skip(before.message)

    with RssMeter() as during:
        # Not bytes(n): zeroed pages are not resident until they are written.
        block = b"x" * (200 * MEGABYTE)
        del block
    with RssMeter() as after:
        pass

    assert peak_bytes(during) - peak_bytes(before) >= 190 * MEGABYTE
    assert peak_bytes(during) - peak_bytes(after) >= 190 * MEGABYTE
    assert during.message == ""


def test_a_forbidden_reset_falls_back_to_the_peak_since_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(rss, "CLEAR_REFS", tmp_path / "absent" / "clear_refs")

    with RssMeter() as meter:
        block = b"x" * (200 * MEGABYTE)
        del block

    assert peak_bytes(meter) >= 200 * MEGABYTE
    assert meter.message.startswith("rss: the peak is since the process started")


def test_a_status_without_a_high_water_mark_falls_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    status = tmp_path / "status"
    status.write_text("VmRSS:\t  12 kB\n")
    monkeypatch.setattr(rss, "CLEAR_REFS", tmp_path / "clear_refs")
    monkeypatch.setattr(rss, "STATUS", status)

    with RssMeter() as meter:
        pass

    assert peak_bytes(meter) > 0
    assert "no VmHWM" in meter.message


def test_the_high_water_mark_is_reset_and_counted_in_kibibytes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    status, clear_refs = tmp_path / "status", tmp_path / "clear_refs"
    status.write_text("VmPeak:\t  99 kB\nVmHWM:\t      12 kB\nVmRSS:\t   7 kB\n")
    monkeypatch.setattr(rss, "CLEAR_REFS", clear_refs)
    monkeypatch.setattr(rss, "STATUS", status)

    with RssMeter() as meter:
        assert clear_refs.read_text() == "5"

    assert meter.reading == {"rss_peak_bytes": 12 * 1024}
    assert meter.message == ""


@pytest.mark.parametrize(
    ("platform", "bytes_a_unit"), [("linux", 1024), ("darwin", 1)], ids=["linux", "macos"]
)
def test_the_lifetime_peak_uses_the_units_of_the_system(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, platform: str, bytes_a_unit: int
) -> None:
    resource = pytest.importorskip("resource")

    class Usage:
        ru_maxrss = 5000

    monkeypatch.setattr(rss, "CLEAR_REFS", tmp_path / "absent" / "clear_refs")
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(resource, "getrusage", lambda who: Usage)

    with RssMeter() as meter:
        pass

    assert meter.reading == {"rss_peak_bytes": 5000 * bytes_a_unit}
