"""Alerts about resolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.core import events
from oneiric.monitoring.bundle.alerts.common import (
    MINUTE,
    RESOLUTION,
    ask,
    ask_which,
    by,
    command,
    promql,
    search,
    stem,
)
from oneiric.monitoring.promql import before, new, quantile, total
from oneiric.monitoring.rules import Alert, Group, Record, Runbook, Step
from oneiric.observability import catalogue

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig
    from oneiric.monitoring.promql import Expr, PromQL

WINDOW = 5 * MINUTE


def resolution(config: BundleConfig) -> Group:
    """Return the alerts on failures and latency of resolutions."""
    return Group("oneiric-resolution", (_failures(config), _latency(config)))


def resolution_records(config: BundleConfig) -> Group:
    """Return the recording rules of resolutions, by domain."""
    query, window, labels = promql(config), config.window(WINDOW), by(config, "domain")
    every = total(query.rate(catalogue.RESOLUTIONS, window), by=labels)
    failures = total(query.rate(catalogue.RESOLUTION_FAILURES, window), by=labels)
    return Group(
        "oneiric-resolution-records",
        (
            Record(f"job_domain:{stem(catalogue.RESOLUTIONS)}:rate5m", every),
            Record(f"job_domain:{stem(catalogue.RESOLUTION_FAILURES)}:rate5m", failures),
            Record(f"job_domain:{stem(catalogue.RESOLUTION_DURATION)}:p99_rate5m", _p99(config)),
        ),
    )


def _failures(config: BundleConfig) -> Alert:
    query, window = promql(config), config.window(WINDOW)
    failures = query.rate(catalogue.RESOLUTION_FAILURES, window)
    a_minute = total(_failed(config), by=by(config, "domain")) / (config.window_seconds(WINDOW) / MINUTE)
    return Alert(
        "OneiricResolutionFailures",
        severity="critical",
        team="platform",
        expr=a_minute > config.resolution_failures_per_minute,
        hold=0,
        looks_back=WINDOW,
        summary="Resolutions of domain {{ $labels.domain }} fail",
        description="Resolutions of domain {{ $labels.domain }} find no provider: {{ $value | humanize }} a minute "
        f"over the last {config.window(WINDOW)} (threshold {config.resolution_failures_per_minute:g}).",
        dashboard=RESOLUTION,
        runbook=_failures_runbook(config, failures, query),
    )


def _failures_runbook(config: BundleConfig, failures: Expr, query: PromQL) -> Runbook:
    return Runbook(
        "The resolver finds no provider for keys that the application asks for.",
        "Requests that need these components fail.",
        (
            ask_which("Which keys fail, and why?", total(failures, by=by(config, "domain", "key", "reason")) * MINUTE),
            ask(
                "Were providers lost? Compare the number with an hour ago.",
                total(query.series(catalogue.CANDIDATES), by=by(config, "domain", "state")),
            ),
            search(config, "What did the resolver decide?", events.ResolutionFailed),
            search(config, "Did a synchronisation reject entries?", events.EntryRejected),
            search(config, "Was the provider ever registered? (level debug)", events.Registered),
        ),
        (
            command(
                "`no_candidate`: no provider is registered. Load its code, or synchronise the source that it "
                "comes from. This shows what is registered for a key:",
                "oneiric explain KEY --domain DOMAIN",
            ),
            command("The provider comes from a manifest: synchronise now.", "oneiric remote-sync"),
            Step(
                "`provider_not_found`: a selection names a provider that does not exist. Correct the selection in "
                "`DOMAIN.yml` of the settings; the service reads the file again by itself."
            ),
            Step(
                "`capability_mismatch`: no provider has the capabilities asked for. Correct the request, or the "
                "provider's metadata."
            ),
            Step("`error`: the data of a provider broke the selection. The log line names the error."),
            Step("The key never had a provider: correct the application that asks for it."),
        ),
        "A few failures a minute occur while providers change. The threshold is the setting "
        "`resolution_failures_per_minute`. Normal: near zero.",
        "Safe during a planned removal of the provider.",
    )


def _failed(config: BundleConfig) -> Expr:
    """Return how many resolutions failed in the window, by key: a series for a key that nobody had counts whole.

    A key that is made up anew each time never fails twice, and nothing of it increases. The target was scraped already
    before the window: with one that was not, nobody knows what is new.
    """
    query, window = promql(config), config.window(WINDOW)
    series = query.series(catalogue.RESOLUTION_FAILURES)
    watched = before(window, query.up()).equal(1)
    made_up = new(series, window, known=window).matched("and", watched, on=("job", "instance"))
    return made_up | query.increase(catalogue.RESOLUTION_FAILURES, window)


def _latency(config: BundleConfig) -> Alert:
    query, window = promql(config), config.window(WINDOW)
    count = total(query.increase(catalogue.RESOLUTION_DURATION, window, suffix="_count"), by=by(config, "domain"))
    return Alert(
        "OneiricResolutionLatencyHigh",
        severity="warning",
        team="platform",
        expr=(_p99(config) > config.resolution_p99_seconds) & (count >= config.resolution_minimum_count),
        hold=2 * MINUTE,
        looks_back=WINDOW,
        summary="Resolutions of domain {{ $labels.domain }} are slow",
        description="The 99th percentile of the latency of resolutions of domain {{ $labels.domain }} is "
        f"{{{{ $value | humanizeDuration }}}} over the last {config.window(WINDOW)} "
        f"(threshold {config.resolution_p99_seconds:g} s, with at least {config.resolution_minimum_count} "
        "resolutions).",
        dashboard=RESOLUTION,
        runbook=_latency_runbook(config, query, window),
    )


def _latency_runbook(config: BundleConfig, query: PromQL, window: str) -> Runbook:
    return Runbook(
        "A resolution is a look-up in memory and takes microseconds. It is slow where the process gets no "
        "processor time, or where a provider's own code runs within it.",
        "Every request that uses a component is slower.",
        (
            ask(
                "How much processor time does the process take (1 is one core)?",
                query.foreign("process_cpu_seconds_total", window),
            ),
            ask(
                "Which keys are slow?",
                quantile(
                    0.99,
                    total(
                        query.rate(catalogue.RESOLUTION_DURATION, window, suffix="_bucket"),
                        by=by(config, "domain", "key", "le"),
                    ),
                )
                > config.resolution_p99_seconds,
            ),
            command("Is the host overloaded? Compare the load with the number of cores.", "uptime"),
        ),
        (
            Step("The processor is at its limit: raise the CPU limit of the service, or move load to another host."),
            command(
                "One key alone is slow: see what its candidates do when they are compared.",
                "oneiric explain KEY --domain DOMAIN",
            ),
            Step("All keys of one instance are slow: look for long garbage collections or blocking code."),
        ),
        "The threshold is the setting `resolution_p99_seconds`. Normal: below a millisecond.",
        "Safe while resolutions succeed and users do not complain.",
    )


def _p99(config: BundleConfig) -> Expr:
    buckets = promql(config).rate(catalogue.RESOLUTION_DURATION, config.window(WINDOW), suffix="_bucket")
    return quantile(0.99, total(buckets, by=by(config, "domain", "le")))
