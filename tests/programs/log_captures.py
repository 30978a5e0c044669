"""Let Python report something after logging was configured: the argument says what, a second one the file to log to."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import warnings

from oneiric.core.logging import LoggingConfig, LoggingSinkConfig, configure_logging


def main(what: str, path: str | None = None, captures: str = "on") -> None:
    """Configure logging, and do it."""
    sink = LoggingSinkConfig(target="file", path=path) if path else LoggingSinkConfig()
    on = captures == "on"
    configure_logging(LoggingConfig(sinks=[sink], capture_warnings=on, capture_uncaught=on))
    globals()[what]()


def warning() -> None:
    """Warn, with a credential in the text."""
    warnings.warn("100% old, token=hunter2", DeprecationWarning, stacklevel=1)


def error() -> None:
    """End with an error."""
    raise ValueError("boom")


def interrupt() -> None:
    """End as Ctrl-C does."""
    raise KeyboardInterrupt


def thread() -> None:
    """End a thread with an error."""
    one = threading.Thread(target=error, name="worker")
    one.start()
    one.join()


def thread_exit() -> None:
    """End a thread as it may end."""
    one = threading.Thread(target=sys.exit)
    one.start()
    one.join()


def finaliser() -> None:
    """Let a finaliser fail."""

    class Broken:
        def __del__(self) -> None:
            error()

    Broken()


def task() -> None:
    """Let a task fail that nobody waits for."""

    async def fail() -> None:
        error()

    async def run() -> None:
        await asyncio.wait([asyncio.create_task(fail())])
        gc.collect()

    asyncio.run(run())


def host_hook() -> None:
    """End with an error where the host has a hook of its own."""
    sys.excepthook = lambda *_: print("the host's")  # noqa: T201 - read by the test
    configure_logging()
    error()


if __name__ == "__main__":
    main(*sys.argv[1:])
