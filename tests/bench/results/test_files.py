"""A file that cannot be used is named in one line, with what to do about it."""

import errno
import os
from pathlib import Path

import pytest

from xconv_bench.errors import BenchError, UsageError
from xconv_bench.results.files import explained, write_whole


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free some space and run again with the same --output"),
        (errno.EACCES, "change its permissions or choose another --output"),
        (errno.EROFS, "choose another --output"),
        (errno.ENOTDIR, "move it away or choose another --output"),
    ],
)
def test_the_remedy_fits_the_reason(number: int, remedy: str) -> None:
    with pytest.raises(BenchError) as refused, explained(Path("x.csv")):
        raise OSError(number, os.strerror(number))
    assert str(refused.value).startswith(f"x.csv cannot be used: {os.strerror(number)}; {remedy}")


def test_the_kind_of_error_is_the_callers() -> None:
    with pytest.raises(UsageError), explained(Path("x"), UsageError):
        raise PermissionError(errno.EACCES, "Permission denied")


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    (tmp_path / ".file.new").write_text("what a kill left")
    path.write_text("a longer text than the next")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]
