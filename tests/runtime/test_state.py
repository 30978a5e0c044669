"""The store that the settings ask for."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from postgres import PATIENCE, tables

from oneiric.core.activity import ActivityStoreError, DomainActivityStore
from oneiric.core.config import OneiricSettings, SettingsError
from oneiric.core.errors import LifecycleError
from oneiric.runtime.commands import commands_of
from oneiric.runtime.orchestrator import RuntimeOrchestrator
from oneiric.runtime.state import activity_store_of, migrate_activity

if TYPE_CHECKING:
    from pathlib import Path

    from postgres import Postgres

    from oneiric.core.observers import Observers


def settings_of(directory: Path, **activity: object) -> OneiricSettings:
    """Return settings with their state below *directory*, and those of a shared store."""
    observability = {"metrics_server": False, "probe_interval": None}
    return OneiricSettings.exactly(
        state_dir=str(directory / "state"),
        cache_dir=str(directory / "cache"),
        observability=observability,
        activity={"timeout": PATIENCE / 4} | activity,
    )


def test_without_a_url_pauses_lie_in_a_file_and_no_driver_is_imported() -> None:
    """Who shares nothing needs no extra, and pays for none."""
    code = (
        "import sys, oneiric.runtime.orchestrator, oneiric.cli.commands.settings\n"
        "sys.exit(any(name.startswith('psycopg') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=PATIENCE, check=False).returncode == 0


def test_without_a_url_the_store_is_a_file(tmp_path: Path, observers: Observers) -> None:
    """The default is as it was."""
    with closing(activity_store_of(settings_of(tmp_path), observers)) as store:
        assert isinstance(store, DomainActivityStore)


@pytest.mark.postgres
def test_a_url_leads_to_a_database_that_is_migrated_where_that_is_set(
    postgres: Postgres, tmp_path: Path, observers: Observers
) -> None:
    """Without the tables a start says how to make them; with ``migrate_at_start`` it makes them, and remembers."""
    activity = {"url": postgres.url("postgres"), "database_schema": "at_start"}
    with pytest.raises(ActivityStoreError, match="make them with 'oneiric settings migrate'"):
        activity_store_of(settings_of(tmp_path, **activity), observers)
    with closing(activity_store_of(settings_of(tmp_path, migrate_at_start=True, **activity), observers)) as store:
        store.change("task", "x", paused=True)
    (witness,) = (tmp_path / "state").glob("shared_activity-*.json")
    assert '["task", "x", true,' in witness.read_text(encoding="utf-8")
    postgres.run("DROP SCHEMA at_start CASCADE")


def test_a_store_without_its_driver_names_the_extra(
    tmp_path: Path, observers: Observers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where psycopg is not installed, the error says what to install."""
    monkeypatch.setitem(sys.modules, "oneiric.adapters.activity", None)
    with pytest.raises(SettingsError, match=r"activity\.url: needs psycopg, .* pip install 'oneiric\[postgres\]'"):
        activity_store_of(settings_of(tmp_path, url="postgresql:///x"), observers)


def test_there_is_nothing_to_migrate_without_a_url(tmp_path: Path) -> None:
    """The error names the setting."""
    with pytest.raises(SettingsError, match=r"activity\.url: is not set"):
        migrate_activity(settings_of(tmp_path))


@pytest.mark.parametrize("url", ["mysql://me:secr3t@host/x", "secr3t"])
def test_a_url_of_another_database_is_refused_without_it(url: str) -> None:
    """What is wrong is said without the value, which may hold a password."""
    with pytest.raises(ValueError, match="must begin with postgresql://") as caught:
        OneiricSettings.exactly(activity={"url": url})
    assert "secr3t" not in str(caught.value)


async def test_a_runtime_that_knows_nothing_refuses_work_and_is_not_ready(tmp_path: Path) -> None:
    """Where the database is away at the first start, nobody knows what is paused: nothing is given work."""
    url = f"postgresql://nobody@/none?host={tmp_path}"
    async with RuntimeOrchestrator(settings_of(tmp_path, url=url)) as runtime:
        assert (runtime.started, runtime.ready) == (True, False)
        health = await commands_of(runtime)["health"].run({})
        assert health["reasons"][0].startswith("it is not known what is paused: activity.url: database none at")
        with pytest.raises(LifecycleError, match="adapter:cache is paused"):
            await runtime.adapter_bridge.use("cache")


@pytest.mark.postgres
async def test_a_runtime_shares_its_pauses(postgres: Postgres, tmp_path: Path, observers: Observers) -> None:
    """What is paused through a bridge is found by a store of another machine, and the runtime is ready."""
    server = tables(postgres)
    activity = {"url": server.url, "database_schema": server.schema}
    async with RuntimeOrchestrator(settings_of(tmp_path, **activity)) as runtime:
        runtime.adapter_bridge.set_paused("cache", paused=True)
        assert runtime.ready
        with closing(activity_store_of(settings_of(tmp_path / "other", **activity), observers)) as other:
            assert other.get("adapter", "cache").paused
