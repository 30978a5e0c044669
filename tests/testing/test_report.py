"""What a failed expectation says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.core import events
from oneiric.testing import TelemetryCapture, equals, event, metric, span
from oneiric.testing.kept import Kept

if TYPE_CHECKING:
    from oneiric.core.lifecycle import LifecycleManager
    from oneiric.testing.expecting import Expecting

DOCUMENT = Path(__file__).parents[2] / "docs" / "testing.md"
RESOLVED: dict[str, Any] = {"provider": "memory", "duration": 0.001, "candidates": 1, "shadowed": 0}
PAUSED = events.Paused(domain="adapter", key="cache", note="maintenance")


async def report(expecting: Expecting, manager: LifecycleManager) -> str:
    """Return what is said after the cache was swapped, without the times that it took."""
    with pytest.raises(AssertionError) as failed, expecting:
        await manager.swap("adapter", "cache")
    return re.sub(r"duration_ms=\S+", "duration_ms=?", str(failed.value))


async def test_the_document_shows_what_is_said(oneiric_telemetry: TelemetryCapture, manager: LifecycleManager) -> None:
    """A series that changed instead is shown with its label that differs marked, in the words of the document."""
    expecting = oneiric_telemetry.expect(
        metric("oneiric_lifecycle_swap_total", domain="adapter", outcome="failed"), +1, event("swap-complete")
    )
    said = await report(expecting, manager)
    (shown,) = re.findall(r"```text\n(.*?)\n```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert said == shown


async def test_other_metrics_that_changed_are_shown(
    oneiric_telemetry: TelemetryCapture, manager: LifecycleManager
) -> None:
    """Where no series of the metric changed, those of other metrics are, the most similar name first."""
    expecting = oneiric_telemetry.expect(metric("oneiric_lifecycle_swap_failures_total", reason="hook"), 1)
    assert (
        await report(expecting, manager)
        == """\
telemetry is not as expected (0 of 1 expectations held)

metric oneiric_lifecycle_swap_failures_total{reason="hook"}
    expected  +1
    actual    0
    no series of it changed; these did:
        before  after  change  series
             0      1      +1  oneiric_lifecycle_swap_total{domain="adapter", key="cache", outcome="success"}
             0      1      +1  oneiric_lifecycle_swap_duration_ms_count{domain="adapter", key="cache"}
             0      1      +1  oneiric_resolution_total{domain="adapter", key="cache", provider="memory"}
             0      1      +1  oneiric_resolution_duration_seconds_count{domain="adapter", key="cache"}"""
    )


async def test_log_events_that_came_are_shown(oneiric_telemetry: TelemetryCapture, manager: LifecycleManager) -> None:
    """The lines with the wanted name come first, with the fields that differ or are missing marked."""
    expecting = oneiric_telemetry.expect(event("swap-complete", key="queue", error="refused", provider="memory"))
    assert (
        await report(expecting, manager)
        == """\
telemetry is not as expected (0 of 1 expectations held)

event swap-complete{key="queue", error="refused", provider="memory"}
    expected  at least 1
    actual    0
    log events that came:
        swap-complete      >> key="cache" (not "queue") <<  >> error is missing (not "refused") <<  provider="memory"\
  domain="adapter"  previous_provider="none"  forced=False  duration_ms=?
        swap-started       domain="adapter"  key="cache"  provider="none"  previous_provider="none"
        resolver-decision  domain="adapter"  key="cache"  provider="memory"  candidates=1  shadowed=0\
  decision="resolved"  duration_ms=?"""
    )


async def test_spans_that_ended_are_shown(oneiric_telemetry: TelemetryCapture, manager: LifecycleManager) -> None:
    """The spans that ended are shown with the status or attribute that differs marked."""
    expecting = oneiric_telemetry.expect(span("oneiric.lifecycle.swap", status="ERROR", key="cache"))
    assert (
        await report(expecting, manager)
        == """\
telemetry is not as expected (0 of 1 expectations held)

span oneiric.lifecycle.swap{status="ERROR", oneiric.key="cache"}
    expected  at least 1
    actual    0
    spans that ended:
        oneiric.lifecycle.swap  >> status="UNSET" (not "ERROR") <<  key="cache"  domain="adapter"  provider="memory"\
  previous_provider="none"  forced=False  outcome="success\""""
    )


async def test_what_else_came_is_shown_as_a_test_would_ask_for_it(
    oneiric_telemetry: TelemetryCapture, manager: LifecycleManager
) -> None:
    """With exactly, whatever was not named is listed in the words that name it."""
    expecting = oneiric_telemetry.expect(
        metric("oneiric_lifecycle_swap_total"),
        metric("oneiric_lifecycle_swap_duration_ms"),
        metric("oneiric_resolution_duration_seconds"),
        event("swap-started"),
        event("resolver-decision"),
        exactly=True,
    )
    assert (
        await report(expecting, manager)
        == """\
telemetry is not as expected (5 of 5 expectations held)

nothing else was expected, but there came
    metric("oneiric_resolution_total", domain="adapter", key="cache", provider="memory"), +1
    event("swap-complete", domain="adapter", key="cache", provider="memory", previous_provider="none", forced=False)
    span("oneiric.lifecycle.swap", status="UNSET", domain="adapter", key="cache", provider="memory",\
 previous_provider="none", forced=False, outcome="success")"""
    )


def test_values_are_shown(oneiric_telemetry: TelemetryCapture) -> None:
    """A value, a function and something that compares equal are named in what was expected."""
    paused = metric("oneiric_activity_paused_components", domain="adapter")
    counted = metric("oneiric_activity_pause_events_total")

    def many(number: float) -> bool:
        return number > 5

    wanted = (paused, equals(1), counted, many, counted, pytest.approx(2.5), counted, equals(7))
    with pytest.raises(AssertionError) as failed, oneiric_telemetry.expect(*wanted):
        oneiric_telemetry.observers.notify(PAUSED)
    assert re.findall(r"expected  (.*)\n    actual    (.*)", str(failed.value)) == [
        ("= 1", "no series"),
        ("many", "+1"),
        (repr(pytest.approx(2.5)), "+1"),
        ("= 7", "1"),
    ]


def test_nothing_at_all_is_said_so(oneiric_telemetry: TelemetryCapture) -> None:
    """In a block in which nothing happened each failure says that there was nothing near."""
    selectors = metric("oneiric_lifecycle_swap_total"), event("swap-failed"), span("oneiric.lifecycle.swap")
    with pytest.raises(AssertionError) as failed, oneiric_telemetry.expect(*selectors):
        pass
    assert (
        str(failed.value)
        == """\
telemetry is not as expected (0 of 3 expectations held)

metric oneiric_lifecycle_swap_total
    expected  any change
    actual    0
    nothing was counted or observed

event swap-failed
    expected  at least 1
    actual    0
    log events that came: none

span oneiric.lifecycle.swap
    expected  at least 1
    actual    0
    spans that ended: none"""
    )


def test_a_report_is_bounded(oneiric_telemetry: TelemetryCapture) -> None:
    """Of many series and lines the nearest are shown, of a long value its beginning."""

    def resolve_many() -> None:
        for number in range(100):
            key = f"{number}-{'x' * 200}"
            oneiric_telemetry.observers.notify(events.Resolved(domain="adapter", key=key, **RESOLVED))

    expecting = oneiric_telemetry.expect(metric("oneiric_resolution_total", key="absent"), 1, exactly=True)
    with pytest.raises(AssertionError) as failed, expecting:
        resolve_many()
    text = str(failed.value)
    assert text.count("... and ") == 2
    assert len(text.splitlines()) < 40
    assert max(map(len, text.splitlines())) < 300


def test_lines_that_were_let_go_are_told(oneiric_telemetry: TelemetryCapture, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a block told more than is kept, a failure says that the first ones are missing."""
    kept: Kept[dict[str, object]] = Kept(3)
    monkeypatch.setattr(oneiric_telemetry, "lines", kept)

    def write_five() -> None:
        for number in range(5):
            kept.append({"event": "domain-paused", "key": str(number)})

    message = "2 of the first lines and spans of the block were let go"
    with pytest.raises(AssertionError, match=message), oneiric_telemetry.expect(event("domain-paused"), 5):
        write_five()


def test_what_came_after_a_mark_is_kept_as_far_as_there_is_room() -> None:
    """A memory of three gives what came after a mark, and how much of that it let go."""
    kept: Kept[int] = Kept(3)
    marks = []
    for number in range(5):
        marks.append(kept.count)
        kept.append(number)
    assert [kept.since(mark) for mark in marks] == [
        ([2, 3, 4], 2),
        ([2, 3, 4], 1),
        ([2, 3, 4], 0),
        ([3, 4], 0),
        ([4], 0),
    ]
    assert kept.since(kept.count) == ([], 0)
