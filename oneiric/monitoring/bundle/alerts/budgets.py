"""Service level objectives, and the alerts on how fast their error budgets burn."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from oneiric.monitoring.bundle.alerts.common import DAY, HOUR, MINUTE, REMOTE, RESOLUTION, ask, by, promql, stem
from oneiric.monitoring.promql import total
from oneiric.monitoring.rules import Alert, Group, Record, Runbook, Step
from oneiric.observability import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.monitoring.config import BundleConfig, Severity, Team
    from oneiric.monitoring.promql import Expr

PERIOD_DAYS = 30
SEVERAL_SYNCS = 15 * MINUTE
"""Three of a loop with the default interval: with one in the window, an alert would come and go with each of them."""


@dataclass(frozen=True, slots=True)
class Burn:
    """How much faster than the budget allows, seen over a long window and still so over a short one; in seconds."""

    factor: float
    long: float
    short: float
    severity: Severity

    @property
    def label(self) -> str:
        """The long window as the alerts' names have it."""
        return f"{self.long / DAY:g}d" if self.long >= DAY else f"{self.long / HOUR:g}h"


BURNS = (
    Burn(14.4, HOUR, 5 * MINUTE, "critical"),
    Burn(6, 6 * HOUR, 30 * MINUTE, "critical"),
    Burn(3, DAY, 2 * HOUR, "warning"),
    Burn(1, 3 * DAY, 6 * HOUR, "warning"),
)
"""Google's Site Reliability Workbook, chapter 5, "Alerting on SLOs": multiple windows, multiple burn rates."""


@dataclass(frozen=True, slots=True)
class Objective:
    """A service level objective over 30 days.

    Attributes:
        name: CamelCase, part of the alerts' names.
        slug: Part of the recording rules' names.
        title: One sentence.
        events: What is counted, a plural.
        impact: What users notice when they fail.
        target: The share of good events, between 0 and 1.
        minimum: Events in the long window below which nothing fires; more where one that is bad would burn too fast.
        dashboard: The uid of the dashboard that shows it.
        team: Whom its alerts are for.
        see: The alert whose runbook leads to the cause.
        shortest: Seconds that the short windows have at least.
    """

    name: str
    slug: str
    title: str
    events: str
    impact: str
    target: float
    minimum: int
    dashboard: str
    team: Team
    see: str
    shortest: float = 0.0

    @property
    def burns(self) -> tuple[Burn, ...]:
        """What its alerts are on."""
        return tuple(replace(burn, short=max(burn.short, self.shortest)) for burn in BURNS)


def objectives(config: BundleConfig) -> tuple[Objective, ...]:
    """Return the objectives with the configured targets."""
    return (
        Objective(
            "Resolution",
            stem(catalogue.RESOLUTIONS),
            "Resolutions select a provider.",
            "Resolutions",
            "Requests that need the missing components fail.",
            config.resolution_objective,
            config.resolution_slo_minimum_count,
            RESOLUTION,
            "platform",
            "OneiricResolutionFailures",
        ),
        Objective(
            "Sync",
            stem(catalogue.SYNCS),
            "Synchronisations with remote sources succeed.",
            "Synchronisations with remote sources",
            "Users keep the providers that were loaded before. Updates arrive late or not at all.",
            config.sync_objective,
            config.sync_slo_minimum_count,
            REMOTE,
            "release",
            "OneiricRemoteSyncFailures",
            SEVERAL_SYNCS,
        ),
    )


def counted(config: BundleConfig, objective: Objective, window: str, *, good: bool | None = None) -> Expr:
    """Return the rate over *window* of the objective's events: all of them, the good ones, or the bad ones."""
    query = promql(config)
    return _events(config, objective, lambda metric, **labels: query.rate(metric, window, **labels), good=good)


def ever(config: BundleConfig, objective: Objective, *, good: bool | None = None) -> Expr:
    """Return the objective's events since the processes began: all of them, the good ones, or the bad ones."""
    return _events(config, objective, promql(config).series, good=good)


def _events(config: BundleConfig, objective: Objective, of: Callable[..., Expr], *, good: bool | None) -> Expr:
    if objective.name == "Sync":
        outcomes = ("success", "failed") if good is None else ("success",) if good else ("failed",)
        return total(of(catalogue.SYNCS, outcome=outcomes), by=by(config))
    everything = total(of(catalogue.RESOLUTIONS), by=by(config))
    bad = total(of(catalogue.RESOLUTION_FAILURES), by=by(config))
    return {None: everything, True: everything - bad, False: bad}[good]


def budgets(config: BundleConfig) -> Group:
    """Return the alerts on error budgets that burn too fast, after the shares of bad events that they look at."""
    records = tuple(
        ratio_record(config, objective, window) for objective in objectives(config) for window in _windows(objective)
    )
    rules = tuple(_alert(config, objective, burn) for objective in objectives(config) for burn in objective.burns)
    return Group("oneiric-budgets", (*records, *rules))


def _windows(objective: Objective) -> list[float]:
    return sorted({window for burn in objective.burns for window in (burn.long, burn.short)})


def ratio_record(config: BundleConfig, objective: Objective, window: float) -> Record:
    """Return the rule that records which share of the objective's events was bad over *window* seconds."""
    return Record(_ratio_name(objective, window), _ratio(config, objective, window))


def budget_alert_name(objective: Objective, burn: Burn) -> str:
    """Return the name of the alert on *burn* of *objective*."""
    return f"Oneiric{objective.name}BudgetBurn{burn.label}"


def _alert(config: BundleConfig, objective: Objective, burn: Burn) -> Alert:
    budget = 1 - objective.target
    limit = round(burn.factor * budget, 9)
    long, short = (
        promql(config).recorded(_ratio_name(objective, window), _ratio(config, objective, window)) > limit
        for window in (burn.long, burn.short)
    )
    window = config.window(burn.long)
    events = counted(config, objective, window) * config.window_seconds(burn.long)
    return Alert(
        budget_alert_name(objective, burn),
        severity=burn.severity,
        team=objective.team,
        expr=long & short & (events >= max(objective.minimum, _one_of(limit))),
        hold=0,
        looks_back=burn.short,
        summary=f"{objective.events} fail too often: the error budget burns {_speed(burn)} allowed",
        description=f"{objective.events} fail: {{{{ $value | humanizePercentage }}}} over {_words(burn.long)}, and "
        f"they still do. The objective of {objective.target:.10g} allows {budget:.3g}.",
        inhibits=_slower(objective) if burn.severity == "critical" else (),
        dashboard=objective.dashboard,
        runbook=_alert_runbook(config, burn, events, objective),
    )


def _alert_runbook(config: BundleConfig, burn: Burn, events: Expr, objective: Objective) -> Runbook:
    return Runbook(
        f"Over {_words(burn.long)} and over the last {_words(burn.short)} so many failed that the error budget of "
        f"{PERIOD_DAYS} days is used up in {PERIOD_DAYS / burn.factor:.2g} days.",
        objective.impact,
        (
            ask("Which share fails now?", _ratio(config, objective, _windows(objective)[0])),
            ask("How many were there?", events),
        ),
        (
            Step(f"Find the cause: go to {objective.see}."),
            Step("The failures are known and accepted: lower the objective, export the bundle again, and tell users."),
        ),
        f"A budget that burns {burn.factor:g} times too fast over both windows is a trend, not a spike. Normal: "
        "below the speed that the objective allows.",
        f"Safe while somebody works on {objective.see}.",
    )


def _one_of(limit: float) -> int:
    """Return of how many events a single one is no larger share than *limit*."""
    return math.ceil(round(1 / limit, 6))


def _speed(burn: Burn) -> str:
    return "faster than" if burn.factor == 1 else f"{burn.factor:g} times as fast as"


def _slower(objective: Objective) -> tuple[str, ...]:
    return tuple(budget_alert_name(objective, burn) for burn in BURNS if burn.severity != "critical")


def _ratio(config: BundleConfig, objective: Objective, window: float) -> Expr:
    nominal = config.window(window)
    return counted(config, objective, nominal, good=False) / counted(config, objective, nominal)


def _ratio_name(objective: Objective, window: float) -> str:
    for unit, size in (("d", DAY), ("h", HOUR)):
        if window >= size:
            return f"job:{objective.slug}_errors:ratio_rate{window / size:g}{unit}"
    return f"job:{objective.slug}_errors:ratio_rate{window / MINUTE:g}m"


def _words(window: float) -> str:
    for unit, size in (("days", DAY), ("hours", HOUR)):
        if window > size:
            return f"{window / size:g} {unit}"
    return "one hour" if window == HOUR else f"{window / MINUTE:g} minutes"
