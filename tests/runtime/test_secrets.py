"""Secrets of a running runtime: renewed at intervals and at a reload, the last good ones kept, none of them logged."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.core.config import OneiricSettings
from oneiric.core.events import SecretsRefresh
from oneiric.core.resolution import Candidate
from oneiric.runtime.orchestrator import RuntimeOrchestrator
from oneiric.runtime.reload import Reloader
from oneiric.runtime.secrets import SecretsRefresher
from oneiric.testing import metric

if TYPE_CHECKING:
    from pathlib import Path

    from support import Recorder

    from oneiric.core.observers import Observers
    from oneiric.testing import TelemetryCapture

PATIENCE = 120.0
NEVER = 1000.0


class Vault:
    """Gives out one value for every secret, unless it is sealed."""

    def __init__(self) -> None:
        self.value = "hunter1"
        self.sealed = False

    def get_secret(self, _: str) -> str:
        """Return the value."""
        if self.sealed:
            raise PermissionError(f"no {self.value} today")
        return self.value


class Secrets:
    """Secrets of an application, which are renewed by a name of their own."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.renewed = asyncio.Event()

    async def prefetch(self) -> bool:
        """Note it."""
        self.done.append("prefetch")
        return True

    def rotate(self) -> int:
        """Note it."""
        self.done.append("rotate")
        self.renewed.set()
        return 3


def settings_in(directory: Path, **secrets: Any) -> OneiricSettings:
    """Return settings of a runtime in *directory* whose secrets come from the vault."""
    return OneiricSettings.exactly(
        cache_dir=str(directory),
        observability={"metrics_server": False, "probe_interval": None},
        secrets={"provider": "vault", **secrets},
    )


def runtime_of(settings: OneiricSettings, vault: Vault) -> RuntimeOrchestrator:
    """Return a runtime that has the vault."""
    runtime = RuntimeOrchestrator(settings)
    runtime.resolver.register(Candidate(domain="adapter", key="secrets", provider="vault", factory=lambda: vault))
    return runtime


async def reload(runtime: RuntimeOrchestrator, settings: OneiricSettings) -> dict[str, list[str]]:
    """Reload *runtime* with *settings*."""
    return await Reloader(runtime, lambda: settings, set_levels=lambda _: None).reload("command")


def refreshes(recorder: Recorder) -> list[tuple[str, str, int]]:
    """Return origin, outcome and number of each refresh."""
    endings = [(ended.operation, ended.outcome) for ended in recorder.endings(SecretsRefresh)]
    return [(one.origin, outcome, one.renewed) for one, outcome in endings if isinstance(one, SecretsRefresh)]


async def test_secrets_are_renewed_in_the_background(observers: Observers, recorder: Recorder) -> None:
    """The provider is made ready at the start, and then asked again and again until the end."""
    secrets = Secrets()
    refresher = SecretsRefresher(secrets, observers, interval=0.001)
    await refresher.start()
    for _ in range(2):
        await asyncio.wait_for(secrets.renewed.wait(), PATIENCE)
        secrets.renewed.clear()
    await refresher.stop()
    done = len(secrets.done)
    await asyncio.sleep(0)
    assert (secrets.done[:3], len(secrets.done)) == (["prefetch", "rotate", "rotate"], done)
    assert refreshes(recorder)[:2] == [("start", "success", 0), ("interval", "success", 3)]


async def test_an_interval_is_changed_while_it_runs(observers: Observers) -> None:
    """Renewing begins with an interval that was not set before, and ends with none."""
    secrets = Secrets()
    refresher = SecretsRefresher(secrets, observers, interval=None)
    await refresher.start()
    await refresher.set_interval(0.001)
    await asyncio.wait_for(secrets.renewed.wait(), PATIENCE)
    await refresher.set_interval(None)
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "oneiric-secrets"]


async def test_a_refresh_outlives_every_failure(observers: Observers, recorder: Recorder) -> None:
    """A provider that raises is reported by its kind of error, without its words, and asked again."""
    secrets = Secrets()
    asked = asyncio.Event()

    def fail() -> int:
        asked.set()
        raise ValueError("hunter2")

    secrets.rotate = fail  # type: ignore[method-assign]
    refresher = SecretsRefresher(secrets, observers, interval=0.001)
    await refresher.start()
    for _ in range(2):
        await asyncio.wait_for(asked.wait(), PATIENCE)
        asked.clear()
    await refresher.stop()
    failed = [ended for ended in recorder.endings(SecretsRefresh) if ended.outcome == "failed"]
    assert len(failed) >= 2
    assert (failed[0].reason, failed[0].error) == ("provider", "ValueError of the secrets provider")


async def test_secrets_that_cannot_be_renewed_are_left_alone(observers: Observers, recorder: Recorder) -> None:
    """An object that only looks secrets up is neither prepared nor renewed."""
    refresher = SecretsRefresher(object(), observers, interval=None)
    await refresher.start()
    await refresher.refresh("reload")
    await refresher.stop()
    assert refreshes(recorder) == []


async def test_a_reload_renews_credentials_at_once(tmp_path: Path) -> None:
    """After a reload the new value is in force, without a word to whoever holds secrets; so is a new interval."""
    vault = Vault()
    async with runtime_of(settings_in(tmp_path), vault) as runtime:
        before = runtime.secrets.prefetched, await runtime.secrets.get("db")
        vault.value = "hunter2"
        answer = await reload(runtime, settings_in(tmp_path, refresh_interval=NEVER))
        tasks = [task for task in asyncio.all_tasks() if task.get_name() == "oneiric-secrets"]
        after = await runtime.secrets.get("db")
    assert (before, after, answer["applied"]) == ((True, "hunter1"), "hunter2", ["secrets.refresh_interval"])
    assert len(tasks) == 1
    assert tasks[0].done()


async def test_a_sealed_vault_leaves_the_last_good_value_and_no_trace_of_it(
    tmp_path: Path, oneiric_telemetry: TelemetryCapture
) -> None:
    """A reload while the provider fails keeps the value, counts and logs the failure, and logs no secret."""
    vault = Vault()
    runtime = runtime_of(settings_in(tmp_path), vault)
    oneiric_telemetry.attach(runtime)
    async with runtime:
        await runtime.secrets.get("db")
        vault.sealed = True
        await reload(runtime, settings_in(tmp_path))
        kept = await runtime.secrets.get("db")
    (line,) = oneiric_telemetry.events("secrets-refresh-failed")
    failed = oneiric_telemetry.value(metric("oneiric_runtime_secrets_refreshes_total", outcome="failed"))
    assert (kept, line["origin"], failed) == ("hunter1", "reload", 1.0)
    assert "hunter1" not in repr(oneiric_telemetry.events())


@pytest.mark.parametrize("provider", ["vault", "nobody"])
async def test_a_provider_that_is_missing_stops_no_start(tmp_path: Path, provider: str) -> None:
    """A start goes on without a provider that cannot be made ready, which is reported."""
    runtime = runtime_of(settings_in(tmp_path, provider=provider), Vault())
    async with runtime:
        assert (runtime.started, runtime.secrets.prefetched) == (True, provider == "vault")
