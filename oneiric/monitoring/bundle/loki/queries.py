"""The log queries of the bundle, each with what it means: searches to begin with, and metrics made of lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oneiric.core import events
from oneiric.monitoring.logql import COUNTABLE, TROUBLE, containing, counted, lines, log_of, names, stream, troubles

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig
    from oneiric.observability.model import Phase

AUTO = "$__auto"
"""The range that Grafana chooses for what is shown."""
MISMATCH = "SHA256 mismatch"
"""What the error of a digest that does not match begins with."""


@dataclass(frozen=True, slots=True)
class Search:
    """A query to ask Loki.

    Attributes:
        title: A few words.
        meaning: Which lines it returns, or what it measures.
        query: The query; ``$domain``, ``$key`` and ``$trace_id`` are to be replaced, or are variables of a dashboard.
    """

    title: str
    meaning: str
    query: str


def plan_searches(config: BundleConfig) -> tuple[Search, ...]:
    """Return the seven searches that on-call engineers begin with."""
    return (
        Search(
            "Resolution errors",
            "Every resolution that selected no provider, with the reason.",
            lines(config, events.ResolutionFailed),
        ),
        Search(
            "Lifecycle swaps",
            "Every swap of an adapter that succeeded, activations included.",
            lines(config, events.Swap, "success", where={"domain": "adapter"}),
        ),
        Search(
            "Remote sync errors",
            "Every synchronisation with a manifest source that failed.",
            lines(config, events.RemoteSync, "failed"),
        ),
        Search(
            "Health check failures",
            "Every health check that answered no, raised or took too long, in a swap or a probe.",
            lines(config, events.HealthCheck, "failed"),
        ),
        Search(
            "Resolver decisions",
            "Every resolution that was logged: failed ones always, the others at level debug.",
            lines(config, events.ResolutionFailed, read=""),
        ),
        Search(
            "Failed swaps",
            "Every swap that failed, cancelled ones included.",
            lines(config, events.Swap, "failed", read=""),
        ),
        Search(
            "Digest mismatches",
            "Every artifact whose content is not what the manifest promised.",
            containing(config, MISMATCH),
        ),
    )


def further_searches(config: BundleConfig) -> tuple[Search, ...]:
    """Return searches for what happens less often, or concerns one component, one trace or one source."""
    slow = f"{config.swap_slow_seconds * 1000:g}"
    return (
        Search(
            "Warnings and errors",
            f"Every line of level {', '.join(TROUBLE[:-1])} or {TROUBLE[-1]}.",
            troubles(config),
        ),
        Search(
            "One component",
            "Every line that concerns one component.",
            f'{stream(config)} | json | domain="$domain" | key="$key"',
        ),
        Search("One trace", "Every line written while a trace was recorded.", containing(config, "$trace_id")),
        Search(
            "Rollbacks",
            "Every failed swap after which the previous instance serves on.",
            lines(config, events.RolledBack),
        ),
        Search(
            "Slow swaps",
            f"Every swap that succeeded and took longer than {config.swap_slow_seconds:g} s.",
            f"{lines(config, events.Swap, 'success')} | duration_ms > {slow}",
        ),
        Search(
            "Pauses and drains",
            "Every beginning and end of a pause or a drain.",
            f'{stream(config)} |~ "{names(*(log_of(event)[1] for event in ACTIVITY))}"',
        ),
        Search(
            "Manifests that are not trusted",
            "Every manifest whose signature is invalid or has expired.",
            f'{stream(config)} |= "{log_of(events.SignatureInvalid)[1].name}" | json',
        ),
        Search(
            "Failed checks of swaps",
            "Every health check that kept a new instance from serving.",
            lines(config, events.HealthCheck, "failed", where={"phase": "swap"}),
        ),
    )


ACTIVITY: tuple[type[events.Event], ...] = (
    events.Paused,
    events.Resumed,
    events.DrainStarted,
    events.DrainCleared,
)

CHANGES: tuple[tuple[type[events.Event], Phase | None], ...] = (
    (events.RuntimeReady, None),
    (events.RuntimeStopping, None),
    (events.Reload, "success"),
    (events.Reload, "failed"),
    (events.SelectionSwap, "success"),
    (events.SelectionSwap, "failed"),
    (events.SelectionSwapHeld, None),
    (events.ControlRequest, "success"),
    (events.ControlRequest, "failed"),
    (events.ControlDenied, None),
)


def changes(config: BundleConfig) -> tuple[Search, ...]:
    """Return the search for what was changed from outside."""
    return (
        Search(
            "Changes from outside",
            "Every start and end of a service, reload, changed selection and command, with who asked for it.",
            f'{stream(config)} |~ "{names(*(log_of(*change)[1] for change in CHANGES))}"',
        ),
    )


def measurements(config: BundleConfig) -> tuple[Search, ...]:
    """Return metrics made of lines, for what no metric of the runtime shows."""
    swaps = lines(config, events.Swap, "success", read=COUNTABLE)
    return (
        Search(
            "Lines by level",
            "How many lines there are of each level.",
            counted(f"{stream(config)}{COUNTABLE}", AUTO, by=("level",)),
        ),
        Search(
            "Failed resolutions by reason",
            "Failed resolutions of each component, by their reason.",
            counted(lines(config, events.ResolutionFailed, read=COUNTABLE), AUTO, by=("domain", "key", "reason")),
        ),
        Search(
            "Failed swaps by error",
            "Failed swaps of each component, by the type of the error that ended them.",
            counted(lines(config, events.Swap, "failed", read=COUNTABLE), AUTO, by=("domain", "key", "error_type")),
        ),
        Search(
            "Failed synchronisations by host",
            "Failed synchronisations, by the source and the host that was asked.",
            counted(lines(config, events.RemoteSync, "failed", read=COUNTABLE), AUTO, by=("source", "host")),
        ),
        Search(
            "Longest swaps",
            "The longest swap of each component that succeeded, in milliseconds.",
            f'max_over_time({swaps} | unwrap duration_ms | __error__="" [{AUTO}]) by (domain, key)',
        ),
        Search("Volume", "Bytes of log lines per second.", f"sum(bytes_rate({stream(config)} [{AUTO}]))"),
        Search("Silence", "1 while no line arrives.", f"absent_over_time({stream(config)} [15m])"),
    )


def searches(config: BundleConfig) -> tuple[Search, ...]:
    """Return every query of the bundle that is not a rule or part of a runbook."""
    return (*plan_searches(config), *further_searches(config), *changes(config), *measurements(config))
