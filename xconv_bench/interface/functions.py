"""Functions that carry out a command and return its table."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from xconv_bench.cli.experiment import Experiment
from xconv_bench.cli.measuring import MEASURING, parsers
from xconv_bench.cli.mistakes import PARSER_ERROR, words_of
from xconv_bench.cli.options import SEVERAL
from xconv_bench.errors import BenchError, UsageError, suggest
from xconv_bench.interface.arguments import (
    FUNCTIONS,
    Argument,
    arguments_of,
    pythonic,
    several,
)
from xconv_bench.naming import model_words

if TYPE_CHECKING:
    from pandas import DataFrame

    from xconv_bench.results.run_directory import RunDirectory

_ENDING = """
A model that is an object is copied and never changed; its weights are those that it has. Where
another process can rebuild it, each measurement has a process of its own. A class that is defined
in a notebook or a script is measured in this process instead: nothing ends what hangs or what runs
out of memory, resident memory is that of this process, and a GPU is refused. An object or function
may have ``sample_shape(image_size)``, the shape of one input without the batch.

Returns:
    A ``pandas.DataFrame`` with the columns of the CSV of the command (docs/columns.md); ``status``
    and ``message`` follow on what tells its rows apart. A warning names the first that is not ok.

Raises:
    UsageError: an argument is wrong.
    BenchError: nothing could be measured; what fails for one configuration is a row that says so.
"""


def function_of(command: str) -> Callable[..., DataFrame]:
    """Return the function of a command that measures."""
    arguments = {each.name: each for each in arguments_of(command)}
    signature = inspect.Signature(
        [each.parameter for each in arguments.values()], return_annotation="pandas.DataFrame"
    )

    def measure(*positional: Any, **named: Any) -> DataFrame:
        try:
            given = signature.bind(*positional, **named).arguments
        except TypeError as error:
            unknown = [name for name in named if name not in arguments]
            hint = f"{unknown[0]}= is unknown: {suggest(unknown[0], arguments)}" if unknown else ""
            raise UsageError(f"{measure.__name__}(): {hint or error}") from None
        return _carry_out(command, arguments, given)

    measure.__name__ = measure.__qualname__ = command.replace("-", "_")
    measure.__module__ = "xconv_bench"
    measure.__signature__ = signature  # type: ignore[attr-defined]
    measure.__doc__ = _doc(command, list(arguments.values()))
    return measure


def _doc(command: str, arguments: Sequence[Argument]) -> str:
    said = pythonic((MEASURING[command].__doc__ or "").removesuffix(SEVERAL).rstrip())
    helps = "\n".join(
        f"    {each.name}: {each.help}{' One or several.' if each.has_several else ''}"
        for each in arguments
    )
    return f"{said}\n\nArgs:\n{helps}\n{_ENDING}"


def _carry_out(
    command: str, arguments: Mapping[str, Argument], given: Mapping[str, Any]
) -> DataFrame:
    from xconv_bench.experiments.cross_checks import forget_checks

    if given.get("snapshot") and given.get("output") is None:
        raise UsageError("snapshot=True writes files: give output=, the folder for them")
    values, things = _named(given)
    words = [word for name, value in values.items() for word in arguments[name].words(value)]
    by_option = {option: each for each in arguments.values() for option in (each.option, each.off)}
    known = {option: each for option, each in by_option.items() if option is not None}
    forget_checks()
    try:
        parser = parsers()[command]
        with parser.make_context(command, words, obj=things) as context:
            experiment = parser.invoke(context)
        frame = _measure(experiment, things, bool(given.get("explain")))
    except (BenchError, PARSER_ERROR) as error:
        kind = type(error) if isinstance(error, BenchError) else UsageError
        raise kind(pythonic(words_of(error), known)) from None
    said = _failures(frame)
    if said:
        warnings.warn(f"{command}: {pythonic(said, known)}", stacklevel=3)
    return frame


def _failures(frame: DataFrame) -> str:
    """Return how many rows did not end well, and how the first of them ended; empty without any."""
    failed = frame[frame["status"] != "ok"]
    if failed.empty:
        return ""
    first = failed.iloc[0]
    message = first["message"] or ""
    return (
        f"{len(failed)} of {len(frame)} rows {'is' if len(failed) == 1 else 'are'} not ok; the "
        f"first, {first['model']} {first['method']}, ended with {first['status']}"
        + (f": {message}" if message else "")
    )


def _named(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the arguments with a name for each network, and the networks by their names."""
    things: dict[str, Any] = {}
    models = several(given["model"]) if given.get("model") is not None else []
    taken = {model for model in models if isinstance(model, str)}
    names = []
    for model in models:
        name = model if isinstance(model, str) else _free(_name(model), taken)
        if not isinstance(model, str):
            things[name] = model
            taken.add(name)
        names.append(name)
    if things and given.get("frames") is not None:
        raise UsageError("frames= is for torchvision's video networks by their names: leave it out")
    named = {**given, **_functions_named(given)}
    if things and given.get("launcher") == "ray":
        raise UsageError("launcher='ray' takes networks by their names only: leave one of them out")
    return ({**named, "model": names} if models else named), things


def _functions_named(given: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of inputs and loss that are functions."""
    found = {name: given[name] for name in FUNCTIONS if callable(given.get(name))}
    if not found:
        return {}
    from xconv_bench.models.own_data import is_here, name_of

    names = {option: name_of(option, function) for option, function in found.items()}
    if given.get("launcher") == "ray" and any(map(is_here, names.values())):
        raise UsageError(
            "launcher='ray' takes no function of a notebook or a script: import it from a file"
        )
    return names


def _name(model: Any) -> str:
    while isinstance(model, partial):
        model = model.func
    name = getattr(model, "__name__", None)
    name = name if isinstance(name, str) else type(model).__name__
    return name.strip("<>")


def _free(name: str, taken: set[str]) -> str:
    numbered = (f"{name}-{number}" for number in range(2, len(taken) + 3))
    return next(each for each in (name, *numbered) if each not in taken)


@contextmanager
def _directory(output: Path | None) -> Iterator[Path]:
    if output is not None:
        yield output
        return
    with TemporaryDirectory() as folder:
        yield Path(folder)


def _measure(experiment: Experiment, things: Mapping[str, Any], explains: bool) -> DataFrame:
    from xconv_bench.cli.progress import SweepProgress
    from xconv_bench.interface.frames import frame_of
    from xconv_bench.results.environment import record_environment, record_machines
    from xconv_bench.results.run_directory import RunDirectory

    cells = experiment.cells
    with (
        _directory(experiment.output) as folder,
        RunDirectory(experiment.name, cells[0].model, folder) as run,
    ):
        experiment.check(run)
        _refuse_known(experiment, things, run)
        record_environment(run.environment, cells[0].seed)
        with SweepProgress(len(cells), has_lines=False) as progress:
            rows = experiment.measured(run, progress)
            record_machines(run.environment, experiment.launcher.machines())
        if experiment.output is not None:
            experiment.draw(rows, run)
        if explains:
            experiment.show(rows, run)
        frame = frame_of(rows)
        if run.plan.exists():
            from xconv import Plan

            frame.attrs["plan"] = Plan.read(run.plan)
        return frame


def _refuse_known(experiment: Experiment, things: Mapping[str, Any], run: RunDirectory) -> None:
    """Raise UsageError for rows of a network that an object may have nothing but the name of.

    So may the functions of a notebook.
    """
    from xconv_bench.models.own_data import is_here

    for table in experiment.tables:
        for row in run.table(table).rows():
            name = str(row.get("model"))
            if model_words(name) in things or is_here(name):
                raise UsageError(
                    f"{run.path} has rows of {row['model']}, perhaps of another object of that "
                    "name: choose another --output"
                )
