"""Where the `oneiric` command begins.

It imports only what is built in, not even ``__future__``: until `main` runs, Ctrl-C ends the process with a traceback.
"""

import _signal as signal  # type: ignore[import-not-found] # the module signal makes enumerations, which takes long

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended; a process that SIGINT ends has the same one in a shell."""


def main() -> None:
    """Run the command line; until a command has what it needs, Ctrl-C ends the process at once, without a traceback."""
    try:
        interrupt_ends()
        from oneiric.cli.app import run  # noqa: PLC0415 - takes long, and must not be interrupted with a traceback

        run()
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    finally:
        interrupt_ends()  # to end takes a moment, too


def interrupt_ends() -> None:
    """Let SIGINT end the process as the system does, where Python would raise KeyboardInterrupt."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupt_raises() -> None:
    """Let SIGINT raise KeyboardInterrupt again, so that a command can undo what it began."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
