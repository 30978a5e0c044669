"""Alerts about pauses and drains: whether it is known what is paused, and in force in every replica."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.core import events
from oneiric.monitoring.bundle.alerts.common import DAY, LIFECYCLE, MINUTE, ask, ask_which, by, growth, promql, search
from oneiric.monitoring.logql import lines
from oneiric.monitoring.promql import before, total
from oneiric.monitoring.rules import Alert, Group, Runbook, Step
from oneiric.observability import catalogue

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig


def activity(config: BundleConfig) -> Group:
    """Return the alerts on the state of pauses and drains."""
    return Group("oneiric-activity", (_suspect(config), _lags(config)))


def _suspect(config: BundleConfig) -> Alert:
    query = promql(config)
    noticed = query.series(catalogue.ACTIVITY_SUSPICIONS)
    return Alert(
        "OneiricActivityStateSuspect",
        severity="critical",
        team="platform",
        expr=query.series(catalogue.ACTIVITY_SUSPECT).equal(1),
        hold=0,
        summary="It is not certain on {{ $labels.instance }} what is paused",
        description="On {{ $labels.instance }} the file of pauses and drains is not the one that it was. Everything "
        "that was known to be paused or draining stays so until somebody decides.",
        dashboard=LIFECYCLE,
        runbook=Runbook(
            "The file that keeps pauses and drains was emptied, deleted, replaced, restored from an old copy, damaged, "
            "or lost rows. The second witness noticed, and the file was moved aside.",
            "No paused component has been resumed; some may be paused that were not.",
            (
                search("What happened, when, and where is the old file?", lines(config, events.ActivityStateSuspect)),
                ask_which(
                    "Did it happen more than once within a day?", growth(config, noticed, DAY, "instance", "reason")
                ),
                search("Who decided what, the last time?", lines(config, events.ActivityStateRecovered)),
                ask("How much is held back?", query.series(catalogue.PAUSED_COMPONENTS) > 0),
                Step("What do the two accounts say?", "oneiric activity", "bash"),
            ),
            (
                Step(
                    "The pauses of before are right, as after an accident: keep what the witness knows.",
                    "oneiric activity recover --from witness",
                    "bash",
                ),
                Step(
                    "The file is right, as after a backup was restored on purpose: keep what it holds.",
                    "oneiric activity recover --from database",
                    "bash",
                ),
                Step("Find out who touches the state directory: a clean-up, a backup, a second volume."),
            ),
        ),
    )


def _lags(config: BundleConfig) -> Alert:
    query = promql(config)
    revision = query.series(catalogue.ACTIVITY_REVISION)
    minutes = (config.window_seconds(MINUTE) + config.seconds(MINUTE)) / MINUTE
    newest = total(before(config.window(MINUTE), revision), by=by(config), operator="max")
    return Alert(
        "OneiricReplicaLags",
        severity="critical",
        team="platform",
        expr=revision.matched("<", newest, on=by(config), several=True),
        hold=MINUTE,
        summary="{{ $labels.instance }} does not know the latest pauses",
        description="{{ $labels.instance }} has not followed the database of pauses that the replicas share for "
        f"{minutes:g} minutes: what was paused since then may still be given work there.",
        dashboard=LIFECYCLE,
        runbook=Runbook(
            "One replica has lost the database of pauses and drains, or reads another one than the others do.",
            "A component that somebody paused still works in this replica, or one that was resumed does not.",
            (
                ask("How far is each replica?", revision),
                ask(
                    "Which replicas cannot reach the database?",
                    query.series(catalogue.ACTIVITY_DEGRADED, problem="unwritable").equal(1),
                ),
                search("What does the replica say of it?", lines(config, events.HookFailed)),
                Step("Which database does it use?", "oneiric settings show activity", "bash"),
                Step("Which pauses are in force in the replica?", "oneiric activity", "bash"),
            ),
            (
                Step("Mend the way to the database: the replica connects by itself and then knows everything."),
                Step("Until then take the replica out of the load balancer, or stop it."),
                Step(
                    "If it must rather refuse work than do too much, set `activity.when_unreachable` to `refuse`, and "
                    "restart it: it holds everything back while the database is away."
                ),
            ),
        ),
    )
