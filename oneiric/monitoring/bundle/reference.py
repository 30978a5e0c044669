"""The reference of every signal as a page: what it means, what it is made of, and where it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.core.events import Operation
from oneiric.monitoring.bundle.alerts import alerts
from oneiric.monitoring.bundle.output import MARKDOWN_NOTICE
from oneiric.monitoring.logql import COMMON_FIELDS
from oneiric.monitoring.promql import number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oneiric.monitoring.config import BundleConfig
    from oneiric.observability.model import Catalogue, Label, Log, Metric, Signal

INTRODUCTION = """\
Every metric, log event and span of Oneiric, as its [catalogue](../../oneiric/observability/catalogue.py) defines them.
Metrics marked *frozen* never change their name, type or labels. The others are *beta*: a change has an entry in the
changelog."""
STARTS = "Series whose labels are known beforehand, from a registration or the settings, start at 0."


def reference_page(catalogue: Catalogue, config: BundleConfig) -> str:
    """Return the page about every signal of *catalogue*, with the alerts for *config* that read it, as Markdown."""
    users = {
        metric.name: [alert.name for alert in alerts(config) if metric.name in alert.expr.metrics]
        for metric in catalogue.metrics
    }
    metrics = "\n\n".join(_metric(metric, users[metric.name]) for metric in catalogue.metrics)
    logs = "\n\n".join(_logs(catalogue))
    common = ", ".join(f"`{name}`" for name in sorted(COMMON_FIELDS))
    parts = [
        f"{MARKDOWN_NOTICE}\n# Metrics, log events and spans",
        INTRODUCTION,
        f"## Metrics\n\n{STARTS}",
        metrics,
        f"## Log events\n\nOne JSON object a line, the name under `event`. Where they apply, every line has {common}.",
        logs,
        f"## Spans\n\n{_spans(catalogue)}",
    ]
    return "\n\n".join(parts) + "\n"


def _metric(metric: Metric, users: Iterable[str]) -> str:
    stability = "frozen" if metric.stability == "plan" else metric.stability
    facts = [f"{metric.type}, {stability}", *map(_label, metric.labels)]
    if metric.buckets:
        facts.append(f"buckets up to: {', '.join(map(number, metric.buckets))}, +Inf")
    if metric.type == "gauge":
        facts.append(f"several processes of one service: {MERGED[metric.merge]}")
    if names := ", ".join(f"[{name}](../runbooks/ALERTS.md#{name.lower()})" for name in users):
        facts.append(f"read by {names}")
    lines = "\n".join(f"- {fact}" for fact in facts)
    return f"### `{metric.name}`\n\n{metric.help}\n\n{lines}"


MERGED = {
    "sum": "their sum",
    "max": "the largest",
    "min": "the smallest",
    "oldest": "the oldest that is not 0",
    "own": "each shows its own",
}
"""What a gauge of several processes shows, in words, by the catalogue's word for it."""


def _label(label: Label) -> str:
    if label.values:
        return f"label `{label.name}`: {', '.join(f'`{value}`' for value in label.values)}"
    return f"label `{label.name}`" + (", bounded by the series budget" if label.open else "")


def _logs(catalogue: Catalogue) -> Iterable[str]:
    logs: dict[str, list[tuple[Signal, Log]]] = {}
    for signal, log in catalogue.log_events:
        logs.setdefault(log.name, []).append((signal, log))
    for name, variants in logs.items():
        lines = "\n".join(f"- {_variant(signal, log)}" for signal, log in variants)
        yield f"### `{name}`\n\n{lines}"


def _variant(signal: Signal, log: Log) -> str:
    meaning = _sentence(signal.event)
    when = f" ({', '.join(log.on)})" if issubclass(signal.event, Operation) else ""
    fixed = "".join(f", `{field}` = `{value}`" for field, value in log.const.items())
    fields = f"; fields {', '.join(f'`{field}`' for field in log.fields)}" if log.fields else ""
    limited = "; rate-limited" if log.limited else ""
    return f"{log.level}, logger `oneiric.{signal.area}`: {meaning}{when}{fixed}{fields}{limited}"


def _sentence(event: type) -> str:
    first, *_ = (event.__doc__ or "").splitlines()
    return first.strip().rstrip(".").split(";")[0]


def _spans(catalogue: Catalogue) -> str:
    rows = {}
    for signal in catalogue.signals:
        if signal.span:
            kind = "span" if issubclass(signal.event, Operation) else "event on the current span"
            rows[signal.span] = f"| `{signal.span}` | {kind} | {_sentence(signal.event)} |"
    return "| name | kind | event |\n| --- | --- | --- |\n" + "\n".join(rows.values())
