"""The C files of this folder compiled into one library, in the user's cache.

The library is compiled for this very processor and named by a hash of all that it depends on, so
that machines of several kinds may share a cache. It is written under another name first: processes
that compile at once do no harm.
"""

import hashlib
import os
import platform
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

_FOLDER = Path(__file__).parent
_COMPILERS = ("cc", "gcc", "clang")

_FLAGS = (
    *("-std=gnu11", "-O3", "-fPIC", "-shared"),
    # Nothing here looks at errno or at the flags of exceptions, and no bit of a result depends on
    # either; a product and a sum rounded as one would differ from torch's. (Files with sums in an
    # order of their own round them as one.)
    *("-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off"),
    "-fopenmp-simd",  # sums whose order may change say so themselves
)
_FOR_THIS_PROCESSOR = "-march=native"
_LIBRARIES = ("-lm", "-pthread")
_PATIENCE_SECONDS = 120


def build(again: bool = False) -> Path:
    """Return the path of the library, which is compiled if it is missing, or ``again``.

    Raises OSError or subprocess.SubprocessError where this is impossible.
    """
    if os.name != "posix" or sys.byteorder != "little":
        raise OSError("not written for this system")
    compiler = find_compiler()
    if compiler is None:
        raise FileNotFoundError("no C compiler")
    path = _cache() / f"{_digest(compiler)}.so"
    if again or not path.exists():
        _compile(compiler, path)
    return path


def find_compiler() -> list[str] | None:
    """Return the command of a C compiler, ``$CC`` if that is set, or None."""
    try:
        given = shlex.split(os.environ.get("CC", ""))
    except ValueError:  # a quotation mark without another
        return None
    for command in [given] if given else [[name] for name in _COMPILERS]:
        program = shutil.which(command[0])
        if program is not None:
            return [os.path.abspath(program), *command[1:]]
    return None


def _cache() -> Path:
    """Return the folder for libraries; raise PermissionError if others may write to it."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    home = Path(base) if os.path.isabs(base) else Path(os.path.expanduser("~"), ".cache")
    folder = home / "xconv"
    if not folder.is_absolute():  # nobody's home is known
        raise FileNotFoundError("no folder for a cache")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError("others may write to the cache")
    return folder


def _digest(compiler: list[str]) -> str:
    """Return a name for the library of these sources, this compiler and this processor."""
    digest = hashlib.sha256()
    for path in _sources("*.[ch]"):
        digest.update(path.read_bytes())
    own = os.path.realpath(compiler[0])  # tells versions apart
    digest.update(repr((compiler, own, _FLAGS, platform.machine(), *_processor())).encode())
    return digest.hexdigest()[:32]


def _processor() -> Iterator[str]:
    """Yield what tells kinds of processors apart."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        yield platform.processor()
        return
    for word in ("model name", "flags", "Features"):
        yield from [line for line in lines if line.startswith(word)][:1]


def _compile(compiler: list[str], path: Path) -> None:
    sources = [str(source) for source in _sources("*.c")]
    with TemporaryDirectory(dir=path.parent) as room:
        made = Path(room, path.name)
        command = [*compiler, *_FLAGS, "-o", str(made), *sources, *_LIBRARIES]
        try:
            _run([*command, _FOR_THIS_PROCESSOR])
        except subprocess.CalledProcessError:  # some compilers do not know this word
            _run(command)
        with made.open("rb") as library:
            os.fsync(library.fileno())  # a file that a power cut shortened would kill its users
        os.replace(made, path)


def _run(command: list[str]) -> None:
    subprocess.run(
        command,
        check=True,
        stdin=subprocess.DEVNULL,  # the terminal is the user's
        capture_output=True,
        timeout=_PATIENCE_SECONDS,
    )


def _sources(pattern: str) -> list[Path]:
    return sorted(_FOLDER.glob(pattern))
