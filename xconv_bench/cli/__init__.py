"""The command ``xconv-bench``, one file for each of its commands."""

import gc

from xconv_bench import interrupts

_OBJECTS_BEFORE_GARBAGE = 100_000
"""The number of new objects that lets Python look for garbage: imports make many, all to stay."""

INTERRUPTED = 130
"""Exit code of an interrupted command, as in shells."""


def main() -> int:
    """Run the command line; return the exit code.

    0 is fine, 1 a failed threshold or measurement, 2 wrong usage, 130 an interrupt.
    """
    # Before the first import that takes time.
    interrupts.listen()
    usual = gc.get_threshold()
    gc.set_threshold(_OBJECTS_BEFORE_GARBAGE, *usual[1:])
    try:
        from xconv_bench.cli.app import run_command_line

        code = run_command_line()
        interrupts.check()
        return code
    except BaseException:
        if interrupts.have_arrived():
            return INTERRUPTED
        raise
    finally:
        interrupts.stop_listening()
        gc.set_threshold(*usual)
