"""The commands of ``xconv-bench`` under one parser."""

from typing import Annotated

import typer

from xconv_bench import __version__, interrupts
from xconv_bench.cli.check import check
from xconv_bench.cli.data import data
from xconv_bench.cli.experiment import Experiment
from xconv_bench.cli.measuring import MEASURING
from xconv_bench.cli.mistakes import PARSER_ERROR, Measuring, words_of
from xconv_bench.cli.models import models
from xconv_bench.cli.profiles import profiles
from xconv_bench.cli.report import report
from xconv_bench.cli.run import run
from xconv_bench.cli.streams import say, tell, usable_streams
from xconv_bench.errors import BenchError

_MEASURE, _RUNS, _LISTS = "Measure", "Run profiles, check and report", "List what there is"
"""The titles of the groups of commands in the help."""

app = typer.Typer(
    name="xconv-bench",
    help="Measure memory, time and gradient error of methods that train convolutional networks "
    "in less memory.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _name, _command in MEASURING.items():
    app.command(_name, cls=Measuring, rich_help_panel=_MEASURE)(_command)
app.command(rich_help_panel=_RUNS)(run)
app.command(rich_help_panel=_RUNS)(check)
app.command(rich_help_panel=_RUNS)(report)
app.command(rich_help_panel=_LISTS)(profiles)
app.command(rich_help_panel=_LISTS)(models)
app.command(rich_help_panel=_LISTS)(data)


def _print_version(wanted: bool) -> None:
    if wanted:
        say(f"xconv-bench {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


def run_command_line() -> int:
    """Carry out ``sys.argv``, say what is wrong in one line, and return the exit code."""
    try:
        with usable_streams():
            result = app(standalone_mode=False)
            code = result.carry_out() if isinstance(result, Experiment) else result
    except (BenchError, PARSER_ERROR) as error:
        interrupts.check()  # it may be the cause
        return _complain(error)
    except typer.Abort as abort:
        raise KeyboardInterrupt from abort
    return code if isinstance(code, int) else 0


def _complain(error: Exception) -> int:
    message = words_of(error)
    if message:  # there is none where only the help was asked for
        tell(f"xconv-bench: {message}")
    return getattr(error, "exit_code", 2)
