"""What happens to a service, and which alerts are due: ordinary days on which nobody may be called, and faults.

Each story is a whole job of many instances, called after what happens to them. All that fires at any time of it, at the
bundle's own settings, is what the story says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from operations import (
    BLIND,
    DOWN,
    GONE,
    LONG_AGO,
    REMOTE,
    WELL,
    WORK,
    busy,
    grown,
    instance,
    instance_of,
    scraped,
    selector,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from operations import Series, Values

CALM = 80
"""Samples in which nothing happens, longer than what most alerts look back: what was before them does not count."""
N = 160


@dataclass(frozen=True)
class Story:
    """What happens to a job.

    Attributes:
        series: The values of each series, by selector.
        fires: The alerts that fire at some time, each with its instance, or "" where it has none.
        settings: Settings of the bundle.
        interval: Seconds between samples, and between evaluations.
        calm: Samples at the beginning in which it does not matter what fires.
    """

    series: Mapping[str, str]
    fires: frozenset[tuple[str, str]] = frozenset()
    settings: tuple[str, ...] = ()
    interval: int = 15
    calm: int = CALM - 10


def _restarted(at: int) -> dict[str, Values | None]:
    """Return the counts of faults long ago, of a process that is succeeded by another one at sample *at*."""
    return {
        **{word: [value] * at + [0] * (N - at) for word, value in LONG_AGO.items()},
        "swaps": [9] * at + [1] * (N - at),
        "quick_swaps": [8] * at + [1] * (N - at),
    }


def _rolling(count: int) -> Series:
    """Return instances that are replaced one after another by others under new names, as pods are."""
    series: Series = {}
    for number in range(count):
        turn = CALM + 10 * number
        series |= instance(WELL * turn + DOWN * 2 + GONE * (N - turn - 2), f"old {number}", **LONG_AGO)
        series |= instance(GONE * (turn - 4) + DOWN * 2 + WELL * (N - turn + 2), f"new {number}", **_restarted(0))
    return series


def _scaled(count: int) -> Series:
    """Return instances that go and come back after a while."""
    life = WELL * CALM + GONE * 30 + WELL * (N - CALM - 30)
    return {
        name: values
        for number in range(count)
        for name, values in instance(life, f"scaled {number}", **_restarted(CALM + 30)).items()
    }


def _once(*words: str, at: int = CALM, start: float = 0) -> dict[str, Values | None]:
    return {word: grown(N, {at: 1}, start=start) for word in words}


def _strangers(count: int) -> Series:
    """Return failures of keys that nobody ever had, thirty a minute, each of them once."""
    target = {"job": "oneiric", "instance": "digest", "domain": "task", "reason": "no_candidate"}
    series: Series = {}
    for number in range(count):
        born = CALM + number // 8
        name = selector("oneiric_resolution_failures_total", target | {"key": f"user-{number}"})
        series[name] = scraped(GONE * born + WELL * (N - born), 1)
    return series


def _ordinary() -> Series:
    missed = WELL * CALM + DOWN * 2 + WELL * (N - CALM - 2)
    turns = [sample - sample % 20 for sample in range(N)]
    single = _once("scrape_errors", "unresolved", "failed_swaps", "rollbacks", "failed_checks", "failed_syncs")
    slow = _once("swaps", "quick_swaps", start=1)
    return {
        **instance(missed, "restarted", **_restarted(CALM + 2)),
        **instance(WELL * N, "restarted between scrapes", **_restarted(CALM)),
        **instance(missed, "missed twice", **LONG_AGO),
        **_rolling(2),
        **_scaled(2),
        **instance(
            GONE * CALM + WELL * (N - CALM), "first", **dict.fromkeys((*REMOTE, "healthy")), **dict.fromkeys(WORK, 0)
        ),
        **instance(
            GONE * CALM + WELL * (N - CALM),
            "first synchronisation after a night takes two minutes",
            interval=100,
            synced_at=[1 if sample < CALM + 8 else sample * 15 for sample in range(N)],
        ),
        **instance(WELL * N, "disabled", syncs=0, synced_at=None, expires=None, interval=0, loop=0),
        **instance(WELL * N, "fails once", **single, failures=[int(CALM <= s < CALM + 20) for s in range(N)]),
        **instance(WELL * N, "swaps in 29 seconds", **slow),
        **instance(WELL * N, "nearly nearly full", cached=79, disk_left=210),
        **instance(WELL * N, "paused", paused_since=[0] * 20 + [300] * (N - 20)),
        **instance(WELL * N, "slow clock", synced_at=[max(turn * 15 - 30, 1) for turn in turns]),
        **instance(WELL * N, "fast clock", synced_at=[turn * 15 + 30 for turn in turns]),
        **instance_of(
            "other",
            WELL * CALM + DOWN * 20 + WELL * (N - CALM - 20),
            "disabled",
            build=None,
            mismatches=grown(N, {CALM: 1}),
            **dict.fromkeys(("unresolved", "failed_swaps", "failed_checks", "failed_syncs"), busy(N, 50)),
        ),
    }


def _at_once() -> dict[str, Values | None]:
    """Return the counts of a process to which all of it happened before it was scraped."""
    words = ("mismatches", "invalid", "swaps", "hook_errors", "dropped", "suppressed")
    return {**dict.fromkeys(words, 1), "quick_swaps": 0, "rollbacks": 3}


def _faults() -> Series:
    up = selector("up", {"job": "oneiric", "instance": "no metrics"})
    return {
        **instance(GONE * CALM + WELL * (N - CALM), "at once", **_at_once()),
        **instance(WELL * N, "digest", **_once("mismatches")),
        **instance(WELL * N, "signature", **_once("invalid")),
        **instance(WELL * N, "no loop", loop=[1] * CALM + [0] * (N - CALM)),
        **instance(WELL * N, "well by turns", healthy=[s < CALM or s % 8 < 4 for s in range(N)]),
        **instance(WELL * N, "unreadable", scrape_errors=grown(N, dict.fromkeys(range(CALM, N), 1))),
        **instance(WELL * N, "unwell", healthy=[1] * CALM + [0] * (N - CALM)),
        **instance(WELL * CALM + (DOWN * 4 + WELL * 4) * ((N - CALM) // 8), "comes and goes"),
        **instance(WELL * CALM + DOWN * (N - CALM - 70) + WELL * 70, "cut off", **LONG_AGO),
        **instance(WELL * N, "expired", expires=1, syncs=0, synced_at=None, failures=3),
        **_strangers(100),
        up: scraped(WELL * N, 1),
    }


def _due(instance_: str, *names: str) -> set[tuple[str, str]]:
    return {(f"Oneiric{name}", instance_) for name in names}


STORIES: dict[str, Story] = {
    "an ordinary day": Story(_ordinary()),
    "three minutes without Prometheus": Story(
        {
            **instance(WELL * CALM + BLIND * 12 + WELL * (N - CALM - 12), "quiet", **LONG_AGO),
            **instance(
                WELL * CALM + BLIND * 12 + WELL * (N - CALM - 12),
                "faulty",
                **_once("mismatches", "invalid", at=CALM + 5),
                **_once("swaps", at=CALM + 5, start=1),
            ),
        },
        frozenset(_due("faulty", "DigestMismatch", "SignatureInvalid", "SwapSlow")),
    ),
    "scrapes a minute apart": Story(
        instance(WELL * CALM + DOWN * 2 + WELL * (N - CALM - 2), "missed twice", interval=0, **LONG_AGO),
        settings=("scrape_interval_seconds=60", "evaluation_interval_seconds=60"),
        interval=60,
    ),
    "one synchronisation of a few": Story(
        {
            selector("oneiric_remote_sync_total", {"job": "oneiric", "instance": "a", "source": "shop"} | outcome): (
                scraped(WELL * N, values)
            )
            for outcome, values in (
                ({"outcome": "success"}, grown(N, dict.fromkeys(range(2, N, 2), 1))),
                ({"outcome": "failed"}, grown(N, {CALM: 1})),
            )
        }
        | {selector("up", {"job": "oneiric", "instance": "a"}): scraped(WELL * N, 1)}
        | {selector("oneiric_build_info", {"job": "oneiric", "instance": "a"}): scraped(WELL * N, 1)},
        interval=900,
        settings=("scrape_interval_seconds=60", "evaluation_interval_seconds=60"),
    ),
    "faults of single instances": Story(
        _faults(),
        frozenset(
            {
                *_due("at once", "DigestMismatch", "SignatureInvalid", "SwapSlow"),
                *_due("at once", "HookErrors", "SeriesDropped", "LogEventsSuppressed"),
                *_due("digest", "DigestMismatch"),
                *_due("signature", "SignatureInvalid"),
                *_due("no loop", "RemoteSyncLoopDead"),
                *_due("unwell", "ComponentUnhealthy"),
                *_due("well by turns", "ComponentUnhealthy"),
                *_due("unreadable", "HookErrors"),
                *_due("comes and goes", "TargetDown"),
                *_due("cut off", "TargetDown"),
                *_due("expired", "ManifestExpiring", "RemoteSyncFailures"),
                *_due("no metrics", "MetricsMissing"),
                *_due("", "RollbackBurst", "ResolutionFailures"),
            }
        ),
    ),
    "the last target is gone": Story(
        instance(WELL * CALM + GONE * (N - CALM), "last") | instance_of("other", WELL * N, "a:9464"),
        frozenset(_due("", "MetricsMissing")),
    ),
}
"""Every story, by what happens."""
