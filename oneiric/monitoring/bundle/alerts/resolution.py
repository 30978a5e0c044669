"""Alerts about resolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.core import events
from oneiric.monitoring.bundle.alerts.common import MINUTE, RESOLUTION, ask, ask_which, by, promql, search, stem
from oneiric.monitoring.logql import lines
from oneiric.monitoring.promql import before, new, quantile, total
from oneiric.monitoring.rules import Alert, Group, Record, Runbook, Step
from oneiric.observability import catalogue

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig
    from oneiric.monitoring.promql import Expr

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
        description="{{ $value | humanize }} resolutions a minute of domain {{ $labels.domain }} select nothing "
        f"(threshold {config.resolution_failures_per_minute:g}).",
        dashboard=RESOLUTION,
        runbook=Runbook(
            "The resolver selects nothing for keys that something asks for.",
            "Whatever needs these components does not get them.",
            (
                ask_which("Which keys, and why?", total(failures, by=by(config, "domain", "key", "reason")) * MINUTE),
                ask(
                    "Were candidates lost? Compare the number now with the past.",
                    total(query.series(catalogue.CANDIDATES), by=by(config, "domain", "state")),
                ),
                search("What did the resolver decide?", lines(config, events.ResolutionFailed)),
                search("Did a synchronisation skip entries?", lines(config, events.EntryRejected)),
                search("Was the candidate ever registered? (level debug)", lines(config, events.Registered)),
            ),
            (
                Step("`no_candidate`: it was never registered, or its manifest was not loaded: register it, sync."),
                Step("`provider_not_found`: a selection names a provider that does not exist: mend `<domain>.yml`."),
                Step("`capability_mismatch`: no candidate has what was asked for: mend the request or the metadata."),
                Step("`error`: a candidate's data broke the selection; the log line has the error."),
                Step("A key that nobody ever had: whoever asks for it is wrong, not the runtime."),
            ),
        ),
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
        description="One in a hundred resolutions of domain {{ $labels.domain }} takes longer than "
        "{{ $value | humanizeDuration }} "
        f"(threshold {config.resolution_p99_seconds:g} s; at least {config.resolution_minimum_count} in the window).",
        dashboard=RESOLUTION,
        runbook=Runbook(
            "A resolution is a look-up in memory and takes microseconds. Where it takes this long, the process does "
            "not get to run, or a candidate's own code runs within it.",
            "Every use of a component waits.",
            (
                ask("Is the process short of processor time?", query.foreign("process_cpu_seconds_total", window)),
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
                Step("Is the machine overloaded?", "uptime", "bash"),
            ),
            (
                Step("Processor at its limit: give the process more, or move load away."),
                Step("One key alone: profile what its candidates' metadata and comparison do."),
                Step("All keys in one instance: look for long garbage collections or a blocked interpreter."),
            ),
        ),
    )


def _p99(config: BundleConfig) -> Expr:
    buckets = promql(config).rate(catalogue.RESOLUTION_DURATION, config.window(WINDOW), suffix="_bucket")
    return quantile(0.99, total(buckets, by=by(config, "domain", "le")))
