"""What of the bundle goes into configurations that exist already: snippets that change nothing of what stands there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from oneiric.monitoring.bundle import alertmanager, scraping
from oneiric.monitoring.bundle.dashboards import dashboard_provider
from oneiric.monitoring.bundle.notices import services
from oneiric.monitoring.bundle.output import plain_yaml

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig

PREFIX = "oneiric-"
"""Begins the names of receivers and time intervals: others may have a `record` or `office-hours` of their own."""
OURS = 'alertname=~"Oneiric.+"'
"""The matcher of the bundle's alerts, and of no others."""
_SERVICE = "smtp_"


@dataclass(frozen=True, slots=True)
class Snippet:
    """A part of an existing file.

    Attributes:
        file: The file, as its readers call it.
        how: What to do with it, one line each.
        document: What is added, below the names that it has in that file.
    """

    file: str
    how: tuple[str, ...]
    document: dict[str, Any]


def merge_text(config: BundleConfig) -> str:
    """Return all snippets for *config*, as YAML documents with what to do with each before it."""
    return "---\n".join(_written(snippet) for snippet in snippets(config))


def snippets(config: BundleConfig) -> tuple[Snippet, ...]:
    """Return the entries for the configurations of Prometheus, Alertmanager and Grafana, and into pods."""
    return (
        Snippet(
            "prometheus.yml",
            (
                "Copy prometheus/rules/*.yml of the bundle into a directory `oneiric` beside it.",
                "Append each list to the list of the same name. Where targets are found in other ways, take the job of",
                "prometheus-file.yml or prometheus-kubernetes.yml, and give it these two intervals.",
            ),
            {"rule_files": ["oneiric/*.yml"], "scrape_configs": [scraping.added_job(config)]},
        ),
        Snippet(
            "alertmanager.yml",
            (
                "Copy alertmanager/templates/oneiric.tmpl into a directory `oneiric` beside it.",
                "Make the route the first of the routes of `route`: the first that matches ends the search. It takes",
                "the alerts of the bundle and no others. Append each other list to the list of the same name.",
            ),
            _routing(config),
        ),
        Snippet(
            "/etc/grafana/provisioning/dashboards/oneiric.yml",
            (
                "A file of its own. Copy grafana/dashboards/*.json of the bundle to the path at its end.",
                "Or import these files by hand, with no provider: *Dashboards, New, Import* in Grafana.",
                "The data sources are chosen at the top of a dashboard: those that you have will do.",
            ),
            dashboard_provider(config),
        ),
        Snippet(
            "the template of a pod",
            (
                "Only where your Prometheus finds pods by these annotations and not by a job of the bundle.",
                "Export with the name of the job that finds them: --set job=NAME.",
            ),
            {"metadata": {"annotations": scraping.pod_annotations(config)}},
        ),
    )


def _written(snippet: Snippet) -> str:
    lines = "".join(f"# {line}\n" for line in (f"Into {snippet.file}:", *snippet.how))
    return lines + plain_yaml(snippet.document)


def _routing(config: BundleConfig) -> dict[str, Any]:
    whole = alertmanager.document(config)
    intervals = [{**interval, "name": PREFIX + interval["name"]} for interval in whole.get("time_intervals", [])]
    return {
        "templates": ["oneiric/*.tmpl"],
        "route": {"routes": [{"matchers": [OURS], **_renamed(whole["route"])}]},
        "inhibit_rules": [_of_ours(rule) for rule in whole["inhibit_rules"]],
        **({"time_intervals": intervals} if intervals else {}),
        "receivers": [_self_contained(receiver, config) for receiver in whole["receivers"]],
    }


def _renamed(route: dict[str, Any]) -> dict[str, Any]:
    """Return *route* with the names that its receivers and time intervals have among others."""
    named = {**route, "receiver": PREFIX + route["receiver"]}
    if times := route.get("active_time_intervals"):
        named["active_time_intervals"] = [PREFIX + name for name in times]
    if within := route.get("routes"):
        named["routes"] = [_renamed(one) for one in within]
    return named


def _of_ours(rule: dict[str, Any]) -> dict[str, Any]:
    """Return the inhibition *rule* so that it holds back nothing but alerts of the bundle."""
    matchers = rule["target_matchers"]
    if any(matcher.startswith("alertname=") for matcher in matchers):
        return rule
    return {**rule, "target_matchers": [OURS, *matchers]}


def _self_contained(receiver: dict[str, Any], config: BundleConfig) -> dict[str, Any]:
    """Return *receiver* with the services that are global in the bundle: the global ones are somebody else's here."""
    mail = {name.removeprefix(_SERVICE): value for name, value in services(config).items() if name.startswith(_SERVICE)}
    own = {"email_configs": mail, "pagerduty_configs": {"url": config.pagerduty_url}}
    return {
        **receiver,
        "name": PREFIX + receiver["name"],
        **{kind: [{**one, **own[kind]} for one in receiver[kind]] for kind in own if kind in receiver},
    }
