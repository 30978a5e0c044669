"""A failing collector and the others."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry, Gauge, Metric
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar, Sample

from oneiric.observability.events import ScrapeFailed
from oneiric.observability.exposition import Exposition, IsolatedCollector, own_registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from support import Recorder

    from oneiric.core.observers import Observers


def good() -> GaugeMetricFamily:
    """Return a family that can be rendered."""
    return GaugeMetricFamily("good", "Good.", value=1)


def labelled(value: Any, *, label: str = "b", number: Any = 1) -> GaugeMetricFamily:
    """Return a family with one sample."""
    family = GaugeMetricFamily("labelled", "Labelled.", labels=["a"])
    family.add_sample("labelled", {label: value}, number)
    return family


class Yielding(Collector):
    """A collector that yields what it was given, and raises where that is an error."""

    def __init__(self, *families: Any) -> None:
        self.families = families

    def collect(self) -> Iterator[Metric]:
        """Yield or raise."""
        for family in self.families:
            if isinstance(family, Exception):
                raise family
            yield family


class Unstartable(Collector):
    """A collector that raises before there is anything to iterate over."""

    def collect(self) -> Iterable[Metric]:
        """Raise."""
        raise LookupError("no source")


class Uniterable(Collector):
    """A collector that returns nothing that could be iterated over."""

    def collect(self) -> Any:
        """Return None."""


class Describing(Yielding):
    """A collector that declares its families, or raises where it should."""

    def describe(self) -> Iterable[Metric]:
        """Declare what is collected."""
        return self.collect()


def healthy_registry() -> CollectorRegistry:
    """Return a registry on which a healthy gauge is."""
    registry = CollectorRegistry()
    Gauge("healthy", "Healthy.", registry=registry).set(1)
    return registry


def test_a_healthy_collector_is_passed_on(observers: Observers) -> None:
    """What the inner collector yields is collected unchanged."""
    family = good()
    assert list(IsolatedCollector(Yielding(family), name="x", observers=observers).collect()) == [family]


def test_a_bad_family_costs_itself_only(observers: Observers, recorder: Recorder) -> None:
    """A family that cannot be rendered is left out and told of; the others of the same collector are exposed."""
    collector = IsolatedCollector(Yielding(labelled(7), good(), None), name="bad", observers=observers)
    assert [family.name for family in collector.collect()] == ["good"]
    assert [event.error_type for event in recorder.of(ScrapeFailed)] == ["TypeError", "TypeError"]


@pytest.mark.parametrize(
    ("inner", "error_type"),
    [
        (Unstartable(), "LookupError"),
        (Uniterable(), "TypeError"),
        (Yielding(RuntimeError("first")), "RuntimeError"),
        (Yielding(good(), RuntimeError("later")), "RuntimeError"),
        (Yielding("garbage"), "TypeError"),
        (Yielding(GaugeMetricFamily("a", None, value=1)), "TypeError"),  # type: ignore[arg-type]
        (Yielding(labelled(7)), "TypeError"),
        (Yielding(labelled("\ud800")), "UnicodeEncodeError"),
        (Yielding(labelled("x", label="\udcff")), "UnicodeEncodeError"),
        (Yielding(labelled("x", number=None)), "TypeError"),
        (Yielding(labelled("x", number="many")), "ValueError"),
    ],
)
@pytest.mark.parametrize("accept", ["", "application/openmetrics-text"])
def test_a_bad_collector_costs_its_own_metrics_only(
    observers: Observers, recorder: Recorder, inner: Collector, error_type: str, accept: str
) -> None:
    """Whenever it raises, and whatever it yields, nothing of it is exposed, all else is, and it is told of once."""
    registry = healthy_registry()
    registry.register(IsolatedCollector(inner, name="bad", observers=observers))
    response = Exposition(registry, observers=observers).respond(method="GET", path="/metrics", accept=accept)
    body = response.body.decode().removesuffix("# EOF\n")
    assert (response.status, body) == (200, "# HELP healthy Healthy.\n# TYPE healthy gauge\nhealthy 1.0\n")
    assert [(type(event), event.collector, event.error_type) for event in recorder.of(ScrapeFailed)] == [
        (ScrapeFailed, "bad", error_type)
    ]


def test_the_error_of_a_collector_is_redacted(observers: Observers, recorder: Recorder) -> None:
    """The text of the failure holds no credential."""
    list(IsolatedCollector(Yielding(OSError("password=x")), name="bad", observers=observers).collect())
    assert recorder.told == [ScrapeFailed(collector="bad", error_type="OSError", error="password=***")]


def test_every_failure_is_told(observers: Observers, recorder: Recorder) -> None:
    """A collector that fails in two scrapes is told of twice, so that it can be counted."""
    collector = IsolatedCollector(Unstartable(), name="bad", observers=observers)
    list(collector.collect())
    list(collector.collect())
    assert len(recorder.of(ScrapeFailed)) == 2


def test_to_register_does_not_collect(observers: Observers, recorder: Recorder) -> None:
    """Even in a registry that collects to learn names, a collector without declaration is left alone."""
    CollectorRegistry(auto_describe=True).register(IsolatedCollector(Unstartable(), name="x", observers=observers))
    assert recorder.told == []


def test_what_a_collector_declares_is_passed_on(observers: Observers) -> None:
    """A registry can refuse a name that it has already."""
    registry = CollectorRegistry()
    registry.register(IsolatedCollector(Describing(good()), name="x", observers=observers))
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        Gauge("good", "Again.", registry=registry)


def test_a_declaration_that_raises_is_contained(observers: Observers, recorder: Recorder) -> None:
    """The collector is registered without names, and the failure is told."""
    CollectorRegistry().register(IsolatedCollector(Describing(OSError("gone")), name="x", observers=observers))
    assert recorder.told == [ScrapeFailed(collector="x", error_type="OSError", error="gone")]


def test_the_own_registry_exposes_process_platform_and_collection(observers: Observers, recorder: Recorder) -> None:
    """A fresh registry tells of the process, the interpreter and its garbage collection, and of nothing else."""
    prefixes = {family.name.split("_")[0] for family in own_registry(observers).collect()}
    names = {family.name for family in own_registry(observers).collect()}
    assert prefixes == {"process", "python"}
    assert {"process_cpu_seconds", "python_info", "python_gc_collections"} <= names
    assert recorder.told == []


def test_a_collector_of_the_own_registry_is_isolated(
    observers: Observers, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the garbage collector gives no numbers, the others are still exposed."""

    def get_stats() -> list[dict[str, int]]:
        raise RuntimeError("no numbers")

    registry = own_registry(observers)
    monkeypatch.setattr("gc.get_stats", get_stats)
    names = {family.name for family in registry.collect()}
    assert ("python_info" in names, "python_gc_collections" in names) == (True, False)
    assert recorder.told == [ScrapeFailed(collector="gc", error_type="RuntimeError", error="no numbers")]


def test_own_registries_are_independent(observers: Observers) -> None:
    """What is registered on one is not seen on another."""
    Gauge("only_here", "Only here.", registry=own_registry(observers))
    assert "only_here" not in {family.name for family in own_registry(observers).collect()}


def test_a_registry_of_our_own_isolates_what_anybody_registers(observers: Observers, recorder: Recorder) -> None:
    """A collector that an application adds and that raises costs its own metrics; it can be removed again."""
    registry = own_registry(observers)
    bad = Yielding(RuntimeError("no"))
    registry.register(bad)
    names = {family.name for family in registry.collect()}
    assert "python_info" in names
    assert [event.collector for event in recorder.of(ScrapeFailed)] == ["Yielding"]
    registry.unregister(bad)
    list(registry.collect())
    assert len(recorder.of(ScrapeFailed)) == 1


@pytest.mark.slow
def test_a_collector_that_hangs_costs_itself_only(observers: Observers, recorder: Recorder) -> None:
    """After 2 s a scrape goes on without a hanging collector, which is reported; the next one does not wait for it."""
    registry, gate = own_registry(observers), threading.Event()

    class Hanging(Collector):
        def describe(self) -> Iterable[Metric]:
            return []

        def collect(self) -> Iterable[Metric]:
            gate.wait(60)
            return [good()]

    registry.register(Hanging())
    Gauge("healthy", "Healthy.", registry=registry).set(1)
    for _ in range(2):
        assert "healthy" in {family.name for family in registry.collect()}
    failed = [(event.collector, event.error_type) for event in recorder.of(ScrapeFailed)]
    assert failed == [("Hanging", "TimeoutError")] * 2
    gate.set()


def odd(kind: str, **extra: Any) -> Metric:
    """Return a family called odd with one sample that has something *extra*."""
    family = Metric("odd", "Odd.", kind)
    family.samples = [Sample("odd_total" if kind == "counter" else "odd", {}, 1.0, **extra)]
    return family


def misnamed(attribute: str) -> Metric:
    """Return a family whose *attribute* cannot be encoded."""
    family = odd("gauge")
    setattr(family, attribute, "\ud800")
    return family


def untyped() -> Metric:
    """Return a family of a type that there is not."""
    family = odd("gauge")
    family.type = "speed"
    return family


@pytest.mark.parametrize(
    "family",
    [
        odd("gauge", timestamp="yesterday"),
        odd("gauge", exemplar=Exemplar({"trace_id": "a"}, 1.0)),
        odd("counter", exemplar=Exemplar({"trace_id": "\ud800"}, 1.0)),
        misnamed("unit"),
        misnamed("type"),
        untyped(),
    ],
    ids=["timestamp", "exemplar of a gauge", "text of an exemplar", "unit", "type", "unknown type"],
)
@pytest.mark.parametrize("accept", ["text/plain", "application/openmetrics-text"])
def test_rubbish_beside_the_value_costs_its_own_family(observers: Observers, family: Metric, accept: str) -> None:
    """A family that one of the formats cannot express is left out, whatever makes it so."""
    registry = own_registry(observers)
    registry.register(Yielding(good(), family))
    body = Exposition(registry, observers=observers).respond(method="GET", path="/metrics", accept=accept).body
    assert (b"good 1.0" in body, b"odd" in body, b"python_info" in body) == (True, False, True)


def test_a_forked_child_can_scrape_while_a_collector_is_described(observers: Observers) -> None:
    """A registry that was locked at the fork is not locked in the child."""
    registry = own_registry(observers)
    with registry._lock, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
        if child == 0:
            signal.alarm(120)
            list(registry.collect())
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_family_that_another_collector_has_too_is_left_out(observers: Observers, recorder: Recorder) -> None:
    """A name is exposed once, or no scraper could read the page; who comes second is reported."""
    registry = own_registry(observers)
    for _ in range(2):
        registry.register(Yielding(good()))
    assert [family.name for family in registry.collect()].count("good") == 1
    assert [failed.error_type for failed in recorder.of(ScrapeFailed)] == ["ValueError"]
