"""The command ``xconv-bench``: one file a command, which parses, calls an experiment and prints."""

from xconv_bench import interrupts

INTERRUPTED = 130
"""Exit code of a command that was stopped, as shells have it."""


def main() -> int:
    """Run the command line; the exit code: 0 fine, 1 not measured, 2 wrong usage."""
    # Before the first import that takes time.
    interrupts.listen()
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
