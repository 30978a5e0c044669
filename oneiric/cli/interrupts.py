"""What Ctrl-C does: end the process at once while it imports, raise KeyboardInterrupt where a command can clean up."""

import _signal as signal  # type: ignore[import-not-found] # the module signal makes enumerations, which takes long


def interrupt_ends() -> None:
    """Let SIGINT end the process as the system does, where Python would raise KeyboardInterrupt."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupt_raises() -> None:
    """Let SIGINT raise KeyboardInterrupt again, so that a command can undo what it began."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
