"""Alerts about remote manifests and artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.core import events
from oneiric.monitoring.bundle.alerts.common import (
    HOUR,
    MINUTE,
    REMOTE,
    ask,
    ask_which,
    command,
    growth,
    promql,
    search,
)
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
        description="The last {{ $value }} synchronisations of {{ $labels.instance }} with {{ $labels.source }} failed "
        f"(threshold {config.sync_consecutive_failures}).",
        inhibits=("OneiricRemoteSyncStale",),
        dashboard=REMOTE,
        runbook=Runbook(
            "The manifest of this source cannot be fetched, verified or applied.",
            "Users keep the providers that were loaded before. New or withdrawn providers do not arrive.",
            (
                ask_which("Why do they fail?", reasons),
                ask(
                    "Is the circuit open (1)? Then no attempt is made until it closes.",
                    query.series(catalogue.CIRCUIT_OPEN),
                ),
                search(config, "What error does each attempt report?", events.RemoteSync, "failed"),
            ),
            (
                Step("`network`, `timeout`: check DNS, the firewall and the manifest server from this host."),
                Step("`http_status`: fix `remote.manifest_url` or its credentials, or restore the manifest server."),
                Step("`signature`, `expired`, `replay`: sign the manifest again. Go to OneiricSignatureInvalid."),
                Step("`digest`, `too_large`, `path`: an artifact is wrong. Go to OneiricDigestMismatch."),
                Step("`parse`: the manifest is malformed. Publish it again with the release tooling."),
                command("Once the cause is fixed, synchronise at once.", "oneiric remote-sync"),
            ),
            "One failed attempt is retried and needs nobody. The threshold is the setting "
            "`sync_consecutive_failures`. Normal: zero.",
            "Safe during maintenance of the manifest server, as long as the manifest in force has not expired.",
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
        description="{{ $labels.instance }} last synchronised with {{ $labels.source }} "
        f"{{{{ $value | humanizeDuration }}}} ago (more than {config.sync_stale_intervals:g} intervals).",
        dashboard=REMOTE,
        runbook=Runbook(
            "Several synchronisations in a row were missed or failed.",
            "Users get providers of this source that may be out of date.",
            (
                ask("How many seconds ago was the last attempt?", NOW - query.series(catalogue.LAST_ATTEMPT)),
                ask("What is the interval, in seconds?", query.series(catalogue.SYNC_INTERVAL)),
                ask("Is the refresh loop running (1)?", query.series(catalogue.LOOP_RUNNING)),
                search(config, "Do attempts fail?", events.RemoteSync, "failed"),
            ),
            (
                Step("Attempts fail: go to OneiricRemoteSyncFailures."),
                Step("There are no attempts: go to OneiricRemoteSyncLoopDead."),
                Step("A synchronisation takes longer than its interval: raise `remote.refresh_interval`, then reload."),
            ),
            "Several intervals leave room for retries. The threshold is the setting `sync_stale_intervals`. Normal: "
            "less than two intervals.",
            "Safe while the manifest in force has not expired and no rollout is planned.",
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
        summary="The refresh loop of source {{ $labels.source }} has stopped",
        description="The loop that refreshes {{ $labels.source }} on {{ $labels.instance }} has not been running for "
        f"{config.seconds(MINUTE):g} s.",
        inhibits=("OneiricRemoteSyncStale",),
        dashboard=REMOTE,
        runbook=Runbook(
            "The task that synchronises this source ended, or was never started.",
            "Users keep the providers that were loaded before. No update arrives, and no failure is counted.",
            (
                ask("How many seconds ago was the last attempt?", NOW - query.series(catalogue.LAST_ATTEMPT)),
                search(config, "When did a synchronisation last succeed?", events.RemoteSync, "success"),
                search(config, "Did the last attempts fail?", events.RemoteSync, "failed"),
                search(
                    config, "Which synchronisation has begun and not ended? (level debug)", events.RemoteSync, "started"
                ),
            ),
            (
                Step("The application stopped the loop: start it again, or remove the source from the settings."),
                command("Synchronise by hand until then.", "oneiric remote-sync"),
                Step("The loop ended by itself: that is a defect. Save the log, then restart the service."),
            ),
            "A loop that should run is running at all times; a minute leaves room for a restart. Normal: 1.",
            "Not safe: without the loop nothing else reports that updates stopped.",
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
        description="An artifact of {{ $labels.source }} on {{ $labels.instance }} had a SHA-256 digest other than the "
        f"one in its manifest, within the last {config.window(WINDOW)}.",
        dashboard=REMOTE,
        runbook=Runbook(
            "The bytes received are not the bytes that were signed. The artifact was damaged in transit, replaced, or "
            "published wrongly. This can be an attack.",
            "The artifact is refused. Users keep the providers that were loaded before.",
            (
                ask("How many artifacts were compared?", query.increase(catalogue.DIGEST_CHECKS, window)),
                search(config, "Which artifact?", events.DigestMismatched),
                search(config, "What else was downloaded from there?", events.ArtifactDownloaded),
                command("Download the artifact on another host, and compare its digest.", "sha256sum ARTIFACT"),
            ),
            (
                Step(
                    "The digest is wrong on every host: find out who changed the artifact before anything else. Then "
                    "publish the artifact and its manifest again."
                ),
                Step("The digest is wrong on this host only: something in between changes it, a proxy for example."),
                command(
                    "Only the cached file is damaged: copy it aside as evidence, then remove it. The next "
                    "synchronisation downloads it again.",
                    "oneiric cache status",
                ),
            ),
            "A single mismatch can be an attack, so that one is enough. Normal: none.",
            "Not safe until the cause is known.",
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
        summary="The manifest of source {{ $labels.source }} has no valid signature",
        description="A manifest of {{ $labels.source }} was refused on {{ $labels.instance }} within the last "
        f"{config.window(WINDOW)}: no trusted key signed it.",
        dashboard=REMOTE,
        runbook=Runbook(
            "The manifest was changed after it was signed, or signed with a key that is not trusted here. This can be "
            "an attack.",
            "The manifest is refused. Users keep the providers that were loaded before.",
            (
                ask_which(
                    "What were the results of the verifications?",
                    growth(config, query.series(catalogue.SIGNATURES), WINDOW, "source", "result"),
                ),
                search(config, "Which key was claimed?", events.SignatureInvalid),
            ),
            (
                Step("The key was rotated: add the new public key to the trusted keys, then sign with it alone."),
                Step("The manifest was edited after it was signed: sign it again with the release tooling."),
                Step("Neither is the case: treat the manifest server as compromised."),
            ),
            "A single invalid signature can be an attack, so that one is enough. Normal: none.",
            "Not safe until the cause is known; safe during a planned rotation of keys.",
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
        description="The manifest of {{ $labels.source }} on {{ $labels.instance }} "
        "{{ if gt $value 0.0 }}expires in {{ $value | humanizeDuration }}{{ else }}has expired{{ end }} "
        f"(threshold {config.manifest_expiry_seconds / HOUR:g} h).",
        dashboard=REMOTE,
        runbook=Runbook(
            "The manifest in force is valid until a fixed time, which is near or past.",
            "Nothing yet. Once it has expired, synchronisations fail and no update arrives.",
            (
                ask("For how many more seconds is it valid?", expiry - NOW),
                search(config, "When was a signature last verified?", events.SignatureVerified),
            ),
            (
                Step("Sign and publish the manifest again with a later `expires_at`."),
                command(
                    "A new manifest is already published: synchronise now. If that fails, go to "
                    "OneiricRemoteSyncFailures.",
                    "oneiric remote-sync",
                ),
            ),
            "The threshold is the setting `manifest_expiry_seconds`: long enough to publish on the next working day. "
            "Normal: manifests are replaced well before.",
            "Safe until the day of the expiry, if a new manifest is planned before it.",
        ),
    )
