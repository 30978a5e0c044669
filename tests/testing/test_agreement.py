"""What is captured is what production does: the same lines, and with or without OpenTelemetry the same spans."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneiric.core.events import Event, Operation, Outcome
from oneiric.core.logging import json_logger
from oneiric.core.observers import Observers
from oneiric.observability.catalogue import CATALOGUE
from oneiric.observability.logs import LogSink
from oneiric.testing import tracing
from oneiric.testing.kept import Kept
from oneiric.testing.lines import capturing_sink
from oneiric.testing.sdk_spans import recording_sink
from oneiric.testing.spans import SeamSpans, SpanRecord

if TYPE_CHECKING:
    from oneiric.testing import LogLine

NOTIFIED = [s.event for s in CATALOGUE.signals if s.logs and not issubclass(s.event, Operation)]
SPANNED = [s.event for s in CATALOGUE.signals if s.span and issubclass(s.event, Operation)]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: st.integers(min_value=-(2**53), max_value=2**53),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
}


def records(record: type[Any]) -> st.SearchStrategy[Any]:
    """Return any record of a type, with every field set."""
    fields = {
        name: st.sampled_from(get_args(hint)) if get_origin(hint) is Literal else VALUES[hint]
        for name, hint in get_type_hints(record).items()
    }
    return st.builds(record, **fields)


@settings(deadline=None)
@given(events=st.lists(st.sampled_from(NOTIFIED).flatmap(records), max_size=5))
def test_lines_are_those_that_production_writes(events: list[Event]) -> None:
    """For any events the lines captured are, but for the instant, those that a handler of the logging module writes."""
    stream, logger, kept = io.StringIO(), logging.Logger("written", logging.DEBUG), Kept[Any]()  # noqa: LOG001
    logger.addHandler(logging.StreamHandler(stream))
    observers = Observers()
    observers.add(LogSink(CATALOGUE, Observers(), rate_limit=0.0, logger=lambda _: json_logger(logger)))
    observers.add(capturing_sink(kept))
    for event in events:
        observers.notify(event)
    written = [_timeless(json.loads(line)) | {"logger": None} for line in stream.getvalue().splitlines()]
    assert [_timeless(line) | {"logger": None} for line in kept.since(0)[0]] == written


@settings(deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("operation", SPANNED, ids=lambda operation: operation.__name__)
def test_spans_are_the_same_without_opentelemetry(operation: type[Operation], data: st.DataObject) -> None:
    """However an operation ends, what is recorded of it at the seam equals the span of the production sink."""
    seam, sdk = Kept[SpanRecord](), Kept[SpanRecord]()
    observers = Observers()
    observers.add(SeamSpans(seam))
    observers.add(recording_sink(sdk))
    reason = data.draw(st.sampled_from(["", "other"]))
    with observers.operation(data.draw(records(operation))) as running:
        running.update(**_changes(data, operation))
        if data.draw(st.booleans()):
            running.fail(reason, ValueError(data.draw(TEXT)))
        else:
            running.settle(data.draw(st.sampled_from(OUTCOMES)), reason)
    assert seam.since(0) == sdk.since(0)
    assert seam.count == 1


def test_the_production_sink_is_used_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the SDK installed its spans are captured, unless the environment disables it."""
    kept = Kept[SpanRecord]()
    assert type(tracing.capturing_observer(kept)).__name__ == "TracingSink"
    monkeypatch.setenv("OTEL_SDK_DISABLED", " True")
    assert isinstance(tracing.capturing_observer(kept), SeamSpans)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_TRACES_SAMPLER", "always_off"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "1"),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "1"),
        ("OTEL_SDK_DISABLED", "true"),
    ],
)
def test_the_environment_changes_no_span(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    """What the environment says of sampling, limits and the whole SDK is for production, not for a test."""
    monkeypatch.setenv(variable, value)
    kept = Kept[SpanRecord]()
    observers = Observers()
    observers.add(tracing.capturing_observer(kept))
    (swap,) = [operation for operation in SPANNED if operation.__name__ == "Swap"]
    with observers.operation(swap(domain="adapter", key="cache")):
        pass
    assert [record.attributes["oneiric.key"] for record in kept.since(0)[0]] == ["cache"]


def _timeless(line: LogLine) -> LogLine:
    return {key: value for key, value in line.items() if key != "timestamp"}


def _changes(data: st.DataObject, operation: type[Operation]) -> dict[str, Any]:
    hints = get_type_hints(operation)
    names = data.draw(st.sets(st.sampled_from([name for name in hints if hints[name] in VALUES])))
    return {name: data.draw(VALUES[hints[name]]) for name in sorted(names)}
