"""What rules are made of: recording rules, alerts with their runbooks, and the groups that they are evaluated in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from oneiric.monitoring.config import Severity, Team
    from oneiric.monitoring.promql import Expr


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a runbook: a sentence, and what is run for it.

    Attributes:
        text: The sentence.
        code: A query or command, or "".
        language: What the code is.
        command: The same for people without Loki: a command that reads the log, or "".
    """

    text: str
    code: str = ""
    language: Literal["promql", "logql", "bash", ""] = ""
    command: str = ""


@dataclass(frozen=True, slots=True)
class Runbook:
    """What whoever is called needs to know of an alert.

    Attributes:
        meaning: What is so when it fires.
        impact: What users of the runtime notice; the notice ends with it.
        diagnosis: How to find the cause, in order.
        resolution: What to do, by cause.
        threshold: Why it fires where it does, and what is normal.
        silence: When it is safe to silence it.
    """

    meaning: str
    impact: str
    diagnosis: tuple[Step, ...]
    resolution: tuple[Step, ...]
    threshold: str
    silence: str


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert rule.

    Attributes:
        name: CamelCase, prefix Oneiric.
        severity: critical calls somebody, warning is read the same day, info is only seen.
        team: Whom it is for.
        expr: It fires for every series of this.
        hold: Seconds, at time scale 1, that the expression must hold first.
        summary: One line; may use Prometheus' templates.
        description: Sentences with the values; may use Prometheus' templates.
        dashboard: The uid of the dashboard that shows it.
        runbook: What to do.
        looks_back: Seconds, at time scale 1, that it may go on for when the incident is over.
        inhibits: Names of the alerts that need no notice while this one fires for the same labels.
    """

    name: str
    severity: Severity
    team: Team
    expr: Expr
    hold: float
    summary: str
    description: str
    dashboard: str
    runbook: Runbook
    looks_back: float = 0.0
    inhibits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """A recording rule: *expr* under *name*, ``level:metric:operations``."""

    name: str
    expr: Expr


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated one after another, each *interval* seconds at time scale 1 (0: that of the settings)."""

    name: str
    rules: tuple[Alert | Record, ...]
    interval: float = 0.0
