"""Records of spans, made of the events at the seam, without OpenTelemetry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from oneiric.core.events import Event, Finished, Operation
from oneiric.observability.catalogue import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.core.observers import Receiver
    from oneiric.testing.kept import Kept

SPAN_PREFIX = "oneiric."
"""Begins the name of each attribute that the runtime gives its spans."""


@dataclass(frozen=True, slots=True)
class SpanRecord:
    """A span that ended.

    Attributes:
        name: Its name.
        status: ``UNSET`` or ``ERROR``.
        description: What the status says of an error, or "".
        attributes: By their full names.
    """

    name: str
    status: str
    description: str
    attributes: Mapping[str, Any]

    @property
    def facts(self) -> Mapping[str, Any]:
        """The attributes, and the status under its name."""
        return {"status": self.status, **self.attributes}


class SeamSpans:
    """Make records of operations without OpenTelemetry; they equal those of the tracing sink's spans."""

    name = "spans"

    def __init__(self, spans: Kept[SpanRecord]) -> None:
        self._spans = spans

    def receiver(self, event_type: type[Event]) -> Receiver | None:
        """Want the operations that have a span."""
        signal = CATALOGUE.signal(event_type)
        if signal is None or not signal.span or not issubclass(event_type, Operation):
            return None
        return lambda operation: _Scope(signal.span, operation, self._spans)


class _Scope:
    """One operation, from its start to its end."""

    def __init__(self, name: str, operation: Operation, spans: Kept[SpanRecord]) -> None:
        self._record = SpanRecord(name, "UNSET", "", _attributes(operation))
        self._spans = spans

    def finished(self, finished: Finished) -> None:
        attributes = {**self._record.attributes, **_attributes(finished.operation)}
        attributes[f"{SPAN_PREFIX}outcome"] = finished.outcome
        if finished.reason:
            attributes[f"{SPAN_PREFIX}reason"] = finished.reason
        failed = finished.outcome == "failed"
        status, description = ("ERROR", finished.error or finished.reason) if failed else ("UNSET", "")
        self._record = SpanRecord(self._record.name, status, description, attributes)

    def close(self) -> None:
        self._spans.append(self._record)


def _attributes(event: Event) -> dict[str, Any]:
    return {SPAN_PREFIX + name: value for name, value in msgspec.structs.asdict(event).items() if value != ""}
