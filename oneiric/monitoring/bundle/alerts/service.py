"""Alerts about the service: whether what must run does, and whether its settings and secrets can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.core import events
from oneiric.monitoring.bundle.alerts.common import MINUTE, OVERVIEW, ask, ask_which, growth, promql, search
from oneiric.monitoring.logql import lines
from oneiric.monitoring.rules import Alert, Group, Runbook, Step
from oneiric.observability import catalogue

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig

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
        runbook=Runbook(
            "The process runs and answers `/readyz` with 503: a component of `runtime.start` is not active, or a "
            "remote source was never synchronised since the start.",
            "A load balancer sends it no work, and a rollout of a new version waits for it.",
            (
                ask("How many components that must run are missing?", missing),
                search("Which ones, and why?", lines(config, events.ComponentMissing)),
                ask("Does a synchronisation fail?", query.series(catalogue.CONSECUTIVE_FAILURES)),
                search("Why does it fail?", lines(config, events.RemoteSync, "failed")),
                Step("What does the service itself say?", "oneiric health", "bash"),
            ),
            (
                Step("No candidate is registered: bring in the code with `--import` or its plugin, or mend the key."),
                Step(
                    "The factory or the health check fails: mend what the provider needs; it is tried again by itself."
                ),
                Step("A source cannot be synchronised: mend that, see OneiricRemoteSyncFailures."),
                Step("A component is not needed any more: take it out of `runtime.start` and restart the service."),
            ),
        ),
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
        summary="{{ $labels.instance }} cannot read its settings again",
        description=f"A reload of the settings has failed within {minutes:g} minutes; the last good ones are in force.",
        dashboard=OVERVIEW,
        runbook=Runbook(
            "The settings were read again, at a signal, on command or because a file was saved, and are wrong.",
            "The service goes on with its last good settings. It would not start again with the present ones.",
            (
                search("What is wrong?", lines(config, events.Reload, "failed")),
                ask_which("Which instances?", growth(config, failed, RELOAD_WINDOW, "instance")),
                Step("What is wrong with the files now?", "oneiric settings check", "bash"),
            ),
            (
                Step("Mend the file that the line names, and save it: it is read again by itself."),
                Step("Watchers are off: `oneiric reload`, which says what is still wrong."),
            ),
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
        summary="{{ $labels.instance }} cannot renew its secrets",
        description=f"A refresh of secrets has failed within {minutes:g} minutes; the last good values are in force.",
        dashboard=OVERVIEW,
        runbook=Runbook(
            "The secrets provider could not be made ready at the start, or did not answer when its secrets were to be "
            "renewed: at an interval, or at a reload.",
            "The service goes on with the secrets that it has. A credential that was revoked meanwhile is refused, and "
            "synchronisations that need it fail.",
            (
                search("Which secrets, and what kind of error?", lines(config, events.SecretsRefresh, "failed")),
                search("When were they last renewed?", lines(config, events.SecretsRefresh, "success")),
                ask_which("Which instances?", growth(config, failed, SECRETS_WINDOW, "instance")),
                Step("Does the provider serve, and is it well?", "oneiric health", "bash"),
            ),
            (
                Step("The secret store is away or refuses the service: mend that; the next refresh renews everything."),
                Step("The store is back, and the interval is long: renew them at once.", "oneiric reload", "bash"),
                Step("The provider is wrong: mend `secrets.provider`, and restart the service."),
            ),
        ),
    )
