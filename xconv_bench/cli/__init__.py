"""The command ``xconv-bench``: one file a command, which parses, calls an experiment and prints."""

import os
import signal
import sys
from types import FrameType
from typing import Annotated

import typer

from xconv_bench import __version__
from xconv_bench.cli.data import data
from xconv_bench.cli.error import error
from xconv_bench.cli.frontier import frontier
from xconv_bench.cli.layers import layers
from xconv_bench.cli.max_batch import max_batch
from xconv_bench.cli.memory import memory
from xconv_bench.cli.models import models
from xconv_bench.cli.report import report
from xconv_bench.cli.run import run
from xconv_bench.cli.runtime import runtime
from xconv_bench.cli.variance import variance
from xconv_bench.errors import BenchError

INTERRUPTED = 130
"""Exit code of a command that was stopped, as shells have it."""

# Its place differs between versions of typer; its relation does not.
_ParserError: type[Exception] = typer.BadParameter.__bases__[0]

app = typer.Typer(
    name="xconv-bench",
    help="Measure what training convolutional networks in less memory costs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(memory)
app.command("max-batch")(max_batch)
app.command()(error)
app.command()(variance)
app.command()(layers)
app.command()(runtime)
app.command()(frontier)
app.command()(run)
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
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except (BenchError, _ParserError) as error:
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
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    if message:  # there is none where only the help was asked for
        print(f"xconv-bench: {' '.join(message.split())}", file=sys.stderr)
    return getattr(error, "exit_code", 2)
