"""The log queries of the bundle, answered: each returns what its title promises, whatever else is in the stream."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from logql.lines import Line
from logql.measurement import measure
from logql.selection import select

from oneiric.core import events
from oneiric.monitoring.bundle import bundle
from oneiric.monitoring.bundle.dashboards.boards import boards
from oneiric.monitoring.bundle.dashboards.logs import selected_lines
from oneiric.monitoring.bundle.loki.queries import searches
from oneiric.monitoring.bundle.loki.rules import INTERVAL, OFFSET, log_rules
from oneiric.monitoring.config import BundleConfig
from oneiric.monitoring.notation.logql import LogQuery, parse, replaced
from oneiric.monitoring.promql import ExpressionError
from oneiric.observability.catalogue import CATALOGUE

if TYPE_CHECKING:
    from oneiric.observability.model import Log

CONFIG = BundleConfig()
STREAM = {"app": "oneiric", "env": "test", "host": "a"}
CHOSEN = {"domain": "adapter", "key": "cache", "source": "shop"}
QUERIES = {search.title: search.query for search in searches(CONFIG)} | log_rules(CONFIG)
METRICS = [name for name, query in QUERIES.items() if not isinstance(parse(replaced(query, CHOSEN)), LogQuery)]
PANELS = {panel.title: panel.logs for board in boards(CONFIG) for panel in board.panels if panel.logs}
TROUBLE = "Warnings and errors"


def line(log: Log, seconds: float = 0.0, **fields: object) -> Line:
    """Return a line of *log*, with a value for every field."""
    document = {"level": log.level, "event": log.name, **dict.fromkeys(log.fields, "1"), **log.const, **CHOSEN}
    return Line(json.dumps(document | fields), STREAM, {}, seconds)


def told(query: str, lines: list[Line]) -> set[str]:
    """Return the names of the events that *query* selects of *lines*, with what else tells them apart."""
    tree = parse(replaced(query, dict.fromkeys(CHOSEN, ".+")))
    assert isinstance(tree, LogQuery)
    found = [json.loads(entry.line.text) for entry in select(tree, lines)]
    return {":".join(filter(None, (one["event"], one.get("decision")))) for one in found}


@pytest.mark.parametrize("name", METRICS)
def test_a_line_that_is_no_json_spoils_no_answer(name: str) -> None:
    """A traceback in the stream that has the names of all events neither makes an error nor is counted as an event."""
    plain = Line(" ".join(log.name for _, log in CATALOGUE.log_events), STREAM, {}, 100.0)
    events = [line(log, 100.0, duration_ms=5) for _, log in CATALOGUE.log_events]
    query = parse(replaced(QUERIES[name], CHOSEN))
    assert not isinstance(query, LogQuery)
    with_it, without_it = (measure(query, found, at=100.0 + OFFSET) for found in ([*events, plain], events))
    if "json" in QUERIES[name]:
        assert with_it == without_it != {}
    else:
        assert isinstance(with_it, dict)


@pytest.mark.parametrize("name", log_rules(CONFIG))
def test_a_recording_rule_counts_lines_that_arrive_late(name: str) -> None:
    """Every line counts in just one evaluation, those too that reach Loki up to the offset after they were written."""
    logs = [log for _, log in CATALOGUE.log_events if f"_{log.name.replace('-', '_')}:" in name]
    chosen = logs[0] if logs else CATALOGUE.log_events[0][1]
    lines = [line(chosen, float(second)) for second in range(1, 3 * int(INTERVAL))]
    query = parse(QUERIES[name])
    assert not isinstance(query, LogQuery)
    total = 0.0
    for evaluation in range(1, 6):
        at = evaluation * INTERVAL
        counted = measure(query, [one for one in lines if one.seconds + OFFSET <= at], at=at)
        assert isinstance(counted, dict)
        total += sum(counted.values())
    assert total == (sum(len(one.text) for one in lines) if name.endswith(":sum") else len(lines))


PROMISED = {
    "Failed resolutions": {"resolver-decision:failed"},
    "What happened": {
        *("swap-complete", "swap-failed", "swap-rollback", "swap-cleanup-failed"),
        *("health-check-failed", "health-check-recovered"),
        *("domain-paused", "domain-resumed", "domain-draining", "domain-drain-cleared"),
    },
    "What the sources say": {
        *("remote-sync-complete", "remote-sync-error", "remote-sync-circuit-open", "remote-entry-invalid"),
        *("manifest-signature-invalid", "manifest-unsigned", "artifact-digest-mismatch"),
    },
    TROUBLE: {
        ":".join(filter(None, (log.name, log.const.get("decision"))))
        for _, log in CATALOGUE.log_events
        if log.level in {"warning", "error"}
    },
    "Resolution errors": {"resolver-decision:failed"},
    "Resolver decisions": {"resolver-decision:failed", "resolver-decision:resolved"},
    "Lifecycle swaps": {"swap-complete"},
    "Remote sync errors": {"remote-sync-error"},
    "Health check failures": {"health-check-failed"},
    "Failed swaps": {"swap-failed"},
    "Rollbacks": {"swap-rollback"},
    "Pauses and drains": {"domain-paused", "domain-resumed", "domain-draining", "domain-drain-cleared"},
    "Changes from outside": {
        *("runtime-ready", "runtime-stopping", "settings-reloaded", "settings-reload-failed"),
        *("selection-swap-triggered", "selection-swap-error", "selection-swap-delayed"),
        *("control-request", "control-request-failed", "control-denied"),
    },
    "Manifests that are not trusted": {"manifest-signature-invalid"},
}


@pytest.mark.parametrize("title", PROMISED)
def test_a_query_selects_what_its_title_promises(title: str) -> None:
    """Of a line of every event, panels and searches select those of their title, and no others."""
    lines = [line(log) for _, log in CATALOGUE.log_events]
    found = [query for named in (PANELS, QUERIES) for name, query in named.items() if name == title]
    assert found
    assert [told(query, lines) for query in found] == [PROMISED[title]] * len(found)


def test_every_panel_of_lines_is_held_to_its_title() -> None:
    """No panel of log lines is left out above."""
    assert PANELS.keys() <= PROMISED.keys()


def test_critical_lines_are_among_warnings_and_errors() -> None:
    """What an application logs as critical is shown with warnings and errors, on the dashboard and in the guide."""
    lines = [
        Line(json.dumps({"event": level, "level": level}), STREAM)
        for level in ("debug", "info", "warning", "error", "critical")
    ]
    assert told(PANELS[TROUBLE], lines) == told(QUERIES[TROUBLE], lines) == {"warning", "error", "critical"}


def test_no_query_names_errors_without_critical() -> None:
    """Wherever the bundle asks for several levels up to error, it asks for critical, too."""
    asked = [found for text in bundle(CONFIG).values() for found in re.findall(r'level=~\\?"([^"\\]+)', text)]
    assert asked
    assert [levels for levels in asked if "error" in levels and "critical" not in levels] == []


def test_an_event_that_shares_its_name_needs_a_query_of_its_own() -> None:
    """Among several events, one whose name another event has is refused: the other would be selected with it."""
    with pytest.raises(ExpressionError, match="resolver-decision"):
        selected_lines(CONFIG, (events.ResolutionFailed, None), (events.Registered, None), label="domain")
