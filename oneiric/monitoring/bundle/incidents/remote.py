"""The runbooks of remote sources and their cache."""

from __future__ import annotations

from oneiric.core import events
from oneiric.monitoring.bundle.incidents.model import Action, Incident, Remedy

SYNCHRONISATION = Incident(
    title="Remote sync failures",
    alerts=("OneiricRemoteSyncFailures", "OneiricRemoteSyncStale", "OneiricSyncBudgetBurn1h"),
    scenario="remote-sync-failures",
    impact="Users keep the providers that were loaded before. New or withdrawn providers do not arrive.",
    first=(
        Action(
            "Since when does it fail, and why?",
            "oneiric remote-status",
            "...\nLast failure: <time> (<number> in a row)\nLast error: <words>\n...",
            then=(
                ("`signature` or `digest` is in the error", "somebody may have tampered: change nothing, and go to C"),
                ("anything else", "users are not affected; go on with the diagnosis"),
            ),
        ),
        Action("Publish no further manifest until the cause is known."),
    ),
    diagnosis=(
        Action(
            "What kind of failure is it?",
            'oneiric metrics oneiric_remote_sync_failures_total | grep "source=" | grep -v " 0.0"',
            '...\noneiric_remote_sync_failures_total{source="drill",reason="network"} <number>\n...',
            then=(
                ("`network`, `timeout`", "A"),
                ("`http_status`", "B"),
                ("`signature`, `replay`, `expired`, `digest`", "C"),
                ("`parse`", "D"),
            ),
        ),
        Action(
            "What error does each attempt report?",
            "oneiric logs --event remote-sync-error --since 10m --lines 1",
            "<time> error remote-sync-error source=drill <words>",
            event=(events.RemoteSync, "failed"),
        ),
        Action(
            "Which address, and which interval?",
            "oneiric settings show remote",
            "remote.name = <name>\n...\nremote.refresh_interval = <seconds>\n...",
        ),
    ),
    remedies=(
        Remedy(
            "The manifest server cannot be reached",
            (
                Action(
                    "From this host, check DNS, the firewall and the server: `curl -sSI` with the address of step 3."
                ),
                Action(
                    "Restore the connection. After `circuit_breaker_reset` seconds the service tries again by itself."
                ),
            ),
        ),
        Remedy(
            "The server refuses the request",
            (
                Action(
                    "Correct `remote.manifest_url` or its credentials, and save the settings; they are read by "
                    "themselves."
                ),
            ),
        ),
        Remedy(
            "What was published is not what was signed",
            (
                Action("Keep the evidence first: copy the log, the manifest and the artifacts aside."),
                Action("Sign the manifest again with the release tooling, and publish it with its artifacts."),
            ),
        ),
        Remedy("The manifest is malformed", (Action("Publish it again with the release tooling."),)),
    ),
    verification=(
        Action(
            "The last attempt succeeded.",
            "oneiric remote-status",
            "...\nLast failure: <words> (0 in a row)\n...",
        ),
        Action("The alert resolves at the next successful synchronisation."),
    ),
    minutes=60,
    record=("the source and the error", "how long the providers were out of date", "what was changed last"),
    prevention=(
        "Monitor the manifest server itself.",
        "Publish with the release tooling only, so that manifest and artifacts always match.",
    ),
)

CACHE = Incident(
    title="Cache corruption",
    alerts=("OneiricDigestMismatch",),
    scenario="cache-corruption",
    impact="A damaged artifact is refused, never used. Users keep the providers that were loaded before.",
    first=(
        Action(
            "Which artifact of which source does not match?",
            "oneiric logs --event artifact-digest-mismatch --since 10m --lines 1",
            "<time> error artifact-digest-mismatch source=drill <words>",
            event=(events.DigestMismatched, None),
            then=(("Other hosts report the same artifact", "this can be an attack: go to C"),),
        ),
    ),
    diagnosis=(
        Action(
            "How large is the cache, and what is in it?",
            "oneiric cache status",
            "<directory>: <number> artifacts, <size> of <limit>\n...",
        ),
        Action(
            "Is there room on the disk?",
            "df -h .",
            "Filesystem<words>\n...",
            then=(("`Use%` is 100%", "A"), ("There is room", "B")),
        ),
    ),
    remedies=(
        Remedy(
            "The disk is full",
            (
                Action(
                    "See what can be removed, then remove it. State and active artifacts stay.",
                    "oneiric cache clean --all --dry-run && oneiric cache clean --all",
                    "Would remove <words>\nRemoved <words>",
                    undo="not needed: what is needed later is downloaded again.",
                ),
            ),
        ),
        Remedy(
            "Files of the cache are damaged",
            (
                Action("Find out what writes to the cache directory or damages its disk, and stop it."),
                Action("The next synchronisation downloads each damaged artifact again and compares it."),
            ),
        ),
        Remedy(
            "The artifact is wrong on every host",
            (
                Action("Keep the evidence first: copy the artifact, the manifest and the log aside."),
                Action("Treat the manifest server as compromised until the release team has said who changed what."),
            ),
        ),
    ),
    verification=(
        Action(
            "Nothing is counted any more: run this twice, a minute apart.",
            'oneiric metrics oneiric_remote_digest_mismatches_total | grep "source="',
            '...\noneiric_remote_digest_mismatches_total{source="drill"} <number>\n...',
        ),
        Action("The alert resolves within fifteen minutes."),
    ),
    minutes=60,
    record=("the artifact and its two digests", "which hosts are affected", "the state of the disk"),
    prevention=("Give the cache a file system of its own.", "Let nothing but the service write to it."),
)
