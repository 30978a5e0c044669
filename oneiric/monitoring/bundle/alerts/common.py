"""What the alerts of every subject share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.logql import TROUBLE, lines, log_of
from oneiric.monitoring.promql import PromQL, grown, total
from oneiric.monitoring.rules import Step

if TYPE_CHECKING:
    from oneiric.core.events import Event
    from oneiric.monitoring.config import BundleConfig
    from oneiric.monitoring.promql import Expr
    from oneiric.observability.model import Metric, Phase

MINUTE = 60.0
HOUR = 3600.0
DAY = 86_400.0
LOOK_BACK = "2h"
"""How far back a runbook looks into the log."""

FLAPPING_WINDOW = 15 * MINUTE
FLAPPING_CHANGES = 6
"""Changes of what is either well or not, in the window, that are three outages: a deployment is one of them at most."""

OVERVIEW, RESOLUTION = "oneiric-overview", "oneiric-resolution"
LIFECYCLE, REMOTE = "oneiric-lifecycle", "oneiric-remote"
"""The uids of the dashboards, the two above included."""


def promql(config: BundleConfig) -> PromQL:
    """Return the maker of expressions over the series of the configured job."""
    matchers = {"job": config.job, **config.matchers}
    return PromQL({name: f'="{value}"' for name, value in matchers.items()}, config.matchers)


def by(config: BundleConfig, *labels: str) -> tuple[str, ...]:
    """Return *labels* after those that every series of the configured job has."""
    return ("job", *config.matchers, *labels)


def stem(metric: Metric) -> str:
    """Return the base of the names of recording rules made of *metric*: its name without the suffix of its type."""
    return metric.name.removesuffix("_total")


def growth(config: BundleConfig, selector: Expr, window: float, *labels: str) -> Expr:
    """Return by how much the counters of *selector* grew over *window* seconds, by *labels*; whole where they are new.

    An event may come before the first scrape of its process: the series that counts it never was zero then.
    """
    return total(grown(selector, config.window(window), known=config.window(HOUR)), by=by(config, *labels))


def ask(text: str, expr: Expr) -> Step:
    """Return a step that asks Prometheus for *expr*."""
    return Step(text, expr.text, "promql")


def ask_which(text: str, expr: Expr) -> Step:
    """Return a step that asks Prometheus for those of *expr* that something happened to, out of all that could be."""
    return ask(text, expr > 0)


def search(config: BundleConfig, text: str, event: type[Event], on: Phase | None = None) -> Step:
    """Return a step that asks for the lines of *event*, of its phase *on*: of Loki, or of the log itself."""
    _, log = log_of(event, on)
    level = f" --level {log.level}" if log.level in TROUBLE else ""
    command = f"oneiric logs --event {log.name}{level} --since {LOOK_BACK}"
    return Step(text, lines(config, event, on), "logql", command)


def command(text: str, code: str) -> Step:
    """Return a step that runs *code* in a shell."""
    return Step(text, code, "bash")
