"""Plugins: what is loaded, registered and recorded, whatever a plugin does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from oneiric.core.config import OneiricSettings, PluginsConfig
from oneiric.core.events import HookFailed, Registered
from oneiric.core.resolution import CandidateSource, Resolver
from oneiric.plugins import (
    DEFAULT_ENTRY_POINT_GROUPS,
    PluginEntryRecord,
    PluginErrorRecord,
    PluginRegistrationReport,
    discover_metadata,
    iter_entry_points,
    load_callables,
    register_entrypoint_plugins,
)
from oneiric.runtime.orchestrator import RuntimeOrchestrator

if TYPE_CHECKING:
    from pathlib import Path

    from support import Recorder

    from oneiric.core.observers import Observers

GROUP = "shop.plugins"
CONFIG = PluginsConfig(entry_points=[GROUP])


class Installation:
    """A directory of installed packages, on the path."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def install(self, package: str, group: str = GROUP, **points: str) -> None:
        """Install *package* with an entry point for each of *points*, to a name in `plugin_offers`."""
        metadata = self._directory / f"{package}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        places = {name: target if ":" in target else f"plugin_offers:{target}" for name, target in points.items()}
        lines = [f"{name} = {place}" for name, place in places.items()]
        (metadata / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines]))


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """A place for packages that Python finds."""
    monkeypatch.syspath_prepend(tmp_path)
    return Installation(tmp_path)


@pytest.fixture
def resolver(observers: Observers) -> Resolver:
    """A resolver without candidates."""
    return Resolver(observers=observers)


@pytest.fixture
def few_offers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin may offer a hundred candidates."""
    monkeypatch.setattr("oneiric.plugins.MAX_OFFERS", 100)


def test_what_plugins_offer_is_registered(installation: Installation, resolver: Resolver) -> None:
    """Candidates and metadata, nested or not, can be resolved, and the report counts them."""
    installation.install("shop", one="candidate", two="adapter", three="nested")
    report = register_entrypoint_plugins(resolver, CONFIG)
    assert report == PluginRegistrationReport(
        groups=[GROUP],
        registered=5,
        entries=[
            PluginEntryRecord(GROUP, "one", "Candidate", 1),
            PluginEntryRecord(GROUP, "three", "generator", 3),
            PluginEntryRecord(GROUP, "two", "AdapterMetadata", 1),
        ],
    )
    found = [resolver.resolve(*name) for name in (("service", "orders"), ("adapter", "cache"), ("action", "hash"))]
    assert [candidate.provider for candidate in found if candidate is not None] == ["plugin"] * 3


def test_a_plugin_that_does_not_say_where_it_was_found_is_one(installation: Installation, resolver: Resolver) -> None:
    """The source is the entry point unless the offer names one; the metadata name the package."""
    installation.install("shop", one="candidate", two="adapter")
    register_entrypoint_plugins(resolver, CONFIG)
    orders, cache = resolver.resolve("service", "orders"), resolver.resolve("adapter", "cache")
    assert orders is not None
    assert cache is not None
    assert (orders.source, orders.metadata["package"]) == (CandidateSource.ENTRY_POINT, "shop")
    assert cache.source is CandidateSource.MANUAL


def test_the_stack_order_ranks_the_packages_of_plugins(
    installation: Installation, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A candidate without a priority gets the one that the stack order gives its package."""
    monkeypatch.setenv("ONEIRIC_STACK_ORDER", "shop:30")
    installation.install("shop", one="candidate")
    register_entrypoint_plugins(resolver, CONFIG)
    found = resolver.resolve("service", "orders")
    assert found is not None
    assert found.priority == 30


@pytest.mark.usefixtures("few_offers")
@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("number", "not-callable:int"),
        ("text", "unsupported payload str"),
        ("later", "unsupported payload coroutine"),
        ("ending", "SystemExit: no licence"),
        ("half", "'second'"),
        ("endless", "more than 100 candidates"),
        ("endlessly_nested", "nested deeper than 16 levels"),
        ("plugin_offer:x", "No module named 'plugin_offer'"),
        ("plugin_offers:missing", "module 'plugin_offers' has no attribute 'missing'"),
    ],
)
def test_a_plugin_of_no_use_is_a_record(
    installation: Installation, resolver: Resolver, recorder: Recorder, target: str, reason: str
) -> None:
    """Whatever a plugin does or raises is recorded with its reason and reported; the next one is registered."""
    installation.install("shop", bad=target, good="candidate")
    report = register_entrypoint_plugins(resolver, CONFIG)
    assert report.errors == [PluginErrorRecord(GROUP, "bad", reason)]
    assert report.entries[-1] == PluginEntryRecord(GROUP, "good", "Candidate", 1)
    failures = [(failure.sink, failure.error) for failure in recorder.of(HookFailed)]
    assert failures == [("plugins", f"{GROUP}: bad: {reason}")]


def test_what_came_before_an_error_stays(installation: Installation, resolver: Resolver) -> None:
    """A plugin that fails half-way has offered what came before."""
    installation.install("shop", half="half")
    report = register_entrypoint_plugins(resolver, CONFIG)
    assert (report.registered, report.errors) == (1, [PluginErrorRecord(GROUP, "half", "'second'")])
    assert resolver.resolve("service", "first") is not None


def test_an_interruption_passes(installation: Installation, resolver: Resolver) -> None:
    """Ctrl-C while a plugin is loaded ends the program."""
    installation.install("shop", one="interrupted")
    with pytest.raises(KeyboardInterrupt):
        register_entrypoint_plugins(resolver, CONFIG)


def test_plugins_are_registered_once(installation: Installation, resolver: Resolver, recorder: Recorder) -> None:
    """A second call for the same resolver returns the first report; asked to load again, nothing is there twice."""
    installation.install("shop", one="candidate")
    first = register_entrypoint_plugins(resolver, CONFIG)
    assert register_entrypoint_plugins(resolver, PluginsConfig()) is first
    assert register_entrypoint_plugins(resolver, CONFIG, skip_if_loaded=False) == first
    assert len(recorder.of(Registered)) == 1


@pytest.mark.parametrize(
    ("config", "groups"),
    [
        (PluginsConfig(), []),
        (PluginsConfig(auto_load=True), list(DEFAULT_ENTRY_POINT_GROUPS)),
        (PluginsConfig(auto_load=True, entry_points=["x", "x"]), [*DEFAULT_ENTRY_POINT_GROUPS, "x"]),
    ],
)
def test_the_settings_say_which_groups_are_loaded(resolver: Resolver, config: PluginsConfig, groups: list[str]) -> None:
    """None by default, the five usual ones automatically, and those that are named."""
    report = register_entrypoint_plugins(resolver, config)
    assert report.groups == groups


def test_the_empty_report_says_nothing() -> None:
    """A report of nothing, as a mapping for JSON."""
    assert PluginRegistrationReport.empty().as_dict() == {"groups": [], "registered": 0, "entries": [], "errors": []}


def test_entry_points_can_be_looked_at(installation: Installation, caplog: pytest.LogCaptureFixture) -> None:
    """Names, functions and offers of a group can be had without a resolver; what is of no use is logged."""
    installation.install("shop", a="adapter", b="number", c="ending")
    assert [point.name for point in iter_entry_points(GROUP)] == ["a", "b", "c"]
    assert [function.__name__ for function in load_callables(GROUP)] == ["adapter", "ending"]
    assert [type(offer).__name__ for offer in discover_metadata(GROUP)] == ["AdapterMetadata"]
    assert "plugin c of shop.plugins: SystemExit: no licence" in caplog.messages


async def test_a_runtime_registers_plugins_when_it_is_made(installation: Installation, tmp_path: Path) -> None:
    """The orchestrator loads what its settings name before it starts, and keeps the report."""
    installation.install("shop", group=DEFAULT_ENTRY_POINT_GROUPS[1], one="candidate")
    plain: dict[str, Any] = {"cache_dir": str(tmp_path / "cache"), "observability": {"metrics_server": False}}
    runtime = RuntimeOrchestrator(OneiricSettings.exactly(**plain, plugins={"auto_load": True}))
    try:
        assert runtime.plugins.registered == 1
        assert [candidate.key for candidate in runtime.service_bridge.active_candidates()] == ["orders"]
    finally:
        await runtime.stop()
