"""The page of the incidents, made of their runbooks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from oneiric.monitoring.bundle.alertmanager import RESPONSE
from oneiric.monitoring.bundle.alerts import HOUR, alerts
from oneiric.monitoring.bundle.incidents.incidents import INCIDENTS
from oneiric.monitoring.bundle.output import MARKDOWN_NOTICE
from oneiric.monitoring.logql import lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oneiric.monitoring.bundle.incidents.model import Action, Incident
    from oneiric.monitoring.config import BundleConfig

INTRODUCTION = """\
For the engineer on call. Each incident leads from the alert to the verified end. Every command on this page was run
against the fault, in a real service, and every output was compared; `...` stands for more lines, and `<words>` for what
differs.

- **You need** a shell on the host of the service, as root or as its user. In a container, put `docker exec CONTAINER`
  or `kubectl exec POD --` in front. Set the variables of the incident first; commands use them.
- **Diagnosis changes nothing.** A step that changes something says how to undo it.
- **Log steps** are commands that read the log on the host. With Loki, the query below does the same.
- [How to acknowledge and silence](ALERTS.md#acknowledge-silence-resolve) an alert. `oneiric monitoring drill NAME`
  rehearses an incident."""


def incident_page(config: BundleConfig) -> str:
    """Return the page with the runbook of every incident for *config*, as Markdown."""
    contents = "\n".join(f"- [{incident.title}](#{anchor(incident.title)})" for incident in INCIDENTS)
    sections = "\n\n".join(_section(incident, config) for incident in INCIDENTS)
    return f"{MARKDOWN_NOTICE}\n# Incident response\n\n{INTRODUCTION}\n\n{contents}\n\n{sections}\n"


def _section(incident: Incident, config: BundleConfig) -> str:
    exports = " ".join(f"{name}={value}" for name, value in incident.variables.items())
    return "\n\n".join(
        filter(
            None,
            (
                f"## {incident.title}",
                _head(incident, config),
                exports and f"Set these from the notice:\n\n```sh\nexport {exports}\n```",
                "### First five minutes",
                *_actions(incident.first, config),
                "### Diagnosis",
                *_actions(incident.diagnosis, config),
                "### Resolution",
                *_remedies(incident, config),
                "### Verification",
                *_actions(incident.verification, config),
                "### Afterwards",
                "Write down: " + "; ".join(incident.record) + ".",
                "Prevention: " + " ".join(incident.prevention),
            ),
        )
    )


def _head(incident: Incident, config: BundleConfig) -> str:
    links = ", ".join(f"[{name}](ALERTS.md#{name.lower()})" for name in incident.alerts)
    return (
        f"- **The pager shows** {links}.\n- **Impact**: {incident.impact}\n"
        f"- **Time box**: {incident.minutes} minutes, then escalate. {_escalation(incident, config)}\n"
        f"- **Rehearse it**: `oneiric monitoring drill {incident.scenario} --service`."
    )


def _escalation(incident: Incident, config: BundleConfig) -> str:
    team = next(alert.team for alert in alerts(config) if alert.name == incident.alerts[0])
    priority, seconds = RESPONSE[team]
    return (
        f"The team {team} answers ({priority}, within {seconds / HOUR:g} h); escalate to {team}-lead@"
        f"{config.email_domain}."
    )


def _remedies(incident: Incident, config: BundleConfig) -> Iterable[str]:
    for letter, remedy in zip("ABCDEFGH", incident.remedies, strict=False):
        yield f"**{letter}. {remedy.when}**"
        yield from _actions(remedy.steps, config)


def _actions(actions: Iterable[Action], config: BundleConfig) -> Iterable[str]:
    return (_action(number, action, config) for number, action in enumerate(actions, start=1))


def _action(number: int, action: Action, config: BundleConfig) -> str:
    blocks = [action.text + (f" Undo: {action.undo}" if action.undo else "")]
    if action.command:
        blocks.append(f"```sh\n{action.command}\n```")
    if action.shows:
        blocks.append(f"```text\n{action.shows}\n```")
    if action.event is not None:
        blocks.append(f"```logql\n{lines(config, *action.event)}\n```")
    if action.then:
        blocks.append("\n".join(f"- {finding}: {where}." for finding, where in action.then))
    mark = f"{number}. "
    return mark + "\n\n".join(blocks).replace("\n", "\n" + " " * len(mark)).replace(" " * len(mark) + "\n", "\n")


def anchor(title: str) -> str:
    """Return the anchor of the heading *title*."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
