"""The block in which something is expected."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from oneiric.testing.report import report
from oneiric.testing.window import Window

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from oneiric.testing.expectations import Expectation
    from oneiric.testing.window import Captured

_LOOK_SECONDS = 0.05


class Expecting:
    """A context manager that raises an AssertionError unless what is expected comes in its body.

    Args:
        source: Where to look.
        expected: What should come.
        unmet: Gets the report of a body that raised and in which something expected did not come.
        exactly: Whether nothing else may come.
        patience: Seconds after the body in which it may come, where something else than this process does the work.
    """

    def __init__(
        self,
        source: Captured,
        expected: Sequence[Expectation],
        unmet: list[str],
        *,
        exactly: bool,
        patience: float = 0.0,
    ) -> None:
        self._patience = patience
        self._source = source
        self._expected = expected
        self._unmet = unmet
        self._exactly = exactly
        self._windows: list[Window] = []

    def __enter__(self) -> Window:
        """Return the window of the body, to be read in it and after it."""
        window = Window(self._source)
        self._windows.append(window)
        return window

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Judge; an error of the body is never replaced."""
        __tracebackhide__ = True
        window = self._windows.pop()
        window.end()
        if error is not None and not isinstance(error, Exception | asyncio.CancelledError):
            return  # an interrupt, or a test that skips itself
        text = report(self._expected, window, exactly=self._exactly)
        deadline = time.monotonic() + self._patience
        while text and error is None and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
            window.end()
            text = report(self._expected, window, exactly=self._exactly)
        if not text:
            return
        if error is None:
            raise AssertionError(text)
        error.add_note(text)
        self._unmet.append(f"an expect block was left by {type(error).__name__}, which was caught, and {text}")
