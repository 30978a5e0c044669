"""Alerts about the service: whether what must run does, and whether its settings and secrets can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.core import events
from oneiric.monitoring.bundle.alerts.common import MINUTE, OVERVIEW, ask, ask_which, command, growth, promql, search
from oneiric.monitoring.rules import Alert, Group, Runbook, Step
from oneiric.observability import catalogue

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig
    from oneiric.monitoring.promql import Expr, PromQL

READY_HOLD = 5 * MINUTE
"""Longer than a start takes that waits for its sources."""
RELOAD_WINDOW = 15 * MINUTE
SECRETS_WINDOW = 15 * MINUTE


def service(config: BundleConfig) -> Group:
    """Return the alerts on readiness, reloads and secrets."""
    return Group("oneiric-service", (_not_ready(config), _reload_failed(config), _secrets_stale(config)))


def _not_ready(config: BundleConfig) -> Alert:
    query = promql(config)
    ready = query.series(catalogue.RUNTIME_READY)
    missing = query.series(catalogue.RUNTIME_REQUIRED, state="missing")
    minutes = config.seconds(READY_HOLD) / MINUTE
    return Alert(
        "OneiricNotReady",
        severity="critical",
        team="platform",
        expr=ready.equal(0),
        hold=READY_HOLD,
        summary="{{ $labels.instance }} is not ready",
        description=f"{{{{ $labels.instance }}}} has not been ready for {minutes:g} minutes: a component that must run "
        "is not active, or no manifest of a remote source is in force.",
        dashboard=OVERVIEW,
        runbook=_not_ready_runbook(config, missing, query),
    )


def _not_ready_runbook(config: BundleConfig, missing: Expr, query: PromQL) -> Runbook:
    return Runbook(
        "The process runs and answers `/readyz` with 503: a component of `runtime.start` is not active, or no "
        "manifest of a remote source is in force.",
        "A load balancer sends this instance no requests. A rollout of a new version waits for it.",
        (
            ask("How many required components are missing?", missing),
            search(config, "Which components are missing, and why?", events.ComponentMissing),
            ask("Do synchronisations fail?", query.series(catalogue.CONSECUTIVE_FAILURES)),
            search(config, "Why do they fail?", events.RemoteSync, "failed"),
            command("What does the service report?", "oneiric health"),
        ),
        (
            command(
                "No provider is registered: load its code with `--import` or as a plugin, or correct the key in "
                "`runtime.start`.",
                "oneiric list --all",
            ),
            Step(
                "The factory or the health check fails: restore what the provider needs. The service tries again "
                "by itself, every `runtime.retry_interval`."
            ),
            Step("A source cannot be synchronised: go to OneiricRemoteSyncFailures."),
            Step("A component is no longer needed: remove it from `runtime.start`, and restart the service."),
        ),
        "The delay is longer than a start that waits for its sources. Normal: 1.",
        "Safe while a planned start takes long.",
    )


def _reload_failed(config: BundleConfig) -> Alert:
    query = promql(config)
    failed = query.series(catalogue.RELOADS, outcome="failed")
    minutes = config.window_seconds(RELOAD_WINDOW) / MINUTE
    return Alert(
        "OneiricReloadFailed",
        severity="warning",
        team="platform",
        expr=growth(config, failed, RELOAD_WINDOW, "instance") > 0,
        hold=0,
        looks_back=RELOAD_WINDOW,
        summary="{{ $labels.instance }} could not reload its settings",
        description=f"A reload of the settings of {{{{ $labels.instance }}}} failed within the last {minutes:g} "
        "minutes.",
        dashboard=OVERVIEW,
        runbook=Runbook(
            "The settings were read again, by a signal, by a command or because a file was saved, and are invalid.",
            "None now: the last valid settings stay in force. The service cannot restart with the present files.",
            (
                search(config, "What is invalid?", events.Reload, "failed"),
                ask_which("Which instances failed to reload?", growth(config, failed, RELOAD_WINDOW, "instance")),
                command("Are the files valid now?", "oneiric settings check"),
            ),
            (
                Step("Fix the file that the log line names, and save it. The service reads it again by itself."),
                command("Watchers are off: reload by hand. The command names what is still invalid.", "oneiric reload"),
            ),
            "One failed reload is enough: the next restart would fail. Normal: none.",
            "Safe while somebody edits the settings.",
        ),
    )


def _secrets_stale(config: BundleConfig) -> Alert:
    query = promql(config)
    failed = query.series(catalogue.SECRETS_REFRESHES, outcome="failed")
    minutes = config.window_seconds(SECRETS_WINDOW) / MINUTE
    return Alert(
        "OneiricSecretsStale",
        severity="warning",
        team="platform",
        expr=growth(config, failed, SECRETS_WINDOW, "instance") > 0,
        hold=0,
        looks_back=SECRETS_WINDOW,
        summary="{{ $labels.instance }} could not refresh its secrets",
        description=f"A refresh of secrets of {{{{ $labels.instance }}}} failed within the last {minutes:g} minutes.",
        dashboard=OVERVIEW,
        runbook=Runbook(
            "The secrets provider could not be started, or did not answer when its secrets were refreshed: at an "
            "interval, or at a reload.",
            "None as long as the present secrets are valid. Where a secret has been revoked, what needs it fails.",
            (
                search(
                    config,
                    "Which secrets could not be refreshed, and what is the error?",
                    events.SecretsRefresh,
                    "failed",
                ),
                search(config, "When did a refresh last succeed?", events.SecretsRefresh, "success"),
                ask_which("Which instances failed to refresh?", growth(config, failed, SECRETS_WINDOW, "instance")),
                command("Is the secrets provider active and healthy?", "oneiric health"),
            ),
            (
                command(
                    "The secret store is down or refuses access: restore it. The next refresh succeeds by itself; "
                    "this refreshes at once:",
                    "oneiric reload",
                ),
                Step("The wrong provider is configured: fix `secrets.provider`, and restart the service."),
            ),
            "One failed refresh is enough: secrets may be revoked at any time. Normal: none.",
            "Safe during maintenance of the secret store, if no secret is rotated meanwhile.",
        ),
    )
