"""What a user of a dashboard chooses, and the queries that follow the choice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.bundle.dashboards import foreign
from oneiric.monitoring.bundle.dashboards.model import Limit, Variable
from oneiric.monitoring.promql import Expr, PromQL, call, quantile, total
from oneiric.observability import catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.monitoring.bundle.dashboards.model import Color
    from oneiric.monitoring.config import BundleConfig
    from oneiric.monitoring.rules import Record
    from oneiric.observability.model import Metric

RATE = "$__rate_interval"
"""The window of a rate: Grafana makes it four scrapes at least."""
SHOWN = "$__range"
"""The window that is all of the time shown."""
MINUTE = 60.0
NOTHING = Expr("vector(0)")
"""What to show where a counter has no series before it first counts."""
QUANTILES = (0.5, 0.95, 0.99)

YES: Mapping[int, tuple[str, Color]] = {0: ("no", "red"), 1: ("yes", "green")}
"""What 0 and 1 mean where 1 is good."""


class Scope(PromQL):
    """Makes expressions over the series that the user of a dashboard chose by the variables *chosen*."""

    def __init__(self, config: BundleConfig, *chosen: Variable) -> None:
        self.config = config
        self.variables = chosen
        fixed = {name: f'="{value}"' for name, value in config.matchers.items()}
        super().__init__(
            {"job": '=~"$job"', "instance": '=~"$instance"', **fixed}
            | {variable.label: f'=~"${variable.label}"' for variable in chosen},
            config.matchers,
        )

    def quantiles(self, metric: Metric, *labels: str) -> tuple[Expr, ...]:
        """Return the median, the 95th and the 99th percentile of a histogram, by *labels*."""
        buckets = total(self.rate(metric, RATE, suffix="_bucket"), by=(*labels, "le"))
        return tuple(quantile(share, buckets) for share in QUANTILES)

    def buckets(self, metric: Metric) -> Expr:
        """Return how many observations fell into each bucket of a histogram."""
        return total(self.increase(metric, RATE, suffix="_bucket"), by=("le",))

    def a_minute(self, metric: Metric, *labels: str, seen: bool = False) -> Expr:
        """Return how often *metric* counts a minute, by *labels*; with *seen*, those counted in the time shown."""
        rate = total(self.rate(metric, RATE), by=labels) * MINUTE
        return self._seen(rate, metric, labels) if seen else rate

    def counted(self, metric: Metric, *labels: str, seen: bool = False) -> Expr:
        """Return how much *metric* counted between two points of a graph, by *labels*; *seen* as for a minute."""
        count = total(self.increase(metric, RATE), by=labels)
        return self._seen(count, metric, labels) if seen else count

    def firing(self) -> Expr:
        """Return the alerts of the jobs chosen that fire and need somebody; an alert of a sum has no instance."""
        which = 'alertstate="firing", alertname=~"Oneiric.+", severity=~"critical|warning", job=~"$job"'
        text = f"{foreign.ALERTS}{{{which}}}"
        return Expr(text, frozenset({"alertname", "severity", "job"}))

    def of_rule(self, record: Record) -> Expr:
        """Return the series of *record* of the jobs chosen; a sum over a job has no instance."""
        return Expr(f'{record.name}{{job=~"$job"}}', record.expr.labels, record.expr.metrics)

    def in_time_shown(self, metric: Metric, *labels: str) -> Expr:
        """Return how much *metric* counted in all of the time shown, by *labels*."""
        return total(self.increase(metric, SHOWN), by=labels)

    def _seen(self, expr: Expr, metric: Metric, labels: tuple[str, ...]) -> Expr:
        shown = self.series(metric)
        ranged = Expr(f"{shown.text}[{SHOWN}] @ end()", shown.labels, shown.metrics)
        return expr & (total(call("increase", ranged), by=labels) > 0)


def targets(config: BundleConfig) -> tuple[Variable, ...]:
    """Return the variables that every dashboard has: the job and its instances."""
    jobs = PromQL({name: f'="{value}"' for name, value in config.matchers.items()}, config.matchers)
    instances = PromQL({"job": '=~"$job"', **jobs_matchers(config)}, config.matchers)
    return (
        Variable("job", _values(jobs.series(catalogue.BUILD), "job")),
        Variable("instance", _values(instances.foreign(foreign.UP), "instance")),
    )


def jobs_matchers(config: BundleConfig) -> dict[str, str]:
    """Return the configured matchers as they stand in a selector."""
    return {name: f'="{value}"' for name, value in config.matchers.items()}


def values_of(scope: Scope, metric: Metric, label: str) -> Variable:
    """Return the variable whose values are those that *label* of *metric* has in *scope*."""
    return Variable(label, _values(scope.series(metric), label))


def _values(series: Expr, label: str) -> str:
    return f"label_values({series.text}, {label})"


def above(value: float, *, color: Color = "red") -> tuple[Limit, ...]:
    """Return that values from *value* up are bad."""
    return (Limit(None, "green"), Limit(value, color))


def below(value: float, *, color: Color = "red") -> tuple[Limit, ...]:
    """Return that values below *value* are bad."""
    return (Limit(None, color), Limit(value, "green"))
