"""The threads of torch's OpenMP, for kernels to share.

They wait busily for their next work, for some milliseconds. Threads of our own would have to share
the cores with them meanwhile.
"""

import ctypes
from collections.abc import Iterator
from pathlib import Path

_NAMES = ("libgomp", "libiomp", "libomp")
_MAPS = Path("/proc/self/maps")


def address_of_team() -> int:
    """Return the address of ``GOMP_parallel`` in the OpenMP library that torch uses, or 0.

    GNU's, Intel's and LLVM's all have this function.
    """
    for path in _libraries():
        try:
            function = ctypes.CDLL(path).GOMP_parallel
        except (OSError, AttributeError):
            continue
        return ctypes.cast(function, ctypes.c_void_p).value or 0
    return 0


def _libraries() -> Iterator[str]:
    """Yield the paths of OpenMP libraries in this process, those of torch first."""
    try:
        lines = _MAPS.read_text().splitlines()
    except OSError:  # not Linux
        return
    paths = {line.split(maxsplit=5)[-1] for line in lines if "/" in line}
    found = sorted(path for path in paths if Path(path).name.startswith(_NAMES))
    yield from sorted(found, key=lambda path: "/torch/" not in path)
