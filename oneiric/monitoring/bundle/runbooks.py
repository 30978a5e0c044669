"""The runbook of every alert as a page, made of the alerts' own definitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.bundle.alertmanager import RESPONSE, WATCHDOG, receivers_of
from oneiric.monitoring.bundle.alerts import HOUR, alerts
from oneiric.monitoring.bundle.output import MARKDOWN_NOTICE
from oneiric.monitoring.config import duration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oneiric.monitoring.config import BundleConfig
    from oneiric.monitoring.rules import Alert, Step

INTRODUCTION = """\
A notice links here, to the heading of its alert. Every query is that of the default settings: with others,
`oneiric monitoring export` writes yours into the rules, and the queries here need your job's name. Each alert can be
rehearsed: `oneiric monitoring drill --list` names the incident that sets it off."""


def runbook_page(config: BundleConfig) -> str:
    """Return the page with the runbook of every alert for *config*, as Markdown."""
    found = alerts(config)
    rows = "\n".join(
        f"| [{alert.name}](#{alert.name.lower()}) | {alert.severity} | {alert.team} | {plain(alert.summary)} |"
        for alert in found
    )
    table = f"| alert | severity | team | in short |\n| --- | --- | --- | --- |\n{rows}"
    sections = "\n\n".join(runbook_section(alert, config) for alert in found)
    return f"{MARKDOWN_NOTICE}\n# Alerts and their runbooks\n\n{INTRODUCTION}\n\n{table}\n\n{sections}\n"


def runbook_section(alert: Alert, config: BundleConfig) -> str:
    """Return the runbook of *alert* as Markdown, its heading first."""
    book = alert.runbook
    return "\n\n".join(
        [
            f"## {alert.name}",
            f"{book.meaning} {book.impact}",
            f"- {_urgency(alert)}\n- Fires when {_condition(alert, config)}",
            f"```promql\n{alert.expr.text}\n```",
            _end(alert, config),
            "**Diagnosis**",
            *_steps(book.diagnosis),
            "**Resolution**",
            "\n".join(f"- {step.text}" for step in book.resolution),
            "**Until it is over**",
            _until_over(alert, config),
        ]
    )


def plain(template: str) -> str:
    """Return *template* of a summary with its labels as words."""
    text = template.replace("{{ or $labels.instance $labels.job }}", "{{ $labels.instance }}")
    while "{{" in text:
        head, _, rest = text.partition("{{")
        inside, _, tail = rest.partition("}}")
        text = f"{head}*{inside.strip().removeprefix('$labels.')}*{tail}"
    return text


def _urgency(alert: Alert) -> str:
    receivers = ", ".join(f"`{name}`" for name in receivers_of(alert))
    if alert.severity != "critical":
        return f"Severity {alert.severity}, team {alert.team}; routed to {receivers}"
    priority, seconds = RESPONSE[alert.team]
    return (
        f"Severity critical, team {alert.team}: {priority}, answer within {seconds / HOUR:g} h; routed to {receivers}"
    )


def _condition(alert: Alert, config: BundleConfig) -> str:
    held = f"this has been so for {duration(config.seconds(alert.hold))}" if alert.hold else "this is so"
    return f"{held}, for each {', '.join(f'`{label}`' for label in sorted(alert.expr.labels))}:"


def _end(alert: Alert, config: BundleConfig) -> str:
    if not alert.looks_back:
        return "It ends as soon as this is no longer so."
    return f"It ends within {config.window(alert.looks_back)} when the fault is mended: it looks back that far."


def _until_over(alert: Alert, config: BundleConfig) -> str:
    """Return how to acknowledge the alert, and what announces its end."""
    if alert.name == WATCHDOG:
        return "- It is over when its notices arrive again."
    otherwise = "it is escalated otherwise" if alert.severity == "critical" else "it is notified again otherwise"
    silence = (
        f"amtool --alertmanager.url={config.alertmanager_url} silence add alertname={alert.name} job={config.job} "
        '--duration=2h --author=me --comment="Being worked on"'
    )
    return (
        f"- Silence it while you work on it, {otherwise}. Add labels of the notice, so that only this is silenced.\n\n"
        f"  ```bash\n  {silence}\n  ```\n\n"
        "- It is over when the query at the top has no answer. The notice of the end comes by itself, or, while it is "
        "silenced, not at all."
    )


def _steps(steps: Iterable[Step]) -> list[str]:
    return [
        f"{number}. {step.text}" + (f"\n\n   ```{step.language}\n   {step.code}\n   ```" if step.code else "")
        for number, step in enumerate(steps, start=1)
    ]
