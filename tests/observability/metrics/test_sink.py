"""The Prometheus sink: what is counted, observed, read, folded and forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from support import Clock, Recorder

from oneiric.core import events
from oneiric.core.observers import Observers
from oneiric.observability import events as own
from oneiric.observability.catalogue import CATALOGUE, HEALTH_STATUS
from oneiric.observability.metrics import PrometheusSink
from oneiric.observability.metrics.retired import MAX_RETIRED, RetiredSeries

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oneiric.core.events import Event, State

BUDGET = 20


class States:
    """A source of states that are given, or that cannot be had."""

    def __init__(self, *states: State, error: Exception | None = None) -> None:
        self.given, self.error = states, error

    def states(self) -> Iterable[State]:
        """Return the given states."""
        if self.error is not None:
            raise self.error
        return self.given


class Scraped:
    """A sink behind a seam and a registry, and the samples of a scrape."""

    def __init__(self, *, budget: int = BUDGET) -> None:
        self.observers = Observers()
        self.recorder = Recorder()
        self.observers.add(self.recorder)
        self.sink = PrometheusSink(CATALOGUE, self.observers, version="1.2.3", series_budget=budget)
        self.observers.add(self.sink)
        self.registry = CollectorRegistry()
        self.registry.register(self.sink)

    def value(self, name: str, labels: Mapping[str, str] | None = None) -> float | None:
        """Return the value of one sample, None where there is none."""
        return self.registry.get_sample_value(name, dict(labels or {}))

    def series(self, name: str) -> dict[tuple[str, ...], float]:
        """Return the values of the samples called *name* by their label values."""
        families = self.registry.collect()
        return {tuple(s.labels.values()): s.value for family in families for s in family.samples if s.name == name}


@pytest.fixture
def scraped() -> Scraped:
    """A fresh sink."""
    return Scraped()


def resolved(
    key: str = "cache", provider: str = "redis", duration: float = 0.0002, *, domain: str = "adapter"
) -> Event:
    """Return a resolution of *key*."""
    return events.Resolved(domain=domain, key=key, provider=provider, duration=duration, candidates=2, shadowed=1)


def registered(key: str = "cache", provider: str = "redis", *, domain: str = "adapter") -> Event:
    """Return a registration for *key*."""
    return events.Registered(domain=domain, key=key, provider=provider, origin="manual", priority=0, stack_level=0)


def test_a_resolution_is_counted_and_timed(scraped: Scraped) -> None:
    """A resolution adds one to its counter and one observation to its bucket and every larger one."""
    scraped.observers.notify(resolved())
    labels = {"domain": "adapter", "key": "cache"}
    assert scraped.value("oneiric_resolution_total", {**labels, "provider": "redis"}) == 1.0
    bucket = "oneiric_resolution_duration_seconds_bucket"
    counts = [scraped.value(bucket, {**labels, "le": le}) for le in ("0.0001", "0.00025", "+Inf")]
    assert counts == [0.0, 1.0, 1.0]
    assert scraped.value("oneiric_resolution_duration_seconds_sum", labels) == 0.0002
    assert scraped.value("oneiric_resolution_duration_seconds_count", labels) == 1.0


@pytest.mark.parametrize(("duration", "expected"), [(0.00025, 1.0), (0.00025000001, 0.0)])
def test_a_bucket_includes_its_bound(scraped: Scraped, duration: float, expected: float) -> None:
    """`le` means less than or equal."""
    scraped.observers.notify(resolved(duration=duration))
    labels = {"domain": "adapter", "key": "cache", "le": "0.00025"}
    assert scraped.value("oneiric_resolution_duration_seconds_bucket", labels) == expected


def test_a_failed_swap_is_counted_by_reason(scraped: Scraped) -> None:
    """A failed swap counts as an attempt that failed, under its reason, and its time in milliseconds."""
    clock = Clock()
    scraped.observers.clock = clock
    with scraped.observers.operation(events.Swap(domain="adapter", key="cache")) as running:
        clock.advance(0.03)
        running.fail("health")
    labels = {"domain": "adapter", "key": "cache"}
    assert scraped.series("oneiric_lifecycle_swap_total") == {("adapter", "cache", "failed"): 1.0}
    assert scraped.series("oneiric_lifecycle_swap_failures_total") == {("adapter", "cache", "health"): 1.0}
    assert scraped.value("oneiric_lifecycle_swap_duration_ms_sum", labels) == pytest.approx(30.0)


def test_a_cancelled_swap_is_a_failed_one(scraped: Scraped) -> None:
    """The attempts add up: a cancelled swap is in `failed`, under the reason `cancelled`."""
    with scraped.observers.operation(events.Swap(domain="adapter", key="cache")) as running:
        running.settle("cancelled", "cancelled")
    assert scraped.series("oneiric_lifecycle_swap_total") == {("adapter", "cache", "failed"): 1.0}
    assert scraped.series("oneiric_lifecycle_swap_failures_total") == {("adapter", "cache", "cancelled"): 1.0}


def test_a_counter_can_add_an_amount(scraped: Scraped) -> None:
    """Bytes downloaded add the bytes of the event, artifacts one."""
    scraped.observers.notify(events.ArtifactDownloaded(source="main", bytes=123))
    assert scraped.value("oneiric_remote_artifact_download_bytes_total", {"source": "main"}) == 123.0
    labels = {"source": "main", "result": "downloaded"}
    assert scraped.value("oneiric_remote_artifact_downloads_total", labels) == 1.0


def test_a_registration_starts_its_series_at_zero(scraped: Scraped) -> None:
    """Everything that can be counted of a component is 0, not absent, from its registration on."""
    scraped.observers.notify(registered())
    assert scraped.series("oneiric_resolution_total") == {("adapter", "cache", "redis"): 0.0}
    assert scraped.series("oneiric_lifecycle_health_check_failures_total") == {("adapter", "cache"): 0.0}
    swaps = {("adapter", "cache", "success"): 0.0, ("adapter", "cache", "failed"): 0.0}
    assert scraped.series("oneiric_lifecycle_swap_total") == swaps
    assert scraped.value("oneiric_lifecycle_swap_duration_ms_count", {"domain": "adapter", "key": "cache"}) == 0.0
    pauses = {("adapter", "paused"): 0.0, ("adapter", "resumed"): 0.0}
    assert scraped.series("oneiric_activity_pause_events_total") == pauses
    assert len(scraped.series("oneiric_lifecycle_swap_failures_total")) == 7


def test_a_source_starts_its_series_at_zero(scraped: Scraped) -> None:
    """Everything that can be counted of a remote source is 0 from its configuration on."""
    scraped.observers.notify(events.SourceAdded(source="main"))
    outcomes = {("main", "success"): 0.0, ("main", "failed"): 0.0, ("main", "skipped"): 0.0}
    assert scraped.series("oneiric_remote_sync_total") == outcomes
    assert len(scraped.series("oneiric_remote_sync_failures_total")) == 11


def test_what_has_no_open_label_is_there_from_the_start(scraped: Scraped) -> None:
    """A metric whose label sets are known beforehand is exposed as 0 before anything happened."""
    assert scraped.value("oneiric_remote_digest_checks_total") == 0.0
    assert scraped.series("oneiric_cache_evictions_total") == {("size",): 0.0, ("age",): 0.0, ("request",): 0.0}


def test_series_of_an_unregistered_provider_go_away(scraped: Scraped) -> None:
    """When a provider has no candidate left its series go; those of the key stay until the key has none."""
    scraped.observers.notify(registered(provider="redis"))
    scraped.observers.notify(registered(provider="memory"))
    gone = events.Unregistered(domain="adapter", key="cache", provider="redis", provider_gone=True, key_gone=False)
    scraped.observers.notify(gone)
    assert scraped.series("oneiric_resolution_total") == {("adapter", "cache", "memory"): 0.0}
    assert len(scraped.series("oneiric_lifecycle_swap_total")) == 2


def test_series_of_an_unregistered_key_go_away(scraped: Scraped) -> None:
    """When the last candidate of a key goes, every series of the key goes, and no other key's."""
    scraped.observers.notify(registered())
    scraped.observers.notify(registered(key="queue"))
    gone = events.Unregistered(domain="adapter", key="cache", provider="redis", provider_gone=True, key_gone=True)
    scraped.observers.notify(gone)
    keys = {
        sample.labels["key"]
        for family in scraped.registry.collect()
        for sample in family.samples
        if "key" in sample.labels
    }
    assert keys == {"queue"}


def test_gauges_of_an_unregistered_key_go_away(scraped: Scraped) -> None:
    """A component whose last candidate is gone is not shown, whatever its state still says, until it is back."""
    states = [events.ComponentState(domain="adapter", key=key, provider="redis", healthy=False) for key in ("a", "b")]
    scraped.sink.add_source(States(*states))
    for key in ("a", "b"):
        scraped.observers.notify(registered(key=key))
    gone = events.Unregistered(domain="adapter", key="a", provider="redis", provider_gone=True, key_gone=True)
    scraped.observers.notify(gone)
    assert scraped.series("oneiric_lifecycle_health_status") == {("adapter", "b"): 0.0}
    assert scraped.series("oneiric_lifecycle_active_info") == {("adapter", "b", "redis"): 1.0}
    scraped.observers.notify(registered(key="a"))
    assert len(scraped.series("oneiric_lifecycle_health_status")) == 2


def test_who_serves_is_shown_though_its_candidate_is_gone(scraped: Scraped) -> None:
    """While the key has another candidate, the provider whose instance serves on stays visible."""
    scraped.sink.add_source(States(events.ComponentState(domain="adapter", key="a", provider="redis")))
    gone = events.Unregistered(domain="adapter", key="a", provider="redis", provider_gone=True, key_gone=False)
    scraped.observers.notify(gone)
    assert scraped.series("oneiric_lifecycle_active_info") == {("adapter", "a", "redis"): 1.0}


@pytest.mark.parametrize(("more", "shown"), [(0, 0), (1, 1)])
def test_departures_that_are_remembered_are_bounded(more: int, shown: int) -> None:
    """As many departures as the bound hide their gauges; with one more the oldest shows again."""
    departed = RetiredSeries()
    for number in range(MAX_RETIRED + more):
        departed.add({"domain": "adapter", "key": f"k{number}"})
    assert (not departed.has(HEALTH_STATUS, ("adapter", "k0"))) == bool(shown)
    assert departed.has(HEALTH_STATUS, ("adapter", "k1"))


def test_gauges_are_read_in_the_scrape(scraped: Scraped) -> None:
    """A gauge shows what its source says now, and nothing once the source is gone."""
    component = events.ComponentState(domain="adapter", key="cache", provider="redis", healthy=True, checked_at=5.0)
    source = States(component)
    remove = scraped.sink.add_source(source)
    scraped.sink.add_source(source)
    assert scraped.series("oneiric_lifecycle_active_info") == {("adapter", "cache", "redis"): 1.0}
    assert scraped.series("oneiric_lifecycle_health_status") == {("adapter", "cache"): 1.0}
    source.given = (events.ComponentState(domain="adapter", key="cache", provider="memory", healthy=False),)
    assert scraped.series("oneiric_lifecycle_active_info") == {("adapter", "cache", "memory"): 1.0}
    assert scraped.series("oneiric_lifecycle_health_status") == {("adapter", "cache"): 0.0}
    assert scraped.series("oneiric_lifecycle_last_health_check_timestamp_seconds") == {}
    remove()
    remove()
    assert scraped.series("oneiric_lifecycle_active_info") == {}


def test_a_raising_source_costs_its_own_gauges_only(scraped: Scraped) -> None:
    """One source that cannot be read is counted and reported; everything else is exposed in the same scrape."""
    scraped.sink.add_source(States(error=OSError("disk gone")))
    scraped.sink.add_source(States(events.ActivityCount(domain="task", paused=2, draining=0, oldest_pause=7.0)))
    assert scraped.series("oneiric_activity_paused_components") == {("task",): 2.0}
    failed = own.ScrapeFailed(collector="States", error_type="OSError", error="disk gone")
    assert scraped.recorder.of(own.ScrapeFailed) == [failed]
    assert scraped.series("oneiric_observability_scrape_errors_total") == {("States",): 2.0}


def test_the_budget_is_exact(scraped: Scraped) -> None:
    """As many label sets as the budget are kept; the next one is folded, counted and told of once."""
    for number in range(BUDGET):
        scraped.observers.notify(resolved(key=f"k{number}"))
    assert scraped.recorder.of(own.SeriesFolded) == []
    scraped.observers.notify(resolved(key="one-more"))
    scraped.observers.notify(resolved(key="and-another"))
    series = scraped.series("oneiric_resolution_total")
    assert len(series) == BUDGET + 1
    assert series["_other", "_other", "_other"] == 2.0
    dropped = scraped.series("oneiric_observability_series_dropped_total")
    assert dropped == {("oneiric_resolution_total",): 2.0, ("oneiric_resolution_duration_seconds",): 2.0}
    assert [event.metric for event in scraped.recorder.of(own.SeriesLimitReached)] == [
        "oneiric_resolution_total",
        "oneiric_resolution_duration_seconds",
    ]


def test_folding_keeps_enumerated_labels(scraped: Scraped) -> None:
    """A folded label set keeps its reason; domain, key, provider and source become `_other`."""
    for number in range(BUDGET + 5):
        failed = events.ResolutionFailed(domain="task", key=f"k{number}", reason="no_candidate", duration=0.0)
        scraped.observers.notify(failed)
    series = scraped.series("oneiric_resolution_failures_total")
    assert series["_other", "_other", "no_candidate"] == 5.0


def test_gauges_are_folded_too(scraped: Scraped) -> None:
    """Components over the budget are added up, so that the sum over the metric is that of all of them."""
    many = [events.ComponentState(domain="adapter", key=f"k{n}", provider="p", healthy=True) for n in range(BUDGET + 7)]
    scraped.sink.add_source(States(*many))
    series = scraped.series("oneiric_lifecycle_health_status")
    assert (len(series), sum(series.values()), series["_other", "_other"]) == (BUDGET + 1, BUDGET + 7, 7.0)


def test_domains_count_against_the_budget(scraped: Scraped) -> None:
    """However many domains there are, a metric has no more series than the budget and the folded one."""
    for number in range(3 * BUDGET):
        scraped.observers.notify(registered(domain=f"d{number}"))
        scraped.observers.notify(resolved(domain=f"d{number}"))
    totals = scraped.series("oneiric_resolution_total")
    assert (len(totals), sum(totals.values())) == (BUDGET + 1, 3 * BUDGET)
    assert totals["_other", "_other", "_other"] == 2 * BUDGET
    registrations = scraped.series("oneiric_resolver_registrations_total")
    assert (sum(registrations.values()), registrations["_other", "manual"] > 0) == (3 * BUDGET, True)
    assert len(registrations) <= BUDGET + 4


def test_gauges_of_domains_are_folded(scraped: Scraped) -> None:
    """Over the budget counts add up, and the oldest pause is the oldest that there is, not a sum, nor that of none."""
    many = [
        events.ActivityCount(domain=f"d{n}", paused=1, draining=0, oldest_pause=0.0 if n % 2 else 1000.0 + n)
        for n in range(3 * BUDGET)
    ]
    scraped.sink.add_source(States(*many))
    paused = scraped.series("oneiric_activity_paused_components")
    oldest = scraped.series("oneiric_activity_oldest_pause_timestamp_seconds")
    assert (len(paused), paused["_other",]) == (BUDGET + 1, 2.0 * BUDGET)
    assert oldest["_other",] == 1000.0 + BUDGET + BUDGET % 2


def test_names_of_sinks_and_collectors_count_against_the_budget(scraped: Scraped) -> None:
    """Names that come from outside are folded over the budget; those of our own sinks stay."""
    for number in range(3 * BUDGET):
        scraped.observers.notify(events.HookFailed(sink=f"s{number}", error_type="E", error=""))
        scraped.observers.notify(own.ScrapeFailed(collector=f"c{number}", error_type="E", error=""))
    scraped.observers.notify(events.HookFailed(sink="otlp", error_type="E", error=""))
    hooks = scraped.series("oneiric_observability_hook_errors_total")
    assert (sum(hooks.values()), hooks["_other",] > 0, hooks["otlp",]) == (3 * BUDGET + 1, True, 1.0)
    assert len(hooks) <= BUDGET + 2
    assert len(scraped.series("oneiric_observability_scrape_errors_total")) == BUDGET + 1


def test_known_sinks_keep_their_series_over_any_budget() -> None:
    """A sink of ours has its own series though the budget has no room for it, and only names from outside fold."""
    scraped = Scraped(budget=1)
    for sink in ("s1", "otlp", "push", "s2"):
        scraped.observers.notify(events.HookFailed(sink=sink, error_type="E", error=""))
    hooks = scraped.series("oneiric_observability_hook_errors_total")
    assert hooks == {("prometheus",): 0.0, ("_other",): 2.0, ("otlp",): 1.0, ("push",): 1.0}


def test_gauges_that_stay_folded_are_counted_once(scraped: Scraped) -> None:
    """What is over the budget in scrape after scrape is one report of so many samples, not one a scrape."""
    many = [events.ComponentState(domain="adapter", key=f"k{n}", healthy=True) for n in range(BUDGET + 3)]
    scraped.sink.add_source(States(*many))
    for _ in range(3):
        list(scraped.registry.collect())
    assert scraped.recorder.of(own.SeriesFolded) == [
        own.SeriesFolded(metric="oneiric_lifecycle_health_status", samples=3)
    ]


def test_a_place_that_is_free_again_is_used(scraped: Scraped) -> None:
    """After a key is unregistered another label set has its own series, whatever was folded in between."""
    for number in range(BUDGET + 1):
        scraped.observers.notify(resolved(key=f"k{number}"))
    gone = events.Unregistered(domain="adapter", key="k0", provider="redis", provider_gone=True, key_gone=True)
    scraped.observers.notify(gone)
    scraped.observers.notify(resolved(key="late"))
    series = scraped.series("oneiric_resolution_total")
    assert (series["adapter", "late", "redis"], series["_other", "_other", "_other"]) == (1.0, 1.0)


def test_a_report_from_within_a_report_does_not_hang(scraped: Scraped) -> None:
    """Where the same thread reports while it reports, as a finaliser or a signal handler can, both are counted."""

    class Reporting:
        """A label that reports when it is turned into text, in the middle of a count."""

        def __str__(self) -> str:
            scraped.observers.notify(resolved(key="inner"))
            return "outer"

    scraped.observers.notify(resolved(key=Reporting()))  # type: ignore[arg-type]
    assert {key for _, key, _ in scraped.series("oneiric_resolution_total")} == {"inner", "outer"}


def test_a_label_that_is_no_text_is_made_one(scraped: Scraped) -> None:
    """A value of a wrong type, or half a character, spoils no exposition."""
    scraped.observers.notify(resolved(key=7))  # type: ignore[arg-type]
    scraped.observers.notify(resolved(key="\ud800"))
    assert {key for _, key, _ in scraped.series("oneiric_resolution_total")} == {"7", r"\ud800"}
    assert b'key="7"' in generate_latest(scraped.registry)


@pytest.mark.parametrize("budget", [0, -1])
def test_a_budget_below_one_is_refused(budget: int) -> None:
    """A series budget that holds nothing is a configuration error."""
    with pytest.raises(ValueError, match="series_budget must be at least 1, got"):
        PrometheusSink(CATALOGUE, Observers(), version="1", series_budget=budget)


@settings(deadline=None)
@given(
    budget=strategies.integers(1, 6),
    told=strategies.lists(
        strategies.tuples(strategies.sampled_from("abcdefgh"), strategies.sampled_from(["p", "q"])), max_size=60
    ),
)
def test_totals_stay_exact_whatever_is_folded(budget: int, told: list[tuple[str, str]]) -> None:
    """The sum over a metric's series is the number of events, with any budget."""
    scraped = Scraped(budget=budget)
    for key, provider in told:
        scraped.observers.notify(resolved(key=key, provider=provider))
    series = scraped.series("oneiric_resolution_total")
    assert sum(series.values()) == len(told)
    assert len(series) <= budget + 1


@settings(deadline=None)
@given(strategies.text(strategies.characters(exclude_categories=["Cs", "Cc"]), max_size=40))
def test_labels_round_trip_through_the_reference_parser(key: str) -> None:
    """Whatever stands in a key, the reference parsers of both formats read it back."""
    scraped = Scraped()
    scraped.observers.notify(resolved(key=key))
    wanted = {"domain": "adapter", "key": key, "provider": "redis"}
    openmetrics = parse_openmetrics(generate_openmetrics(scraped.registry).decode())
    text = parse_text(generate_latest(scraped.registry).decode())
    for families in (openmetrics, text):
        samples = [s for family in families for s in family.samples if s.name == "oneiric_resolution_total"]
        assert [sample.labels for sample in samples] == [wanted]


def test_no_created_series(scraped: Scraped) -> None:
    """The exposition has no `_created` samples in either format."""
    scraped.observers.notify(resolved())
    assert b"_created" not in generate_openmetrics(scraped.registry) + generate_latest(scraped.registry)


def test_a_registry_refuses_names_it_already_has(scraped: Scraped) -> None:
    """Registering the same metrics twice in one registry is an error at registration, not in a scrape."""
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        scraped.registry.register(PrometheusSink(CATALOGUE, Observers(), version="1"))


def test_the_scrape_measures_itself() -> None:
    """From the second scrape on the duration of the one before is exposed."""
    clock = Clock()
    sink = PrometheusSink(CATALOGUE, Observers(), version="1", clock=clock)

    class Slow(States):
        def states(self) -> Iterable[State]:
            clock.advance(0.25)
            return ()

    sink.add_source(Slow())
    registry = CollectorRegistry()
    registry.register(sink)
    name = "oneiric_observability_scrape_duration_seconds"
    assert [registry.get_sample_value(name), registry.get_sample_value(name)] == [None, 0.25]


def test_the_build_is_shown(scraped: Scraped) -> None:
    """The version that runs is exposed as the labels of a sample of 1."""
    (labels,) = scraped.series("oneiric_build_info")
    assert labels[0] == "1.2.3"
