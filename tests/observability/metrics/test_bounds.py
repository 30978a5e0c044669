"""Series, labels and memory stay within their bounds, whatever is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies
from processes import run_program

from oneiric.core import events
from oneiric.core.observers import Observers
from oneiric.core.resolution import Candidate, Resolver
from oneiric.observability import attach
from oneiric.observability.exposition import text_of
from oneiric.observability.metrics.labels import MAX_LABEL_CHARS, fit_labels

MIB = 1 << 20


class Unprintable:
    """A value that cannot be printed."""

    def __str__(self) -> str:
        """Raise."""
        raise RuntimeError("no")


class Unhashable:
    """A value that cannot be looked up."""

    def __hash__(self) -> int:
        """Raise."""
        raise RuntimeError("no")

    def __str__(self) -> str:
        """Return a text."""
        return "unhashable"


def resolved(key: Any) -> events.Resolved:
    """Return a resolution of *key*."""
    return events.Resolved(domain="adapter", key=key, provider="p", duration=0.001, candidates=1, shadowed=0)


@pytest.mark.slow
def test_a_million_label_sets_cost_little() -> None:
    """1,000,000 label sets take at most 10 MiB, and the totals stay exact."""
    ended = run_program("million_labels.py", timeout=600)
    assert ended.returncode == 0, ended.stderr[-1000:]
    grown, resolutions, timed, dropped = map(float, ended.stdout.split())
    assert grown <= 10 * MIB
    assert (resolutions, timed, dropped) == (1_000_000, 1_000_000, 2 * 998_000)


def test_repeated_resolutions_of_what_is_over_the_budget_are_counted() -> None:
    """A component that has no series of its own is resolved again and again: all of it is in the folded series."""
    resolver = Resolver()
    telemetry = attach(resolver, series_budget=2)
    for number in range(5):
        resolver.register(Candidate(domain="adapter", key=f"key-{number}", provider="p", factory=dict))
    for number in range(5):
        for _ in range(1_000):
            resolver.resolve("adapter", f"key-{number}")
    samples = telemetry.samples()["oneiric_resolution_total"]
    assert sorted(value for _, value in samples) == [1_000, 1_000, 3_000]
    telemetry.detach()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "None"),
        (7, "7"),
        (Unprintable(), "<unprintable Unprintable: RuntimeError>"),
        (Unhashable(), "unhashable"),
        (["list"], "['list']"),
        ("nul\0", r"nul\x00"),
        ("half\ud800", r"half\ud800"),
        ("tab\tline\n", "tab\tline\n"),
        ("x" * MIB, "x" * (MAX_LABEL_CHARS - 1) + "…"),
        ("x" * MAX_LABEL_CHARS, "x" * MAX_LABEL_CHARS),
        ("x" * (MAX_LABEL_CHARS + 1), "x" * (MAX_LABEL_CHARS - 1) + "…"),
    ],
)
def test_an_odd_label_is_made_printable_and_bounded(value: object, expected: str) -> None:
    """Whatever is given for a label, it is counted, under a text that any scraper reads."""
    observers = Observers()
    telemetry = attach(observers)
    for _ in range(2):
        observers.notify(resolved(value))
    samples = telemetry.samples()["oneiric_resolution_total"]
    assert [(labels["key"], counted) for labels, counted in samples] == [(expected, 2.0)]
    text_of(telemetry.collector.collect(), openmetrics=True)
    telemetry.detach()


@given(strategies.text() | strategies.binary() | strategies.floats() | strategies.text(min_size=1000, max_size=1100))
def test_a_fitted_label_is_fit(value: object) -> None:
    """What was made fit is text, not too long, can be encoded, and stays as it is when it is made fit again."""
    (fitted,) = fit_labels((value,))
    assert len(fitted) <= MAX_LABEL_CHARS
    assert fitted.encode().decode() == fitted
    assert fit_labels((fitted,)) == (fitted,)


def test_an_unregistered_component_leaves_nothing() -> None:
    """Neither a series nor anything kept for it outlives a component, and one that comes again starts from zero."""
    resolver = Resolver()
    telemetry = attach(resolver)
    resolver.resolve("adapter", "nobody")
    expected = {name: [labels for labels, _ in found] for name, found in telemetry.samples().items()}

    def come_and_go() -> None:
        resolver.register(Candidate(domain="adapter", key="cache", provider="p", factory=dict))
        for _ in range(300):
            resolver.resolve("adapter", "cache")
        assert ({"domain": "adapter", "key": "cache", "provider": "p"}, 300.0) in telemetry.samples()[
            "oneiric_resolution_total"
        ]
        resolver.unregister("adapter", "cache")

    come_and_go()
    gone = telemetry.samples()
    assert not [found for samples in gone.values() for found, _ in samples if found.get("key") == "cache"]
    come_and_go()
    assert {name: len(labels) for name, labels in expected.items() if name.startswith("oneiric_resolution")} == {
        name: len(labels) for name, labels in telemetry.samples().items() if name.startswith("oneiric_resolution")
    }
    telemetry.detach()


def test_a_provider_swapped_out_leaves_its_key_counting() -> None:
    """When one provider of a key goes, what the other one resolves is counted on, without a gap."""
    resolver = Resolver()
    telemetry = attach(resolver)
    for provider in ("old", "new"):
        resolver.register(Candidate(domain="adapter", key="cache", provider=provider, factory=dict))
    for _ in range(10):
        resolver.resolve("adapter", "cache")
        resolver.resolve("adapter", "cache", "old")
    resolver.unregister("adapter", "cache", "old")
    for _ in range(10):
        resolver.resolve("adapter", "cache")
    samples = telemetry.samples()
    assert [(labels["provider"], value) for labels, value in samples["oneiric_resolution_total"]] == [("new", 20.0)]
    assert [value for _, value in samples["oneiric_resolution_duration_seconds_count"]] == [30.0]
    telemetry.detach()
