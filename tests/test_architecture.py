"""Rules that hold the house together (CONTRIBUTING.md): who knows whom, how long things get."""

import ast
import re
import subprocess
import sys
from collections.abc import Container, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("xconv", "xconv_bench")
FLOORS = {
    "xconv": (
        "amounts autocast bits capture choices contents differentiation geometry layout precision "
        "quantization scripting storages subclasses symbolic watching wholes",
        "native",
        "cached packing kept",
        "random",
        "grouped narrowing spectrum",
        "kernels",
        "rounded",
        "schemes",
        "probing",
        "budget compiled",
        "estimator state weighing",
        "saved",
        "functional plan",
        "modules",
        "derived",
        "conversion",
        "accounting planning",
        "integrations",
    ),
    "xconv_bench": (
        "amounts errors explanation interrupts plain_text randomness",
        "events parsing paths plans",
        "knobs",
        "configuration naming objectives",
        "models results",
        "data meters methods statistics thresholds",
        "profiles report tasks tracking",
        "measurement",
        "launch",
        "experiments",
        "cli",
        "__main__ interface",
    ),
}
"""The files and folders of both packages, from the ground up.

Each imports only from floors below its own: no neighbour, and nothing above. A folder counts as
one; what its files may import of each other is that there is no circle.
"""

PLACE = re.compile(r"(xconv(?:_bench)?(?:\.\w+)+):\w+")
"""A string that names something to import when it is used, as ``pkgutil.resolve_name`` takes it."""

SAME_MEANING = {
    "Arguments": "parameters of any function",
    "Function": "a function of any kind",
    "Result": "what a function returns, whatever it is",
    "Row": "a row of a table: one to write, or one to read",
}
"""Names of aliases that several files define for the same thing."""

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


def imported_names(path: Path) -> Iterator[str]:
    """Absolute names of everything ``path`` imports, at any depth, relative imports resolved.

    Imports for type checkers count, those inside functions, and names in strings such as
    ``"package.module:name"``. ``from a import b`` yields ``a.b``: the text alone does not say
    whether b is a module.
    """
    yield from names_imported(path.read_text(), path.relative_to(ROOT).parent.parts)


def names_imported(source: str, package: tuple[str, ...] = ()) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*origin, *(node.module or "").split("."))).rstrip(".")
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and PLACE.fullmatch(str(node.value)):
            yield str(node.value).replace(":", ".")


def import_graph(package: str) -> dict[str, set[str]]:
    """The modules of a package that each imports, by the names of modules."""
    files = {module_name(path): path for path in python_files(package)}
    return {
        module: {_module_of(name, files) for name in imported_names(path)} - {module, ""}
        for module, path in files.items()
    }


def _module_of(name: str, modules: Container[str]) -> str:
    """The module that ``name`` is or lies in; empty where it is none of ``modules``."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name


def floor_name(module: str) -> str:
    """The file or folder, below the package itself, that a module belongs to."""
    return module.split(".")[1] if "." in module else "__init__"


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """The modules of a circle in the order in which they import each other; empty without one."""
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        return list(error.args[1])
    return []


def is_inside(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def imports_of(files: list[Path], *forbidden: str) -> list[str]:
    """The offences, readable: ``xconv_bench.report.table imports xconv_bench.meters``."""
    return [
        f"{module_name(path)} imports {module}"
        for path in files
        for module in imported_names(path)
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


def test_every_way_to_import_is_seen() -> None:
    source = """
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from a.types import Kind
from .beside import name
def later():
    import a.lazy
    return resolve_name("xconv_bench.methods.exact:Exact")
"""
    found = set(names_imported(source, ("a", "inside")))
    assert {
        "a.types.Kind",
        "a.inside.beside.name",
        "a.lazy",
        "xconv_bench.methods.exact.Exact",
    } <= found


def test_a_circle_would_be_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"d"}}) == []
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})) == {"a", "b", "c"}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_imports_itself_by_way_of_others(package: str) -> None:
    graph = import_graph(package)
    assert sum(map(len, graph.values())) > len(graph), "imports are not seen"
    assert circle(graph) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_folder_imports_itself_by_way_of_others(package: str) -> None:
    folders: dict[str, set[str]] = {}
    for module, imported in import_graph(package).items():
        if module != package:
            others = {floor_name(name) for name in imported} - {floor_name(module), "__init__"}
            folders.setdefault(floor_name(module), set()).update(others)
    assert circle(folders) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_file_and_folder_has_its_floor(package: str) -> None:
    named = [name for floor in FLOORS[package] for name in floor.split()]
    there = {floor_name(module) for module in import_graph(package)} - {"__init__"}
    assert sorted(named) == sorted(there)


def imports_up(graph: Mapping[str, set[str]], floors: Sequence[str]) -> set[str]:
    """The imports that do not go to a floor below, readable."""
    heights = {n: height for height, floor in enumerate(floors) for n in floor.split()}
    return {
        f"{module} imports {name}"
        for module, imported in graph.items()
        for name in imported
        if "." in module and "." in name and floor_name(name) != floor_name(module)
        if heights[floor_name(name)] >= heights[floor_name(module)]
    }


def test_a_wrong_way_would_be_found() -> None:
    graph = {"p.low.a": {"p.low.b"}, "p.high": {"p.low.a", "p", "p.beside"}, "p.low.c": {"p.high"}}
    wrong = {"p.high imports p.beside", "p.low.c imports p.high"}
    assert imports_up(graph, ("low", "high beside")) == wrong


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_down(package: str) -> None:
    assert imports_up(import_graph(package), FLOORS[package]) == set()


def test_the_layer_does_not_know_the_benchmark() -> None:
    assert imports_of(python_files("xconv"), "xconv_bench") == []


GUESTS = {
    "xconv.kernels": {"triton"},
    "xconv.integrations.lightning": {"lightning", "lightning_utilities"},
}
"""Packages that parts of the layer need besides torch; each is imported where its package is."""


def test_the_layer_needs_only_torch() -> None:
    allowed = {"torch", "xconv", *sys.stdlib_module_names}
    strangers = {
        f"{module_name(path)} imports {module}"
        for path in python_files("xconv")
        for module in imported_names(path)
        if module.split(".")[0] not in allowed
        and not any(
            is_inside(module_name(path), part) and module.split(".")[0] in guests
            for part, guests in GUESTS.items()
        )
    }
    assert strangers == set()


def named_things(path: Path) -> Iterator[str]:
    """Classes and aliases that are defined in a file, but for the annotations of options."""
    tree = ast.parse(path.read_text())
    yield from (node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    for node in tree.body:
        if isinstance(node, ast.Assign) and not ast.unparse(node.value).startswith("Annotated"):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            yield from (name for name in names if name[0].isupper() and not name.isupper())


def test_a_name_means_one_thing() -> None:
    """No class and no alias has the name of another, but for those that mean the same."""
    places: dict[str, list[str]] = {}
    for path in python_files(*PACKAGES):
        for name in named_things(path):
            places.setdefault(name, []).append(module_name(path))
    several = {name: found for name, found in places.items() if len(found) > 1}
    assert several.keys() - SAME_MEANING.keys() == set(), several
    assert SAME_MEANING.keys() <= several.keys(), "no longer needed"


@pytest.mark.parametrize("package", PACKAGES)
def test_types_are_offered_to_users(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


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


def test_asking_for_help_imports_nothing_heavy() -> None:
    """One process asks for all: whatever one of them imports is there at the end."""
    asked = [["--version"], ["--help"], *([name, "--help"] for name in COMMANDS)]
    program = f"""
import sys
from xconv_bench.cli import main

for arguments in {asked!r}:
    sys.argv = ["xconv-bench", *arguments]
    try:
        code = main() or 0
    except SystemExit as end:
        code = end.code or 0
    heavy = [name for name in {HEAVY_MODULES!r} if name in sys.modules]
    if code or heavy:
        sys.exit(f"xconv-bench {{' '.join(arguments)}}: code {{code}}, imports {{heavy}}")
    print("LIGHT")
"""
    finished = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines().count("LIGHT") == len(asked)
