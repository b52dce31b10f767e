"""The command ``xconv-bench``: one file a command, which parses, calls an experiment and prints."""

import os
import signal
import sys
from types import FrameType
from typing import Annotated

import typer

from xconv_bench import __version__
from xconv_bench.cli.check import check
from xconv_bench.cli.data import data
from xconv_bench.cli.experiment import Experiment
from xconv_bench.cli.measuring import MEASURING
from xconv_bench.cli.mistakes import PARSER_ERROR, words_of
from xconv_bench.cli.models import models
from xconv_bench.cli.profiles import profiles
from xconv_bench.cli.report import report
from xconv_bench.cli.run import run
from xconv_bench.errors import BenchError

INTERRUPTED = 130
"""Exit code of a command that was stopped, as shells have it."""

app = typer.Typer(
    name="xconv-bench",
    help="Measure what training convolutional networks in less memory costs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _name, _command in MEASURING.items():
    app.command(_name)(_command)
app.command()(run)
app.command()(check)
app.command()(profiles)
app.command()(report)
app.command()(models)
app.command()(data)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"xconv-bench {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


def main() -> int:
    """Run the command line; the exit code: 0 fine, 1 not measured, 2 wrong usage."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        result = app(standalone_mode=False)
        code = result.carry_out() if isinstance(result, Experiment) else result
        sys.stdout.flush()
    except (BenchError, PARSER_ERROR) as error:
        return _complain(error)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # Who read our output has closed it; the interpreter's last flush must find a place to go.
        # The exit code is that which typer and rich give it, where they are the first to notice.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code if isinstance(code, int) else 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _complain(error: Exception) -> int:
    message = words_of(error)
    if message:  # there is none where only the help was asked for
        print(f"xconv-bench: {message}", file=sys.stderr)
    return getattr(error, "exit_code", 2)
