"""Alertmanager's configuration: who is notified of what, how urgently, and what needs no notice of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from oneiric.monitoring.bundle.alerts import DAY, HOUR, MINUTE, alerts
from oneiric.monitoring.bundle.notices import (
    DEADMAN,
    ESCALATION,
    RECORD,
    TEMPLATES,
    receivers_of_all,
    receivers_of_team,
    services,
)
from oneiric.monitoring.bundle.output import as_yaml
from oneiric.monitoring.config import Team

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig
    from oneiric.monitoring.rules import Alert

TEAMS: tuple[Team, ...] = get_args(Team)
RESPONSE: dict[Team, tuple[str, float]] = {
    "platform": ("P1", HOUR),
    "providers": ("P2", 4 * HOUR),
    "release": ("P2", 4 * HOUR),
    "infrastructure": ("P3", 8 * HOUR),
}
"""The priority of each team's critical alerts, and within how many seconds somebody must have answered."""
WATCHDOG, TARGET_DOWN = "OneiricWatchdog", "OneiricTargetDown"
OFFICE = "office-hours"
"""The time interval in which notices of what is not critical are sent, where there is one."""


def files(config: BundleConfig) -> dict[str, str]:
    """Return the text of each file of this part for *config*, by its path."""
    return {
        "alertmanager/alertmanager.yml": as_yaml(document(config)),
        "alertmanager/templates/oneiric.tmpl": TEMPLATES,
    }


def document(config: BundleConfig) -> dict[str, Any]:
    """Return the whole configuration for *config*."""
    return {
        "global": services(config),
        "templates": ["templates/*.tmpl"],
        **_intervals(config),
        "route": _route(config),
        "inhibit_rules": _inhibitions(config),
        "receivers": [*receivers_of_all(config), *(made for team in TEAMS for made in receivers_of_team(config, team))],
    }


def receivers_of(alert: Alert) -> tuple[str, ...]:
    """Return the receivers of *alert*, in the order of the routes."""
    if alert.name == WATCHDOG:
        return (DEADMAN,)
    if alert.severity == "critical":
        return (RECORD, f"pager-{alert.team}", f"{ESCALATION}-{alert.team}")
    return (RECORD, f"chat-{alert.team}" if alert.severity == "warning" else f"mail-{alert.team}")


def _route(config: BundleConfig) -> dict[str, Any]:
    return {
        "receiver": "mail-platform",
        "group_by": ["alertname", "job", *config.matchers, "domain", "source"],
        **_times(config, wait=30, interval=5 * MINUTE, repeat=12 * HOUR),
        "routes": [
            {
                "receiver": DEADMAN,
                "matchers": [f'alertname="{WATCHDOG}"'],
                **_times(config, wait=0, interval=MINUTE, repeat=5 * MINUTE),
            },
            {"receiver": RECORD, "continue": True, **_times(config, wait=10, interval=MINUTE, repeat=DAY)},
            *(_by_team(config, team) for team in TEAMS),
            # The route of everything has matched already, so that what no team's does would end with it.
            {"receiver": f"mail-{TEAMS[0]}"},
        ],
    }


def _intervals(config: BundleConfig) -> dict[str, Any]:
    if not config.office_hours:
        return {}
    begin, _, end = config.office_hours.partition("-")
    hours = {
        "times": [{"start_time": begin, "end_time": end}],
        "weekdays": ["monday:friday"],
        "location": config.office_timezone,
    }
    return {"time_intervals": [{"name": OFFICE, "time_intervals": [hours]}]}


def _by_team(config: BundleConfig, team: Team) -> dict[str, Any]:
    _, response = RESPONSE[team]
    critical = ['severity="critical"']
    patient = {"active_time_intervals": [OFFICE]} if config.office_hours else {}
    return {
        "receiver": f"mail-{team}",
        "matchers": [f'team="{team}"'],
        "routes": [
            {
                "receiver": f"pager-{team}",
                "matchers": critical,
                "continue": True,
                **_times(config, wait=10, interval=MINUTE, repeat=response),
            },
            {
                # The first notice of a group goes out when it has waited: what is over by then has none.
                "receiver": f"{ESCALATION}-{team}",
                "matchers": critical,
                **_times(config, wait=response, interval=5 * MINUTE, repeat=response),
            },
            {
                "receiver": f"chat-{team}",
                "matchers": ['severity="warning"'],
                **_times(config, wait=30, interval=5 * MINUTE, repeat=12 * HOUR),
                **patient,
            },
            {
                "receiver": f"mail-{team}",
                "matchers": ['severity="info"'],
                **patient,
                **_times(config, wait=5 * MINUTE, interval=HOUR, repeat=DAY),
            },
        ],
    }


def _times(config: BundleConfig, *, wait: float, interval: float, repeat: float) -> dict[str, str]:
    return {
        "group_wait": config.hold(wait),
        "group_interval": config.hold(interval),
        "repeat_interval": config.hold(repeat),
    }


def _inhibitions(config: BundleConfig) -> list[dict[str, Any]]:
    """Return the inhibitions: of warnings of a target that is down, and of warnings that a critical alert explains."""
    known = {alert.name: alert for alert in alerts(config)}
    down = {
        "source_matchers": [f'alertname="{TARGET_DOWN}"'],
        # What is critical is about more than the outage, and a target that comes and goes has time for it. Labels that
        # both lack are equal, too: what has no instance must not be silenced by a target.
        "target_matchers": ['severity!="critical"', 'instance!=""'],
        "equal": ["job", "instance", *config.matchers],
    }
    return [down, *(_explained(alert, known[name]) for alert in known.values() for name in alert.inhibits)]


def _explained(by: Alert, alert: Alert) -> dict[str, Any]:
    return {
        "source_matchers": [f'alertname="{by.name}"'],
        "target_matchers": [f'alertname="{alert.name}"'],
        "equal": sorted(by.expr.labels & alert.expr.labels),
    }
