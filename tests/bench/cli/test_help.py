"""The help says what each option sets to somebody who has not read the source."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from xconv.conversion import FAMILIES
from xconv.random import DISTRIBUTIONS
from xconv.schemes import SCHEMES
from xconv_bench import __file__ as package
from xconv_bench.cli import options
from xconv_bench.cli.app import app
from xconv_bench.cli.measuring import MEASURING
from xconv_bench.knobs import KNOBS
from xconv_bench.methods import METHODS, find_method
from xconv_bench.tasks import TASKS

COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
FRAGMENTS = {"Of", "That", "Those", "What", "Whose", "With", "In", "After", "Which", "One"}
"""Words that begin a text whose noun stands elsewhere."""


def is_whole(text: str) -> bool:
    first, *others = text.split()
    return first[0].isupper() and first not in FRAGMENTS and len(others) > 0


@pytest.mark.parametrize("name", COMMANDS)
def test_a_text_is_a_sentence_or_a_noun_with_what_it_is(name: str) -> None:
    assert is_whole(COMMANDS[name].help)
    texts = [each.help for each in COMMANDS[name].params]
    assert [text for text in texts if not is_whole(text) or text[-1] not in '."'] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_its_own_options_come_first_and_the_groups_in_one_order(name: str) -> None:
    groups = [getattr(each, "rich_help_panel", None) for each in COMMANDS[name].params]
    places = [options.GROUPS.index(group) if group in options.GROUPS else -1 for group in groups]
    assert places[:-1] == sorted(places[:-1])  # the last is --help


def names_in(text: str) -> set[str]:
    return set(re.findall(r"[a-z][a-z0-9-]+", text))


def test_the_help_of_a_choice_names_all_that_there_is() -> None:
    (method,) = (each for each in COMMANDS["memory"].params if each.name == "method")
    (task,) = (each for each in COMMANDS["train"].params if each.name == "task")
    assert names_in(method.help) >= set(METHODS)
    assert names_in(task.help) >= set(TASKS)
    assert names_in(KNOBS["scheme"].help) >= set(SCHEMES)
    assert names_in(KNOBS["compress"].help) >= {*FAMILIES, "all"}
    assert names_in(KNOBS["distribution"].help) >= set(DISTRIBUTIONS)


def test_a_knob_has_one_value_unless_it_sweeps_by_default() -> None:
    values = {name: knob.values() for name, knob in KNOBS.items()}
    assert values.pop("scheme") == ("independent", "spectral")
    assert {name for name, found in values.items() if len(found) != 1} == set()
    given = {name: KNOBS[name].default for name, (value,) in values.items() if value is not None}
    assert given == {name: f"{value}" for name, (value,) in values.items() if value is not None}


@pytest.mark.parametrize("dial", ["bits", "probes", "keep", "patch", "rank"])
def test_the_default_of_a_dial_is_the_one_that_its_help_says(dial: str) -> None:
    defaults = {name: each.default for name, each in SCHEMES.items() if each.dial == dial}
    methods = {name: getattr(find_method(name), "dials", {}) for name in METHODS}
    defaults |= {name: dials[dial] for name, dials in methods.items() if dial in dials}
    words = KNOBS[dial].default_words or f"others {KNOBS[dial].default}"
    said = {name: float(value) for name, value in re.findall(r"([a-z-]+) ([0-9.]+)", words)}
    assert defaults == {name: said.get(name, said.get("others")) for name in defaults}


def test_a_choice_takes_every_value_that_its_help_names() -> None:
    for name, words in {"first": "exact,compressed", "allot": "layer,network"}.items():
        assert KNOBS[name].values([words]) == tuple(words.split(","))
        assert names_in(KNOBS[name].help) >= set(words.split(","))


def test_the_help_of_a_scheme_names_the_option_that_sets_it() -> None:
    listed = KNOBS["scheme"].help.split(": ")[1]
    dials = {name: re.search(r"--(\w+)", listed.partition(name)[2]) for name in SCHEMES}
    assert {name: found[1] for name, found in dials.items() if found} == {
        name: scheme.dial for name, scheme in SCHEMES.items()
    }


PACKAGE = Path(package).parent
OTHERS = {"--help", "--version", "--pid", "--porcelain", "--untracked-files", "--no-optional-locks"}
"""Options of xconv-bench itself and of other programs."""
SHARED = ("measurement", "methods", "launch", "results")
"""Folders whose messages any command that measures may show."""
ONLY_WHERE_GIVEN = {
    "measurement/learning.py": {"--inputs"},
    "measurement/advice.py": {"--inputs"},
    "measurement/function_remark.py": {"--compress"},
    "measurement/gradient_survey.py": {"--layer", "--samples", "--batch-size"},
    "measurement/starting_weights.py": {"--weights"},
    "measurement/warm_up.py": {"--warmup-steps", "--weights"},
    "measurement/plan_search.py": {"--memory-budget"},
    "measurement/noise.py": {"--scheme"},
    "methods/__init__.py": {"--method"},
    "methods/xconv.py": {"--compress"},
}
"""Messages about what some commands lack: these commands never come there."""


def options_of(*commands: str) -> set[str]:
    """Return the options that all of these commands have."""
    found = [
        {option for each in COMMANDS[name].params for option in (*each.opts, *each.secondary_opts)}
        for name in commands
    ]
    return set.intersection(*found)


def options_named_in(path: Path) -> Iterator[str]:
    """Yield the options in the texts of a file but for its docstrings, and `commands`."""
    tree = ast.parse(path.read_text())
    bare = {id(each.value) for each in ast.walk(tree) if isinstance(each, ast.Expr)}
    for each in ast.walk(tree):
        if isinstance(each, ast.Constant) and isinstance(each.value, str) and id(each) not in bare:
            yield from re.findall(r"--[a-z][a-z-]*[a-z]", re.sub("`[^`]*`", "", each.value))


def test_every_option_that_a_text_names_exists() -> None:
    known = set.union(*(options_of(name) for name in COMMANDS)) | OTHERS
    for path in PACKAGE.rglob("*.py"):
        assert set(options_named_in(path)) <= known, path


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_advises_options_that_it_has(name: str) -> None:
    path = PACKAGE / "cli" / f"{name.replace('-', '_')}.py"
    others = {"--profile"} if name == "run" else set()  # it ends with the words of check
    assert set(options_named_in(path)) <= options_of(name) | others


def test_messages_that_commands_share_advise_options_of_them_all() -> None:
    everywhere = options_of(*MEASURING)
    for path in (each for folder in SHARED for each in (PACKAGE / folder).rglob("*.py")):
        excepted = ONLY_WHERE_GIVEN.get(str(path.relative_to(PACKAGE)), set()) | OTHERS
        assert set(options_named_in(path)) <= everywhere | excepted, path
