"""Capture the telemetry of runtimes: the same sinks as in production, on fresh instances that nobody else sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from oneiric.core.observers import Observers, once
from oneiric.core.sources import Observable, Stateful
from oneiric.testing.attachments import Attachments, call_all
from oneiric.testing.expectations import equals, expectations
from oneiric.testing.expecting import Expecting
from oneiric.testing.kept import Kept
from oneiric.testing.lines import capturing_sink
from oneiric.testing.selectors import event, metric, span
from oneiric.testing.tracing import capturing_observer
from oneiric.testing.window import Window, value_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from prometheus_client import CollectorRegistry

    from oneiric.testing.lines import LogLine
    from oneiric.testing.selectors import EventSelector, MetricSelector, SpanSelector
    from oneiric.testing.spans import SpanRecord
    from oneiric.testing.window import Samples


class TelemetryCapture:
    """Telemetry of one test, to be expected and read; the fixture ``oneiric_telemetry`` is one.

    A context manager that detaches at its end; also to be used without pytest, and for each example of a property.
    Nothing outside it is touched: no logging or structlog configuration, no global registry or tracer provider. Metrics
    are those of the production sink; log events are the lines that the production sink would write, at every level and
    without a rate limit; spans are those of the production sink with a tracer provider of its own. Thread-safe, but for
    attaching.

    Attributes:
        observers: The seam captured from the beginning, for resolvers, managers and runtimes that the test makes.
        lines: The log lines kept.
        ended: The ended spans kept.
    """

    metric = staticmethod(metric)
    event = staticmethod(event)
    span = staticmethod(span)
    equals = staticmethod(equals)

    def __init__(self) -> None:
        self.observers = Observers()
        self.lines: Kept[LogLine] = Kept()
        self.ended: Kept[SpanRecord] = Kept()
        self._unmet: list[str] = []
        self._attachments = Attachments(tracing=capturing_observer(self.ended), logs=capturing_sink(self.lines))
        self._attachments.add(self.observers, own=self.observers)
        self._window = Window(self)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Detach, and raise what :meth:`close` raises unless the body raised."""
        __tracebackhide__ = True
        self.close(failed=error is not None)

    def close(self, *, failed: bool = False) -> None:
        """Detach from everything; idempotent. What was captured can still be read.

        Raises:
            AssertionError: An ``expect`` block was left by an error that somebody caught, and what it expected did not
                come; not with *failed*, when that error is known.
        """
        __tracebackhide__ = True
        self._attachments.close()
        unmet, self._unmet = self._unmet, []
        if unmet and not failed:
            raise AssertionError("\n\n".join(unmet))

    @property
    def registry(self) -> CollectorRegistry:
        """The registry with the metrics of :attr:`observers`, to be served or read."""
        return self._attachments.telemetries[0].registry

    def attach(self, *targets: object) -> Callable[[], None]:
        """Capture the telemetry of *targets* too, and return the function that ends it; idempotent.

        A target is a runtime, a resolver or anything else that reports through ``observers`` or has ``states()``. One
        that has telemetry of its own keeps it, and its metrics are read from there. What happened before is not in the
        window of an ``expect`` block.

        Raises:
            TypeError: A target is none of that.
        """
        for target in targets:
            if not isinstance(target, Observable | Stateful):
                raise TypeError(f"nothing to capture from: {type(target).__name__} has neither observers nor states()")
        removers = [self._attachments.add(target, own=self.observers) for target in targets]
        return once(lambda: call_all(removers))

    def expect(self, *expected: object, exactly: bool = False) -> Expecting:
        """Return a context manager that raises an AssertionError unless what is *expected* comes in its body.

        The body may await, and other threads may do the work. If it raises, its error is the one that is seen; when
        something expected did not come either, the error gets a note, and if a test catches it, the end of the test
        fails.

        Args:
            expected: ``metric(...)``, ``event(...)`` and ``span(...)``, each followed by what is wanted of it. Of a
                metric: by how much it changes, or with ``equals(...)`` what it is at the end; of the others: how many
                there are. A number, something that compares equal (``pytest.approx``), or a function that says whether
                a number fits. Followed by nothing: that it changes, or that there is at least one.
            exactly: Whether nothing else may be counted, observed, logged or traced.

        Raises:
            TypeError: Something of *expected* is nothing of this; raised here, before the body.
            UnknownSignalError: A value is wanted of a histogram, without saying of which of its samples.
        """
        __tracebackhide__ = True
        parsed = expectations(expected)
        if not parsed and not exactly:
            raise TypeError("nothing is expected; to expect that nothing happens there is expect_nothing()")
        return Expecting(self, parsed, self._unmet, exactly=exactly)

    def expect_nothing(self) -> Expecting:
        """Return a context manager in whose body nothing may be counted, observed, logged or traced."""
        return self.expect(exactly=True)

    def value(self, selector: MetricSelector) -> float | None:
        """Return the sum of the series that *selector* means.

        Without such a series a counter or histogram is 0 and a gauge None.
        """
        __tracebackhide__ = True
        return value_of(self.samples(), selector)

    def events(self, name: str | EventSelector | None = None, /, **fields: object) -> list[LogLine]:
        """Return the lines of the log event *name* with these *fields*; without a name, every line."""
        return self._window.events(name, **fields)

    def spans(
        self, name: str | SpanSelector | None = None, /, *, status: str | None = None, **attributes: object
    ) -> list[SpanRecord]:
        """Return the ended spans called *name* with this *status* and *attributes*; without a name, every span."""
        return self._window.spans(name, status=status, **attributes)

    def samples(self) -> Samples:
        """Scrape everything that is captured; values of one series in several telemetries are added."""
        return self._attachments.samples()

    def joined(self, since: int) -> Samples:
        """Return the counts that telemetries after the first *since* had when they were attached."""
        return self._attachments.joined(since)

    @property
    def telemetries(self) -> int:
        """How many telemetries are read: the mark of this moment, for :meth:`joined`."""
        return len(self._attachments.telemetries)
