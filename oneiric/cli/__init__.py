"""The `oneiric` command: parse, call, show.

It imports as little as can be, not even ``__future__``: until `main` runs, Ctrl-C ends the process with a traceback.
"""

from oneiric.cli.interrupts import interrupt_ends

__all__ = ["main"]

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended; a process that SIGINT ends has the same one in a shell."""


def main() -> None:
    """Run the command line; until a command has what it needs, Ctrl-C ends the process at once, without a traceback."""
    try:
        interrupt_ends()
        if _is_completing():
            return
        from oneiric.cli.app import run  # noqa: PLC0415 - takes long, and must not be interrupted with a traceback

        run()
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    finally:
        interrupt_ends()  # to end takes a moment, too


def _is_completing() -> bool:
    """Answer a shell that asks for the words to offer, and return True; else False."""
    import os  # noqa: PLC0415 - is there already, but not in this module

    if "_ONEIRIC_COMPLETE" not in os.environ:
        return False
    from oneiric.cli.words import answer  # noqa: PLC0415 - only when a shell asks

    code = answer(os.environ)
    if code:
        raise SystemExit(code)
    return code is not None
