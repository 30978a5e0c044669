"""The seam: the one place through which the runtime reports.

The runtime calls :meth:`Observers.notify` and :meth:`Observers.operation`; whoever wants to know is an
:class:`Observer`. Dispatch is a table from event type to receivers, so an event type that nobody wants costs one
look-up.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar

import msgspec

from oneiric.core.batches import SEAM, Handle, handle_of
from oneiric.core.concurrency import ForkSafeLock
from oneiric.core.events import Event, Finished, HookFailed, Operation, Outcome
from oneiric.core.redaction import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType


class Scope(Protocol):
    """What a receiver of an operation may return: what it keeps while the operation runs."""

    def finished(self, finished: Finished) -> None:
        """Take how the operation ended; called on every scope before any of them is closed."""

    def close(self) -> None:
        """Let go of what was held open, a span for instance."""


Receiver: TypeAlias = "Callable[[Any], Scope | None]"
"""Called with each event of its type; for an operation, at its start, and may return a :class:`Scope`."""


class Observer(Protocol):
    """Whoever wants to know; all that a hook needs to be.

    Its ``name`` attribute, or else its class name, stands for it in ``HookFailed.sink``. Everything else is optional:

    - What it returns for an operation may itself return a scope, whose ``finished(finished)`` is called when the
      operation has ended, and whose ``close()`` after that.
    - What it returns may have ``when()``, cheap: whether it has use for an event now. It is asked before each of those
      events that are reported by their duration only, as resolutions are, and is called only where it has.
    - What it returns may have ``batch(event)``: a :class:`~oneiric.core.batches.Batch` for the durations of events that
      equal *event* otherwise, or None to be called with each of them. It is asked where it alone has no ``when()``.
    """

    def receiver(self, event_type: type[Event]) -> Receiver | None:
        """Return what is called with events of *event_type*, or None; asked once, when the observer is added."""


OperationT = TypeVar("OperationT", bound=Operation)


class Observers:
    """The observers of one runtime.

    Thread-safe: :meth:`notify` takes no lock, :meth:`add` replaces the table atomically. An observer that raises is
    caught and reported as :class:`HookFailed`; only KeyboardInterrupt and SystemExit pass. Receivers are called in the
    order in which their observers were added, in the thread that reports.

    Args:
        clock: Monotonic seconds; measures every operation once.

    Attributes:
        audience: Another object each time that somebody comes or goes, or is asked anew; for :meth:`handle`.
        silent: Whether nobody listens at all.
    """

    def __init__(self, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        self.silent = True
        self._lock = ForkSafeLock()
        self._reporting_failure = threading.local()
        self._observers: tuple[Observer, ...] = ()
        self.audience = object()
        self._table = _Table(self, ())

    @property
    def observers(self) -> Observers:
        """Itself: a seam is an :class:`~oneiric.core.sources.Observable`, too."""
        return self

    @property
    def attached(self) -> tuple[Observer, ...]:
        """The observers, in the order in which they were added."""
        return self._observers

    def add(self, observer: Observer) -> Callable[[], None]:
        """Add *observer* and return what removes it again; adding it twice and removing it twice change nothing."""
        with self._lock.held:
            if not any(known is observer for known in self._observers):
                self._replace((*self._observers, observer))

        return once(lambda: self._remove(observer))

    def refresh(self) -> None:
        """Ask every observer anew what it wants, after a log level was changed for instance."""
        with self._lock.held:
            self._replace(self._observers)

    def wants(self, event_type: type[Event]) -> bool:
        """Whether anybody wants events of *event_type*; one look-up."""
        return bool(self._table[event_type])

    def notify(self, event: Event) -> None:
        """Call whoever wants *event*; never raises what an observer raises."""
        for receiver, sink in self._table[type(event)]:
            try:
                receiver(event)
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - isolation is the job
                self.hook_failed(sink, error)

    def handle(self, event: Event) -> Handle:
        """Return how to report events that equal *event* but for their duration, again and again."""
        audience = self.audience  # looked at first: who comes meanwhile makes the handle an old one
        return handle_of(event, self, [receiver for receiver, _ in self._table[type(event)]], audience)

    def operation(self, operation: OperationT) -> Running[OperationT]:
        """Return a context manager that reports *operation* and, when its body ends, how it ended."""
        return Running(self, operation)

    def hook_failed(self, sink: str, error: BaseException) -> None:
        """Report that *sink*, whose failure must not stop the runtime, failed with *error*.

        What fails while a failure is reported, in the same thread, is not reported in turn: no chain of failures.
        """
        if getattr(self._reporting_failure, "now", False):
            return
        error_type, text = describe(error)
        self._reporting_failure.now = True
        try:
            self.notify(HookFailed(sink=sink, error_type=error_type, error=text))
        finally:
            self._reporting_failure.now = False

    def start(self, operation: Operation) -> list[tuple[Scope, str]]:
        """Report that *operation* starts and return the scopes to end it with; for :class:`Running`."""
        scopes: list[tuple[Scope, str]] = []
        for receiver, sink in self._table[type(operation)]:
            try:
                scope = receiver(operation)
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - isolation is the job
                self.hook_failed(sink, error)
            else:
                if scope is not None:
                    scopes.append((scope, sink))
        return scopes

    def end(self, scopes: list[tuple[Scope, str]], finished: Finished) -> None:
        """Call every scope with *finished*, then close them, the last opened first; for :class:`Running`."""
        for scope, sink in scopes:
            try:
                scope.finished(finished)
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - isolation is the job
                self.hook_failed(sink, error)
        for scope, sink in reversed(scopes):
            try:
                scope.close()
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - isolation is the job
                self.hook_failed(sink, error)

    def _remove(self, observer: Observer) -> None:
        with self._lock.held:
            self._replace(tuple(known for known in self._observers if known is not observer))

    def _replace(self, observers: tuple[Observer, ...]) -> None:
        self._observers = observers
        table = _Table(self, observers)
        for event_type in _subclasses(Event):
            table[event_type]  # asks the observers
        self._table = table
        self.audience = object()
        self.silent = not observers


class Running(Generic[OperationT]):
    """An operation in progress; made by :meth:`Observers.operation`, used once, by one task.

    Attributes:
        operation: The operation with what has been filled in so far.
    """

    __slots__ = ("_error", "_observers", "_outcome", "_reason", "_scopes", "_started", "operation")

    def __init__(self, observers: Observers, operation: OperationT) -> None:
        self.operation = operation
        self._observers = observers
        self._outcome: Outcome | None = None
        self._reason = ""
        self._error: BaseException | None = None
        self._scopes: list[tuple[Scope, str]] = []
        self._started = 0.0

    def update(self, **fields: str | float | bool) -> None:
        """Fill in fields of the operation that its body has learned; an unknown field is reported, never raised."""
        try:
            self.operation = msgspec.structs.replace(self.operation, **fields)
        except Exception as error:  # noqa: BLE001 - a report of the work must not stop it
            self._observers.hook_failed(SEAM, error)

    def settle(self, outcome: Outcome, reason: str = "") -> None:
        """Decide the outcome now, whatever is raised later: the work is done, or deliberately left undone."""
        self._outcome, self._reason = outcome, reason

    def fail(self, reason: str, error: BaseException | None = None) -> None:
        """Decide that the operation failed for *reason*; without *error*, the one its body raises is reported."""
        self._outcome, self._reason, self._error = "failed", reason, error

    def __enter__(self) -> Running[OperationT]:
        self._scopes = self._observers.start(self.operation)
        self._started = self._observers.clock()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        duration = self._observers.clock() - self._started
        if not self._scopes:
            return
        self._observers.end(self._scopes, self._finished(error, duration))

    def _finished(self, raised: BaseException | None, duration: float) -> Finished:
        outcome, reason = self._outcome, self._reason
        if outcome is None:
            if raised is None:
                outcome = "success"
            elif isinstance(raised, asyncio.CancelledError):
                outcome, reason = "cancelled", "cancelled"
            else:
                outcome, reason = "failed", "other"
        error_type, text = "", ""
        if outcome == "failed" and (error := self._error or raised) is not None:
            error_type, text = describe(error)
        return Finished(
            operation=self.operation,
            outcome=outcome,
            reason=reason,
            duration=duration,
            error_type=error_type,
            error=text,
        )


class _Table(dict[type[Event], tuple[tuple[Receiver, str], ...]]):
    """The receivers, with the name of their sink, by event type; what is no event is reported as a failed hook."""

    def __init__(self, owner: Observers, observers: tuple[Observer, ...]) -> None:
        super().__init__()
        self._owner = owner
        self._observers = observers

    def __missing__(self, event_type: type[Event]) -> tuple[tuple[Receiver, str], ...]:
        if not issubclass(event_type, Event):
            return ((_refuse, SEAM),)  # not kept: there may be any number of types
        entry = []
        for observer in self._observers:
            try:
                receiver = observer.receiver(event_type)
            except Exception as error:  # noqa: BLE001 - isolation is the job
                self._owner.hook_failed(_name(observer), error)
            else:
                if receiver is not None:
                    entry.append((receiver, _name(observer)))
        self[event_type] = tuple(entry)
        return self[event_type]


def _refuse(event: object) -> None:
    raise TypeError(f"notified of a {type(event).__name__}, which is no Event")


def once(work: Callable[[], None]) -> Callable[[], None]:
    """Return what does *work* when it is called first, and nothing after that."""
    left = [work]

    def do() -> None:
        if left:
            left.pop()()

    return do


def _name(observer: Observer) -> str:
    return str(getattr(observer, "name", type(observer).__name__))


def _subclasses(event_type: type[Event]) -> Iterable[type[Event]]:
    for subclass in event_type.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)
