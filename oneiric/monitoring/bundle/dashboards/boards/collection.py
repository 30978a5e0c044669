"""The four dashboards: which panels they have, and in which order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from oneiric.core import events
from oneiric.monitoring.bundle.alerts import LIFECYCLE, OVERVIEW, REMOTE, RESOLUTION
from oneiric.monitoring.bundle.dashboards.boards import health, lifecycle, remote, resolution, resources
from oneiric.monitoring.bundle.dashboards.boards.service import service
from oneiric.monitoring.bundle.dashboards.boards.telemetry import telemetry
from oneiric.monitoring.bundle.dashboards.logs import selected_lines
from oneiric.monitoring.bundle.dashboards.model import Board, Panel, Row
from oneiric.monitoring.bundle.dashboards.scope import Scope, targets, values_of
from oneiric.monitoring.logql import troubles
from oneiric.observability import catalogue

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig

HEALTH, TRAFFIC = "Health overview", "Traffic patterns"
OPERATIONS, SYNC, USAGE = "Lifecycle operations", "Remote sync", "Resource usage"
LOG = "Log lines"


def boards(config: BundleConfig) -> tuple[Board, ...]:
    """Return the four dashboards for *config*."""
    return (overview(config), resolution_board(config), lifecycle_board(config), remote_board(config))


def overview(config: BundleConfig) -> Board:
    """Return the dashboard to open first."""
    domain = values_of(Scope(config), catalogue.CANDIDATES, "domain")
    scope = Scope(config, domain)
    return Board(
        OVERVIEW,
        "Oneiric: overview",
        "Is it up, does it fail, what changed, and where? Start here; the other dashboards say more of each.",
        (*targets(config), domain),
        (
            Row(
                HEALTH,
                (
                    *health.summary(scope),
                    health.availability(scope),
                    health.failing(scope),
                    health.firing(),
                    health.running(scope),
                    health.burning(scope),
                ),
            ),
            Row("Service", service(scope)),
            Row(TRAFFIC, (resolution.traffic(scope), resolution.providers(scope), resolution.latency(scope))),
            Row(
                OPERATIONS,
                (
                    lifecycle.swaps(scope),
                    lifecycle.check_failures(scope),
                    lifecycle.components(scope),
                    lifecycle.serving(scope),
                ),
            ),
            Row(SYNC, (remote.age(scope), remote.reasons(scope), remote.downloads(scope))),
            Row(USAGE, (*resources.process(scope), *resources.cache(scope)[:2])),
            Row("The telemetry itself", telemetry(scope), collapsed=True),
            Row(LOG, (_logs("Warnings and errors", "What does it say?", troubles(config)),)),
        ),
    )


def resolution_board(config: BundleConfig) -> Board:
    """Return the dashboard about resolutions."""
    domain = values_of(Scope(config), catalogue.RESOLUTIONS, "domain")
    key = values_of(Scope(config, domain), catalogue.RESOLUTIONS, "key")
    provider = values_of(Scope(config, domain, key), catalogue.RESOLUTIONS, "provider")
    scope = Scope(config, domain, key, provider)
    failed = selected_lines(config, (events.ResolutionFailed, None), label="domain")
    return Board(
        RESOLUTION,
        "Oneiric: resolution",
        "Who asks for what, who serves, how long it takes, and why it fails.",
        (*targets(config), domain, key, provider),
        (
            Row(
                HEALTH,
                (
                    resolution.success(scope),
                    resolution.slowest(scope),
                    replace(health.burning(scope, RESOLUTION), height=5),
                    resolution.failures(scope),
                    resolution.reasons(scope),
                    resolution.instances(scope),
                    replace(resolution.failing_keys(scope), width=24),
                ),
            ),
            Row(
                TRAFFIC,
                (resolution.traffic(scope), resolution.provider_rates(scope), resolution.providers(scope)),
            ),
            Row(
                "Latency",
                (
                    replace(resolution.latency(scope), width=24),
                    resolution.latency_map(scope),
                    resolution.slow_keys(scope),
                ),
            ),
            Row("Candidates", (resolution.candidates(scope), resolution.registrations(scope))),
            Row(LOG, (_logs("Failed resolutions", "Which resolutions failed, and why?", failed),)),
        ),
    )


def lifecycle_board(config: BundleConfig) -> Board:
    """Return the dashboard about swaps, health checks, pauses and drains."""
    domain = values_of(Scope(config), catalogue.COMPONENTS, "domain")
    key = values_of(Scope(config, domain), catalogue.SWAPS, "key")
    scope = Scope(config, domain, key)
    changes = selected_lines(
        config,
        (events.Swap, "success"),
        (events.Swap, "failed"),
        (events.RolledBack, None),
        (events.CleanupFailed, None),
        (events.HealthCheck, "failed"),
        (events.HealthRecovered, None),
        (events.Paused, None),
        (events.Resumed, None),
        (events.DrainStarted, None),
        (events.DrainCleared, None),
        label="domain",
    )
    return Board(
        LIFECYCLE,
        "Oneiric: lifecycle",
        "Who serves, what was swapped, what is unwell, and what is switched off.",
        (*targets(config), domain, key),
        (
            Row(HEALTH, (lifecycle.health_table(scope), lifecycle.health(scope))),
            Row(
                OPERATIONS,
                (
                    lifecycle.serving(scope),
                    lifecycle.swaps(scope),
                    lifecycle.swap_failures(scope),
                    lifecycle.swap_reasons(scope),
                    lifecycle.rollbacks(scope),
                    lifecycle.swap_duration(scope),
                    lifecycle.swap_map(scope),
                    lifecycle.under_way(scope),
                    lifecycle.components(scope),
                    lifecycle.cleanups(scope),
                ),
            ),
            Row(
                "Health checks",
                (lifecycle.check_failures(scope), lifecycle.checks(scope), lifecycle.check_rates(scope)),
            ),
            Row(
                "Pauses and drains",
                (
                    replace(lifecycle.transitions(scope), width=12),
                    replace(lifecycle.inactive(scope), width=12),
                    replace(lifecycle.oldest_pause(scope), width=12),
                    replace(lifecycle.blocked(scope), width=12),
                    lifecycle.certain(scope),
                    lifecycle.revisions(scope),
                ),
            ),
            Row(LOG, (_logs("What happened", "What was done, and what came of it?", changes),)),
        ),
    )


def remote_board(config: BundleConfig) -> Board:
    """Return the dashboard about remote sources and the artifact cache."""
    source = values_of(Scope(config), catalogue.SYNCS, "source")
    scope = Scope(config, source)
    arrivals = selected_lines(
        config,
        (events.RemoteSync, "success"),
        (events.RemoteSync, "failed"),
        (events.CircuitOpened, None),
        (events.EntryRejected, None),
        (events.SignatureInvalid, None),
        (events.ManifestUnsigned, None),
        (events.DigestMismatched, None),
        label="source",
    )
    return Board(
        REMOTE,
        "Oneiric: remote sync",
        "Whether sources are synchronised, why not, whether they can be trusted, and what the cache holds.",
        (*targets(config), source),
        (
            Row(HEALTH, (remote.sources(scope), remote.loops(scope), remote.circuit(scope))),
            Row(
                SYNC,
                (
                    remote.syncs(scope),
                    remote.reasons(scope),
                    remote.in_a_row(scope),
                    remote.age(scope),
                    remote.staleness(scope),
                    remote.retries(scope),
                    remote.duration(scope),
                    remote.duration_map(scope),
                    replace(health.burning(scope, REMOTE), width=8, height=8),
                ),
            ),
            Row(
                "Trust",
                (remote.signatures(scope), remote.digests(scope), remote.expiry(scope)),
            ),
            Row("Artifacts", (remote.entries(scope), remote.downloads(scope), remote.bandwidth(scope))),
            Row(USAGE, resources.cache(scope)),
            Row(LOG, (_logs("What the sources say", "What arrived, what failed, and where?", arrivals),)),
        ),
    )


def _logs(title: str, question: str, query: str) -> Panel:
    return Panel(title, question, "logs", logs=query, width=24, height=10)
