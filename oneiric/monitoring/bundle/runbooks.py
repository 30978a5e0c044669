"""The runbook of every alert as a page, made of the alerts' own definitions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from oneiric.monitoring.bundle.alertmanager import RESPONSE, WATCHDOG, receivers_of
from oneiric.monitoring.bundle.alerts import HOUR, alerts
from oneiric.monitoring.bundle.incidents import INCIDENTS, anchor
from oneiric.monitoring.bundle.output import MARKDOWN_NOTICE
from oneiric.monitoring.config import duration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oneiric.monitoring.config import BundleConfig
    from oneiric.monitoring.rules import Alert, Step

INTRODUCTION = """\
A notice links here, to the heading of its alert. Read this section once; each alert below refers to it.

- **Queries** are those of the default settings. With other settings, `oneiric monitoring export` writes yours into the
  rules. Run PromQL in Prometheus, or with `promtool query instant`.
- **Log steps** have two forms: LogQL for Loki, and `oneiric logs` on the host of the service, without Loki.
- **Commands** act on the running service. Run them on its host as root or as the user of the service; in a container,
  put `docker exec CONTAINER` or `kubectl exec POD --` in front. Replace words in capitals, such as `KEY`. Commands
  under *Diagnosis* change nothing.
- **Rehearse** an alert before you need it: `oneiric monitoring drill --list` names the incidents."""

HANDLING = "Acknowledge, silence, resolve"
"""The heading of what is the same for every alert."""
_HOW = "[How to silence](#acknowledge-silence-resolve)."
_NAME = re.compile(r"\bOneiric[A-Z]\w+")


def runbook_page(config: BundleConfig) -> str:
    """Return the page with the runbook of every alert for *config*, as Markdown."""
    found = alerts(config)
    rows = "\n".join(
        f"| [{alert.name}](#{alert.name.lower()}) | {alert.severity} | {alert.team} | {plain(alert.summary)} |"
        for alert in found
    )
    table = f"| alert | severity | team | in short |\n| --- | --- | --- | --- |\n{rows}"
    sections = "\n\n".join(runbook_section(alert, config) for alert in found)
    head = f"{MARKDOWN_NOTICE}\n# Alerts and their runbooks\n\n{INTRODUCTION}\n\n{table}"
    return f"{head}\n\n## {HANDLING}\n\n{_handling(config)}\n\n{sections}\n"


def runbook_section(alert: Alert, config: BundleConfig) -> str:
    """Return the runbook of *alert* as Markdown, its heading first."""
    book = alert.runbook
    return "\n\n".join(
        [
            f"## {alert.name}",
            f"{book.meaning} **Impact:** {book.impact}",
            f"- {_urgency(alert)}\n- Fires when {_condition(alert, config)}",
            f"```promql\n{alert.expr.text}\n```",
            f"- Threshold: {book.threshold}\n- Resolved {_end(alert, config)}\n- Silence: {book.silence} {_HOW}"
            + _incidents(alert),
            "**Diagnosis**",
            *_steps(book.diagnosis, "1."),
            "**Resolution**",
            *_steps(book.resolution, "-"),
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


def _incidents(alert: Alert) -> str:
    """Return a line that links the runbooks of the incidents that *alert* tells of, or nothing."""
    links = [
        f"[{incident.title}](INCIDENT_RESPONSE.md#{anchor(incident.title)})"
        for incident in INCIDENTS
        if alert.name in incident.alerts
    ]
    return f"\n- Step by step: {', '.join(links)}." if links else ""


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
    if alert.name == WATCHDOG:
        return "when its notices arrive again."
    if not alert.looks_back:
        return "as soon as the query has no result."
    return f"when the query has no result, up to {config.window(alert.looks_back)} after the fault is fixed."


def _handling(config: BundleConfig) -> str:
    """Return how to acknowledge and silence an alert, and what announces its end."""
    silence = (
        f"amtool --alertmanager.url={config.alertmanager_url} silence add alertname=ALERT job={config.job} "
        '--duration=2h --author=NAME --comment="Being worked on"'
    )
    return (
        "1. Acknowledge the alert: silence it while you work on it. Otherwise a critical alert is escalated after the "
        "time in its section; Alertmanager does not know of an acknowledgement in the pager. Add labels of the notice, "
        "such as `instance=...`, so that only this incident is silenced.\n\n"
        f"   ```bash\n   {silence}\n   ```\n\n"
        "2. Silence an alert that nobody works on only where its section says that this is safe.\n"
        "3. An alert is resolved when its query has no result. The notice of the end is sent by itself, but not while "
        "the alert is silenced: expire the silence when you are done. This lists the silences:\n\n"
        f"   ```bash\n   amtool --alertmanager.url={config.alertmanager_url} silence query\n   ```"
    )


def _steps(steps: Iterable[Step], mark: str) -> list[str]:
    return [_step(step, f"{number}." if mark == "1." else mark) for number, step in enumerate(steps, start=1)]


def _step(step: Step, mark: str) -> str:
    """Return *step* behind *mark*, with its code, and the command beside a query of the log."""
    codes = [(step.language, step.code), ("bash", step.command)]
    indent = " " * (len(mark) + 1)
    fences = "".join(f"\n\n{indent}```{language}\n{indent}{code}\n{indent}```" for language, code in codes if code)
    text = _NAME.sub(lambda name: f"[{name[0]}](#{name[0].lower()})", step.text)
    return f"{mark} {text}{fences}"
