"""The telemetry of a running service, read from outside: its metrics by its control socket, its lines from its log."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from oneiric.runtime.control.client import ServiceClient
from oneiric.testing.expectations import expectations
from oneiric.testing.expecting import Expecting
from oneiric.testing.kept import Kept
from oneiric.testing.selectors import EventSelector, SpanSelector
from oneiric.testing.window import Window, value_of

if TYPE_CHECKING:
    from oneiric.testing.lines import LogLine
    from oneiric.testing.selectors import MetricSelector
    from oneiric.testing.spans import SpanRecord
    from oneiric.testing.window import Samples

PATIENCE_SECONDS = 60.0
"""How long after a block what is expected of it may come."""


class ServiceTelemetry:
    """Telemetry of the service whose control socket is at *socket*, to be expected and read.

    A service works on by itself and after it has answered. So at the end of a block what is expected is waited for, and
    nothing can be said of what else may come. Reading raises :class:`~oneiric.runtime.control.client.ServiceError`
    where the service does not answer. For one thread at a time.

    Args:
        socket: The control socket, as `control.socket` names it.
        log: The file to which the service writes lines of JSON; None: no log event can be expected.
        patience: Seconds after a block in which what is expected of it may come.

    Attributes:
        lines: The log lines since it was made.
        ended: No spans: what a service traces goes to its collector.
    """

    def __init__(
        self, socket: str | Path, *, log: str | Path | None = None, patience: float = PATIENCE_SECONDS
    ) -> None:
        self._client = ServiceClient(socket)
        self._log = None if log is None else Path(log)
        self._patience = patience
        self._unmet: list[str] = []
        self.lines: Kept[LogLine] = Kept() if self._log is None else FollowedLog(self._log)
        self.ended: Kept[SpanRecord] = Kept()
        self._window = Window(self)

    def expect(self, *expected: object) -> Expecting:
        """Return a context manager that raises an AssertionError unless what is *expected* comes in its body, or soon.

        Args:
            expected: ``metric(...)`` and ``event(...)``, each followed by what is wanted of it, as for
                :meth:`TelemetryCapture.expect`.

        Raises:
            TypeError: Something of *expected* is nothing of this, a span for instance, or an event without a log.
        """
        __tracebackhide__ = True
        parsed = expectations(expected)
        if not parsed:
            raise TypeError("nothing is expected; of a service, name what is to come")
        for one in parsed:
            if isinstance(one.selector, SpanSelector):
                raise TypeError(f"{one.selector}: the spans of a service go to its collector and cannot be expected")
            if isinstance(one.selector, EventSelector) and self._log is None:
                raise TypeError(
                    f"{one.selector}: name the file that the service logs to, ServiceTelemetry(..., log=...)"
                )
        return Expecting(self, parsed, self._unmet, exactly=False, patience=self._patience)

    def value(self, selector: MetricSelector) -> float | None:
        """Return the sum of the series that *selector* means now; without any, of a gauge None, else 0."""
        __tracebackhide__ = True
        return value_of(self.samples(), selector)

    def events(self, name: str | EventSelector | None = None, /, **fields: object) -> list[LogLine]:
        """Return the lines of the event *name* with these *fields* since this was made; without a name, every line."""
        return self._window.events(name, **fields)

    def samples(self) -> Samples:
        """Ask the service for its metrics."""
        found: Samples = {}
        for sample in self._client.read("metrics")["samples"]:
            labels = tuple((str(name), str(value)) for name, value in sample["labels"].items())
            found.setdefault(str(sample["name"]), {})[labels] = float(sample["value"])
        return found

    def joined(self, since: int) -> Samples:
        """Return nothing: there is one service."""
        del since
        return {}

    @property
    def telemetries(self) -> int:
        """One."""
        return 1


class FollowedLog(Kept["LogLine"]):
    """The lines of JSON that are written to the file *path* from now on."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._at = path.stat().st_size if path.exists() else 0

    @property
    def count(self) -> int:
        """How many there are."""
        self._read()
        return super().count

    def since(self, mark: int) -> tuple[list[LogLine], int]:
        """Return those after *mark*, and how many of them were let go."""
        self._read()
        return super().since(mark)

    def _read(self) -> None:
        with suppress(FileNotFoundError), self._path.open("rb") as file:
            file.seek(self._at)
            whole, end, _ = file.read().rpartition(b"\n")  # the last line may be half written
            self._at += len(whole) + len(end)
            for line in whole.splitlines():
                with suppress(ValueError):
                    record = json.loads(line)
                    if isinstance(record, dict):
                        self.append(record)
