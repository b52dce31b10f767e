"""What holds the house together (CONTRIBUTING.md): who knows whom, and how long things may get."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("xconv", "xconv_bench")
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50
HEAVY_MODULES = (
    "torch", "torchvision", "pandas", "matplotlib", "numpy", "scipy", "sklearn", "PIL",
    "jinja2", "ray",
)  # fmt: skip
COMMANDS = (
    "memory",
    "max-batch",
    "error",
    "variance",
    "layers",
    "runtime",
    "frontier",
    "train",
    "advise",
    "run",
    "check",
    "profiles",
    "report",
    "models",
    "data",
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(path: Path) -> Iterator[str]:
    """Absolute names of everything ``path`` imports, at any depth, relative imports resolved.

    ``from a import b`` yields ``a`` and ``a.b``: the text alone does not say whether b is a module.
    """
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*origin, *(node.module or "").split("."))).rstrip(".")
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def is_inside(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def imports_of(files: list[Path], *forbidden: str) -> list[str]:
    """The offences, readable: ``xconv_bench.report.table imports xconv_bench.meters``."""
    return [
        f"{module_name(path)} imports {module}"
        for path in files
        for module in imported_modules(path)
        if is_inside(module, *forbidden)
    ]


def code_lines(function: Function) -> int:
    """Lines from ``def`` to the last statement, the docstring's not counted."""
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function, clean=False) is not None:
        docstring = function.body[0]
        assert docstring.end_lineno is not None
        lines -= docstring.end_lineno - docstring.lineno + 1
    return lines


@pytest.mark.parametrize("folder", [*PACKAGES, "xconv_bench/results", "xconv_bench/report"])
def test_there_is_something_to_check(folder: str) -> None:
    """A renamed folder would otherwise pass every rule below."""
    assert python_files(folder)


def test_the_layer_does_not_know_the_benchmark() -> None:
    assert imports_of(python_files("xconv"), "xconv_bench") == []


GUESTS = {
    "xconv.kernels": {"triton"},
    "xconv.integrations.lightning": {"lightning", "lightning_utilities"},
}
"""What parts of the layer need besides torch; each is imported where its package is."""


def test_the_layer_needs_only_torch() -> None:
    allowed = {"torch", "xconv", *sys.stdlib_module_names}
    strangers = {
        f"{module_name(path)} imports {module}"
        for path in python_files("xconv")
        for module in imported_modules(path)
        if module.split(".")[0] not in allowed
        and not any(
            is_inside(module_name(path), part) and module.split(".")[0] in guests
            for part, guests in GUESTS.items()
        )
    }
    assert strangers == set()


def test_the_layer_does_not_know_its_integrations() -> None:
    integrations = ROOT / "xconv" / "integrations"
    others = [path for path in python_files("xconv") if not path.is_relative_to(integrations)]
    assert imports_of(others, "xconv.integrations") == []


@pytest.mark.parametrize("reader", ["results", "report"])
def test_what_is_on_disk_does_not_know_how_it_was_measured(reader: str) -> None:
    measuring = [f"xconv_bench.{name}" for name in ("meters", "methods", "experiments", "cli")]
    assert imports_of(python_files(f"xconv_bench/{reader}"), *measuring) == []


def test_nothing_knows_the_command_line() -> None:
    entry = ROOT / "xconv_bench" / "__main__.py"
    command_line = ROOT / "xconv_bench" / "cli"
    others = [
        path
        for path in python_files(*PACKAGES)
        if path != entry and not path.is_relative_to(command_line)
    ]
    assert imports_of(others, "xconv_bench.cli") == []


def test_files_are_short() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in python_files(*PACKAGES, "tests")
    }
    assert {name: lines for name, lines in lengths.items() if lines > MAX_FILE_LINES} == {}


def test_functions_are_short() -> None:
    lengths = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": code_lines(node)
        for path in python_files(*PACKAGES)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, Function)
    }
    assert {name: lines for name, lines in lengths.items() if lines > MAX_FUNCTION_LINES} == {}


@pytest.mark.parametrize(
    "arguments",
    [["--version"], ["--help"], *([name, "--help"] for name in COMMANDS)],
    ids=" ".join,
)
def test_asking_for_help_imports_nothing_heavy(arguments: list[str]) -> None:
    program = f"""
import sys
from xconv_bench.cli import main

sys.argv = ["xconv-bench", *{arguments!r}]
try:
    code = main() or 0
except SystemExit as end:
    code = end.code or 0
print("HEAVY:", *(name for name in {HEAVY_MODULES!r} if name in sys.modules))
sys.exit(code)
"""
    finished = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines()[-1].split() == ["HEAVY:"]
