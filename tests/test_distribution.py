"""Both forms in which the packages are given away install, and work outside of the checkout."""

import os
import subprocess
import sys
import venv
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("xconv", "xconv_bench")
ENDINGS = {"sdist": "*.tar.gz", "wheel": "*.whl"}

# The usual way to look for pip makes setuptools leave distutils alone, and Inductor needs it later.
pytestmark = pytest.mark.skipif(
    not all(map(PathFinder.find_spec, ("hatchling", "pip"))), reason="needs hatchling and pip"
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that has both."""
    folder = tmp_path_factory.mktemp("built")
    run(sys.executable, "-m", "hatchling", "build", "-d", folder, cwd=ROOT)
    return folder


@pytest.fixture(scope="module", params=ENDINGS)
def installed(
    request: pytest.FixtureRequest, built: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """Return an environment's programs and packages, where nothing else of ours is installed.

    Other packages are read from where they lie. From an sdist pip makes a wheel first.
    """
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(run(python, "-c", where).strip())
    needed = (each for each in sys.path if each.endswith(("site-packages", "dist-packages")))
    (packages / "needed.pth").write_text("\n".join(needed))
    (archive,) = built.glob(ENDINGS[request.param])
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--no-compile")
    run(*pip, "--no-index", "--no-deps", "--no-build-isolation", archive)
    return python.parent, packages


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Return the output of a command that does not see the checkout."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_all_files_are_there_and_the_types(installed: tuple[Path, Path]) -> None:
    _, packages = installed
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.*")]
    names = {path.relative_to(ROOT) for path in files if "__pycache__" not in path.parts}
    assert {Path(package, "py.typed") for package in PACKAGES} <= names
    assert {name for name in names if not (packages / name).exists()} == set()


def test_profiles_are_found(installed: tuple[Path, Path], tmp_path: Path) -> None:
    listed = run(installed[0] / "xconv-bench", "profiles", cwd=tmp_path)
    folder = ROOT / "profiles"
    names = {path.relative_to(folder).with_suffix("") for path in folder.rglob("*.toml")}
    assert {name.as_posix() for name in names} <= {
        line.split(" ")[0] for line in listed.split("\n")
    }


@pytest.mark.parametrize("installed", ["sdist"], indirect=True)
def test_it_measures_outside_of_the_checkout(installed: tuple[Path, Path], tmp_path: Path) -> None:
    network = ("--model", "resnet18", "--method", "exact")
    command = (installed[0] / "xconv-bench", "memory", *network, "--simulate", "--no-cross-check")
    assert "resnet18, 11,689,512 parameters" in run(*command, cwd=tmp_path)
    assert len([*tmp_path.glob("runs/*/memory.csv")]) == 1
