"""Sizes in bytes, as people write them."""

import pytest

from xconv_bench.errors import UsageError
from xconv_bench.parsing import size_in_bytes


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("16GiB", 16 * 2**30),
        ("500 MiB", 500 * 2**20),
        ("8GB", 8 * 10**9),
        ("1.5 TiB", 3 * 2**39),
        ("2KiB", 2048),
        ("2kb", 2000),
        ("0.1GB", 10**8),
        ("17179869184", 2**34),
        (" 2048 B ", 2048),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert size_in_bytes("--memory-budget", text) == size


@pytest.mark.parametrize(
    "text",
    ["", "lots", "GiB", "16G", "16 iB", "-1GiB", "0", "0.1", "1e9", "1,5GiB", "1 PiB", "１GB"],
)
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        size_in_bytes("--memory-budget", text)
    assert str(caught.value).startswith(
        f"--memory-budget {text!r}: expected a size such as 16GiB, 8GB, 500 MiB"
    )


@pytest.mark.parametrize(
    "text", ["9" * 5000, "9" * 5000 + "GiB", "99999999999 TiB", "1" + "0" * 30]
)
def test_what_no_machine_has(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        size_in_bytes("--memory-budget", text)
    assert "expected a size such as 16GiB" in str(caught.value)
    assert len(str(caught.value)) < 160
