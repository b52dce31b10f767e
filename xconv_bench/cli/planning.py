"""Turn a profile into experiments; all are read and checked before the first one begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from xconv_bench.cli.experiment import Experiment
from xconv_bench.cli.measuring import parsers
from xconv_bench.cli.mistakes import PARSER_ERROR, words_of
from xconv_bench.errors import BenchError, UsageError, suggest

if TYPE_CHECKING:
    from xconv_bench.profiles import Profile
    from xconv_bench.profiles.reading import Planned

_WITHOUT_EXPERIMENTS = frozenset({"output", "help"})


def plan_experiments(profile: Profile, more: Sequence[str] = ()) -> list[Experiment]:
    """Return the experiments of a profile, with ``more`` words on the command line of each.

    Raises UsageError or BenchError, which name the file and the experiment.
    """
    commands = parsers()
    planned = [_with_settings(profile, each, commands) for each in profile.experiments]
    _refuse_unused(profile, commands)
    experiments = []
    for number, each in enumerate(planned, 1):
        name, *words = each.words
        try:
            # Not its main: that makes an exit code of an interrupt.
            with commands[name].make_context(name, [*words, *more]) as context:
                result = commands[name].invoke(context)
        except (UsageError, PARSER_ERROR) as error:
            raise UsageError(f"{_where(profile, number, name)}: {words_of(error)}") from error
        except BenchError as error:
            raise BenchError(f"{_where(profile, number, name)}: {error}") from error
        assert isinstance(result, Experiment)
        experiments.append(result)
    return experiments


def _with_settings(profile: Profile, planned: Planned, commands: Mapping[str, Any]) -> Planned:
    """Return an experiment with the shared settings that it takes.

    Raises UsageError for an unknown command or option.
    """
    number = profile.experiments.index(planned) + 1
    where = _where(profile, number, planned.command)
    if planned.command not in commands:
        raise UsageError(
            f"{profile.path}: experiment {number}: command {planned.command!r} is unknown: "
            f"{suggest(planned.command, commands)}"
        )
    known = _options(commands[planned.command])
    for option in planned.options:
        if option not in known:
            raise UsageError(f"{where}: {option!r} is unknown: {suggest(option, known)}")
    shared = {name: value for name, value in profile.settings.items() if name in known}
    options = _switched({**shared, **planned.options}, commands[planned.command])
    return type(planned)(planned.command, options)


def _refuse_unused(profile: Profile, commands: Mapping[str, Any]) -> None:
    used = {each.command for each in profile.experiments}
    known = {option for command in used for option in _options(commands[command])}
    for name in profile.settings:
        if name not in known:
            raise UsageError(
                f"{profile.path}: settings: {name!r} is an option of no experiment here: "
                f"{suggest(name, known)}"
            )


def _options(command: Any) -> set[str]:
    """Return the options of a command, without dashes."""
    names = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    return {name.removeprefix("--") for name in names} - _WITHOUT_EXPERIMENTS


def _switched(options: Mapping[str, Any], command: Any) -> dict[str, Any]:
    """Return ``options``, with ``no-x = true`` for ``x = false`` where there is a ``--no-x``."""
    opposites = {
        on.removeprefix("--"): off.removeprefix("--")
        for each in command.params
        for on, off in zip(each.opts, each.secondary_opts, strict=False)
    }
    off = {name for name in opposites if options.get(name) is False}
    return {
        opposites[name] if name in off else name: name in off or value
        for name, value in options.items()
    }


def _where(profile: Profile, number: int, command: str) -> str:
    return f"{profile.path}: experiment {number} ({command})"
