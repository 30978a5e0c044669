"""Alerts about pauses and drains: whether it is known what is paused, and in force in every replica."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.core import events
from oneiric.monitoring.bundle.alerts.common import (
    DAY,
    LIFECYCLE,
    MINUTE,
    ask,
    ask_which,
    by,
    command,
    growth,
    promql,
    search,
)
from oneiric.monitoring.promql import before, total
from oneiric.monitoring.rules import Alert, Group, Runbook, Step
from oneiric.observability import catalogue

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig
    from oneiric.monitoring.promql import Expr, PromQL


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
        summary="The state of pauses on {{ $labels.instance }} is suspect",
        description="The stored pauses and drains of {{ $labels.instance }} are not what the service wrote. Somebody "
        "must decide which account is right.",
        dashboard=LIFECYCLE,
        runbook=_suspect_runbook(config, noticed, query),
    )


def _suspect_runbook(config: BundleConfig, noticed: Expr, query: PromQL) -> Runbook:
    return Runbook(
        "The file or database that keeps pauses and drains was emptied, deleted, replaced, restored from an old copy, "
        "damaged, or lost rows. The second witness noticed it. A file was moved to quarantine.",
        "What was paused or draining stays so. Work for these components is refused, possibly without need.",
        (
            search(config, "What happened, when, and where is the old file?", events.ActivityStateSuspect),
            ask_which("Did it happen more than once within a day?", growth(config, noticed, DAY, "instance", "reason")),
            search(config, "What was decided the last time, and by whom?", events.ActivityStateRecovered),
            ask("How many components are paused?", query.series(catalogue.PAUSED_COMPONENTS) > 0),
            command("What do the database and the witness say?", "oneiric activity"),
        ),
        (
            command(
                "The earlier pauses are right, as after an accident: keep what the witness knows.",
                "oneiric activity recover --from witness",
            ),
            command(
                "The file is right, as after a backup was restored on purpose: keep what the file holds. This "
                "cannot be undone: note the output of `oneiric activity` first.",
                "oneiric activity recover --from database",
            ),
            Step("Find out what changes the state directory: a clean-up job, a backup, a second volume."),
        ),
        "One suspicion is enough: a component that was paused for a reason must not start by accident. Normal: 0.",
        "Safe once somebody has decided and works on the cause.",
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
        description="{{ $labels.instance }} has not followed the shared database of pauses and drains for "
        f"{minutes:g} minutes.",
        dashboard=LIFECYCLE,
        runbook=Runbook(
            "One replica cannot reach the shared database of pauses and drains, or uses another database.",
            "A component that was paused may still work in this replica; one that was resumed may not.",
            (
                ask("Which revision has each replica read?", revision),
                ask(
                    "Which replicas cannot reach the database?",
                    query.series(catalogue.ACTIVITY_DEGRADED, problem="unwritable").equal(1),
                ),
                search(config, "Which error does the replica report?", events.HookFailed),
                command("Which database does it use?", "oneiric settings show activity"),
                command("Which pauses are in force in this replica?", "oneiric activity"),
            ),
            (
                Step("Stop the replica, or take it out of the load balancer, until it can reach the database."),
                Step("Restore the connection to the database. The replica reconnects by itself and reads everything."),
                Step(
                    "A replica must refuse work rather than do paused work: set `activity.when_unreachable` to "
                    "`refuse`, and restart it. It then refuses all work while the database is unreachable."
                ),
            ),
            "Replicas follow within a second; the delay leaves room for a reconnection. Normal: all have one revision.",
            "Safe while the replica is stopped or gets no requests.",
        ),
    )
