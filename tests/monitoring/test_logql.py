"""Log queries of the catalogue's log events: what they say, and what they refuse to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from oneiric.core import events
from oneiric.monitoring.config import BundleConfig
from oneiric.monitoring.logql import COUNTABLE, containing, counted, field_label, lines
from oneiric.monitoring.promql import ExpressionError

if TYPE_CHECKING:
    from collections.abc import Callable

CONFIG = BundleConfig()


def test_the_plans_queries_come_out_word_for_word() -> None:
    """The four queries of the plan and the three searches of its runbooks are made of the catalogue's log events."""
    assert [
        lines(CONFIG, events.ResolutionFailed),
        lines(CONFIG, events.Swap, "success", where={"domain": "adapter"}),
        lines(CONFIG, events.RemoteSync, "failed"),
        lines(CONFIG, events.HealthCheck, "failed"),
        lines(CONFIG, events.ResolutionFailed, read=""),
        lines(CONFIG, events.Swap, "failed", read=""),
        containing(CONFIG, "SHA256 mismatch"),
    ] == [
        '{app="oneiric"} |= "resolver-decision" | json | decision="failed"',
        '{app="oneiric"} |= "swap-complete" | json | domain="adapter"',
        '{app="oneiric"} |= "remote-sync-error" | json',
        '{app="oneiric"} |= "health-check-failed" | json',
        '{app="oneiric"} |= "resolver-decision"',
        '{app="oneiric"} |= "swap-failed"',
        '{app="oneiric"} |= "SHA256 mismatch"',
    ]


def test_lines_are_counted() -> None:
    """A count is over a window, as a whole or by fields."""
    query = lines(CONFIG, events.RemoteSync, "failed", read=COUNTABLE)
    assert query == '{app="oneiric"} |= "remote-sync-error" | json | __error__=""'
    assert counted(query, "5m") == f"sum(count_over_time({query} [5m]))"
    assert counted(query, "5m", by=("source",)) == f"sum by (source) (count_over_time({query} [5m]))"
    assert field_label("service.name") == "service_name"


REFUSED: dict[str, tuple[Callable[[], str], str]] = {
    "an event without a line": (lambda: lines(CONFIG, events.DigestMatched), "there are: none"),
    "one of several lines": (lambda: lines(CONFIG, events.Swap), "swap-started, swap-complete, swap-failed"),
    "a phase without a line": (lambda: lines(CONFIG, events.HealthCheck, "success"), "there are: none"),
    "a field it lacks": (
        lambda: lines(CONFIG, events.Paused, where={"reason": "x"}),
        "domain-paused has no field reason",
    ),
    "a value it never has": (
        lambda: lines(CONFIG, events.WorkBlocked, where={"reason": "x"}),
        "one of paused, draining",
    ),
    "a value that no metric has either": (
        lambda: lines(CONFIG, events.HealthCheck, "failed", where={"phase": "boot"}),
        "one of swap, probe",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_an_event_does_not_have_is_refused(what: str) -> None:
    """A query that no line can answer is an error that names what there is."""
    make, message = REFUSED[what]
    with pytest.raises(ExpressionError, match=message):
        make()
