"""Alerts about remote manifests and artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.core import events
from oneiric.monitoring.bundle.alerts.common import HOUR, MINUTE, REMOTE, ask, ask_which, growth, promql, search
from oneiric.monitoring.logql import lines
from oneiric.monitoring.promql import NOW
from oneiric.monitoring.rules import Alert, Group, Runbook, Step
from oneiric.observability import catalogue

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig

WINDOW = 15 * MINUTE
FIRST_SYNC = 5 * MINUTE
"""How long the first synchronisation may take of a process that starts after a night: the last one was before that."""


def remote(config: BundleConfig) -> Group:
    """Return the alerts on synchronisation, signatures and artifacts."""
    makers = (_failures, _stale, _loop_dead, _digests, _signatures, _expiring)
    return Group("oneiric-remote", tuple(make(config) for make in makers))


def _failures(config: BundleConfig) -> Alert:
    query = promql(config)
    reasons = growth(config, query.series(catalogue.SYNC_FAILURES), WINDOW, "source", "reason")
    return Alert(
        "OneiricRemoteSyncFailures",
        severity="critical",
        team="release",
        expr=query.series(catalogue.CONSECUTIVE_FAILURES) >= config.sync_consecutive_failures,
        hold=0,
        summary="Source {{ $labels.source }} cannot be synchronised",
        description="On {{ $labels.instance }} the last {{ $value }} synchronisations with {{ $labels.source }} failed "
        f"(threshold {config.sync_consecutive_failures}).",
        inhibits=("OneiricRemoteSyncStale",),
        dashboard=REMOTE,
        runbook=Runbook(
            "The manifest of this source cannot be fetched, verified or applied.",
            "What was loaded before serves on; nothing new arrives, and nothing is withdrawn.",
            (
                ask_which("Why?", reasons),
                ask("Is the circuit open? Then nothing is tried.", query.series(catalogue.CIRCUIT_OPEN)),
                search("What failed, and where?", lines(config, events.RemoteSync, on="failed")),
            ),
            (
                Step("`network`, `timeout`: look at the firewall, DNS and the manifest server from this machine."),
                Step("`http_status`: the URL or the credentials are wrong, or the server is not well."),
                Step("`signature`, `expired`, `replay`: sign the manifest anew; see OneiricSignatureInvalid."),
                Step("`digest`, `too_large`, `path`: an artifact is wrong; see OneiricDigestMismatch."),
                Step("`parse`: the manifest is not what it should be: publish it again from the release tooling."),
            ),
        ),
    )


def _stale(config: BundleConfig) -> Alert:
    query = promql(config)
    interval = query.series(catalogue.SYNC_INTERVAL) > 0
    return Alert(
        "OneiricRemoteSyncStale",
        severity="warning",
        team="release",
        expr=NOW - query.series(catalogue.LAST_SUCCESS) > interval * config.sync_stale_intervals,
        hold=FIRST_SYNC,
        summary="Source {{ $labels.source }} is stale",
        description="On {{ $labels.instance }} the last successful synchronisation with {{ $labels.source }} was "
        "{{ $value | humanizeDuration }} ago "
        f"(more than {config.sync_stale_intervals:g} intervals).",
        dashboard=REMOTE,
        runbook=Runbook(
            "The source should have been synchronised several times since.",
            "The components of this source are as old as that.",
            (
                ask("When was it last tried?", NOW - query.series(catalogue.LAST_ATTEMPT)),
                ask("How often should it be?", query.series(catalogue.SYNC_INTERVAL)),
                ask("Does its loop live?", query.series(catalogue.LOOP_RUNNING)),
                search("Is there an error?", lines(config, events.RemoteSync, on="failed")),
            ),
            (
                Step("Tries fail: see OneiricRemoteSyncFailures."),
                Step("There are no tries: see OneiricRemoteSyncLoopDead."),
                Step("Synchronisations take longer than their interval: raise `refresh_interval`."),
            ),
        ),
    )


def _loop_dead(config: BundleConfig) -> Alert:
    query = promql(config)
    wanted = query.series(catalogue.SYNC_INTERVAL) > 0
    return Alert(
        "OneiricRemoteSyncLoopDead",
        severity="critical",
        team="release",
        expr=query.series(catalogue.LOOP_RUNNING).equal(0) & wanted,
        hold=MINUTE,
        summary="Nothing refreshes source {{ $labels.source }}",
        description="On {{ $labels.instance }} {{ $labels.source }} should be refreshed, but its loop does not run.",
        inhibits=("OneiricRemoteSyncStale",),
        dashboard=REMOTE,
        runbook=Runbook(
            "The task that synchronises this source ended, or was never started.",
            "Nothing new arrives from this source, and no failure is counted either.",
            (
                ask("When was it last tried?", NOW - query.series(catalogue.LAST_ATTEMPT)),
                search("When did one succeed last?", lines(config, events.RemoteSync, on="success")),
                search("Did the last ones fail?", lines(config, events.RemoteSync, on="failed")),
                search("Which has begun and not ended? (level debug)", lines(config, events.RemoteSync, on="started")),
            ),
            (
                Step("The application stopped the loop: start it again, or take the source out of the settings."),
                Step("It ended by itself: that is a defect; keep the log, then restart the process."),
            ),
        ),
    )


def _digests(config: BundleConfig) -> Alert:
    query, window = promql(config), config.window(WINDOW)
    return Alert(
        "OneiricDigestMismatch",
        severity="critical",
        team="release",
        expr=growth(config, query.series(catalogue.DIGEST_MISMATCHES), WINDOW, "instance", "source") > 0,
        hold=0,
        looks_back=WINDOW,
        summary="An artifact of source {{ $labels.source }} is not what its manifest says",
        description="On {{ $labels.instance }} an artifact of {{ $labels.source }} has another SHA-256 digest.",
        dashboard=REMOTE,
        runbook=Runbook(
            "The bytes that came are not those that were signed: damaged on the way, replaced, or published wrongly.",
            "The artifact is not used. If somebody tampers with it, this is where it shows.",
            (
                ask("How many comparisons were there?", query.increase(catalogue.DIGEST_CHECKS, window)),
                search("Which artifact?", lines(config, events.DigestMismatched)),
                search("What was fetched from there in the same time?", lines(config, events.ArtifactDownloaded)),
                Step("Fetch the artifact from another machine and compare.", "sha256sum ARTIFACT", "bash"),
            ),
            (
                Step("It is wrong everywhere: publish the artifact and its manifest again. Ask who changed it."),
                Step("It is wrong here only: something on the way changes it, a proxy for example."),
                Step("The file in the cache is damaged: remove it; the next synchronisation brings it anew."),
            ),
        ),
    )


def _signatures(config: BundleConfig) -> Alert:
    query = promql(config)
    invalid = query.series(catalogue.SIGNATURES, result="invalid")
    return Alert(
        "OneiricSignatureInvalid",
        severity="critical",
        team="release",
        expr=growth(config, invalid, WINDOW, "instance", "source") > 0,
        hold=0,
        looks_back=WINDOW,
        summary="No trusted key signed the manifest of source {{ $labels.source }}",
        description="On {{ $labels.instance }} a manifest of {{ $labels.source }} was refused: invalid signature.",
        dashboard=REMOTE,
        runbook=Runbook(
            "The manifest was changed after it was signed, or signed with a key that is not trusted here.",
            "The manifest is not used. If somebody tampers with it, this is where it shows.",
            (
                ask_which(
                    "What were the results of the verifications?",
                    growth(config, query.series(catalogue.SIGNATURES), WINDOW, "source", "result"),
                ),
                search("Which key was it?", lines(config, events.SignatureInvalid)),
            ),
            (
                Step("The key was rotated: add the new public key to the trusted ones, then sign with it alone."),
                Step("The manifest was edited after it was signed: sign it anew with the release tooling."),
                Step("Neither is so: treat the manifest server as broken into."),
            ),
        ),
    )


def _expiring(config: BundleConfig) -> Alert:
    query = promql(config)
    expiry = query.series(catalogue.MANIFEST_EXPIRY)
    return Alert(
        "OneiricManifestExpiring",
        severity="warning",
        team="release",
        expr=expiry - NOW < config.manifest_expiry_seconds,
        hold=0,
        summary="The manifest of source {{ $labels.source }} expires soon",
        description="On {{ $labels.instance }} the manifest of {{ $labels.source }} "
        "{{ if gt $value 0.0 }}expires in {{ $value | humanizeDuration }}{{ else }}has expired{{ end }} "
        f"(threshold {config.manifest_expiry_seconds / HOUR:g} h).",
        dashboard=REMOTE,
        runbook=Runbook(
            "The manifest in force was signed with an end of validity, which is near or past.",
            "Once it is past, the manifest is refused, and synchronisations fail.",
            (
                ask("How long is it valid?", expiry - NOW),
                search("When was a signature last verified?", lines(config, events.SignatureVerified)),
            ),
            (
                Step("Sign and publish the manifest again with a later `expires_at`."),
                Step("It was published already: see whether synchronisations succeed, OneiricRemoteSyncFailures."),
            ),
        ),
    )
