"""Settings that are read again: what is applied, what needs a restart, and what is refused."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest
from services import running

from oneiric.core.config import OneiricSettings
from oneiric.runtime.control.client import RefusedError
from oneiric.runtime.reload import differences, is_reloadable, merged_settings

if TYPE_CHECKING:
    from pathlib import Path

    from services import Service

pytestmark = pytest.mark.slow  # each starts processes

CACHE = {"start": ["adapter/cache"]}
SECOND = {"adapters": {"selections": {"cache": "second"}}}


def settings(**given: Any) -> OneiricSettings:
    """Return exactly these settings."""
    return OneiricSettings.exactly(**given)


def test_differences_are_named() -> None:
    """Each setting that differs is named, whole sections that come or go too."""
    old = settings(lifecycle={"health_timeout": 1}, remotes={"a": {}}, adapters={"selections": {"cache": "first"}})
    new = settings(lifecycle={"health_timeout": 2}, adapters={"selections": {"cache": "second", "queue": "x"}})
    assert sorted(differences(old, new)) == [
        "adapters.selections.cache",
        "adapters.selections.queue",
        "lifecycle.health_timeout",
        "remotes.a",
    ]


@pytest.mark.parametrize(
    ("name", "reloadable"),
    [
        ("adapters.selections.cache", True),
        ("logging.level", True),
        ("logging.sinks.0.level", True),
        ("logging.sinks.0.path", False),
        ("remote.refresh_interval", True),
        ("remote.auth.token", True),
        ("remote.manifest_url", False),
        ("remotes.a.signature_threshold", True),
        ("remotes.a", False),
        ("runtime.start.0", False),
    ],
)
def test_what_a_reload_applies(name: str, reloadable: bool) -> None:
    """Selections, levels, intervals, credentials and rules of signatures are applied; anything else is not."""
    assert is_reloadable(name) is reloadable


def test_only_what_is_reloadable_is_merged() -> None:
    """After merging, the differences that are left are those that need a restart."""
    old = settings(lifecycle={"health_timeout": 1}, remote={"refresh_interval": 5}, remotes={"a": {}})
    new = settings(
        lifecycle={"health_timeout": 2},
        remote={"refresh_interval": 6, "auth": {"token": "t"}, "timeout": 1, "allowed_file_uri_roots": ["/srv"]},
        remotes={"a": {"signature_threshold": 2}},
        logging={"level": "DEBUG"},
        **SECOND,
    )
    assert sorted(differences(merged_settings(old, new), new)) == ["lifecycle.health_timeout", "remote.timeout"]


def test_a_reload_says_what_it_did(tmp_path: Path) -> None:
    """The command returns what was applied and what needs a restart; the selection serves by then."""
    with running(tmp_path, runtime=CACHE) as one:
        one.save({"runtime": CACHE, "lifecycle": {"health_timeout": 1.5}, **SECOND})
        answer = one.client.change("reload")
        serving = one.event("swap-complete", count=2)["provider"]
        line = one.event("settings-reloaded")
    assert answer == {"applied": ["adapters.selections.cache"], "restart": ["lifecycle.health_timeout"]}
    assert serving == "second"
    assert (line["changed"], line["restart"]) == (1, 1)


@pytest.mark.parametrize("text", ["adapters: [", "lifecycle: {health_timeout: soon}"])
def test_wrong_settings_are_refused(tmp_path: Path, text: str) -> None:
    """Settings that are wrong are named, the last good ones stay in force, and the next good save is applied."""
    with running(tmp_path, runtime=CACHE) as one:
        one.config.write_text(text, encoding="utf-8")
        with pytest.raises(RefusedError, match=str(one.config)) as error:
            one.client.change("reload")
        assert error.value.code == "no"
        one.save({"runtime": CACHE, **SECOND})
        assert one.client.change("reload")["applied"] == ["adapters.selections.cache"]
        assert one.event("settings-reload-failed")


def test_an_emptied_file_is_refused(tmp_path: Path) -> None:
    """A settings file that lost its content, on a full disk say, is named, and the last good settings stay in force."""
    with running(tmp_path, profile={"watchers_enabled": False}, runtime=CACHE) as one:
        one.config.write_text("", encoding="utf-8")
        for _ in range(2):
            with pytest.raises(RefusedError, match="is empty, as a save to a full disk leaves it"):
                one.client.change("reload")
        one.save({"profile": {"watchers_enabled": False}, "runtime": CACHE, **SECOND})
        assert one.client.change("reload")["applied"] == ["adapters.selections.cache"]


def test_a_signal_has_them_read_again(tmp_path: Path) -> None:
    """SIGHUP reloads."""
    with running(tmp_path, profile={"watchers_enabled": False}, runtime=CACHE) as one:
        one.save({"profile": {"watchers_enabled": False}, "runtime": CACHE, **SECOND})
        assert one.process is not None
        one.process.send_signal(signal.SIGHUP)
        origin = one.event("settings-reloaded")["origin"]
        assert (origin, one.event("swap-complete", count=2)["provider"]) == ("signal", "second")


@pytest.mark.slow
def test_a_saved_file_is_read_again(tmp_path: Path) -> None:
    """A save reloads by itself, after a malformed one too, which is reported."""
    with running(tmp_path, runtime=CACHE) as one:
        one.config.write_text("adapters: [", encoding="utf-8")
        one.event("settings-reload-failed")
        one.save({"runtime": CACHE, **SECOND})
        origin = one.event("settings-reloaded")["origin"]
        assert (origin, one.event("swap-complete", count=2)["provider"]) == ("file", "second")


def test_a_level_is_applied(tmp_path: Path) -> None:
    """After ``logging.level`` was changed to DEBUG, debug events appear."""
    with running(tmp_path, runtime=CACHE) as one:
        one.save({"runtime": CACHE, "logging": {"level": "DEBUG"}})
        assert "logging.level" in one.client.change("reload")["applied"]
        one.client.change("swap", key="cache")
        assert one.event("swap-started")["previous_provider"] == "first"


def test_a_swap_by_command_holds_against_a_selection(tmp_path: Path) -> None:
    """Who was swapped in by command stays selected, over reloads too, until the configured selection changes."""
    first = {"adapters": {"selections": {"cache": "first"}}}
    with running(tmp_path, runtime=CACHE, **first) as one:
        swapped = one.client.change("swap", key="cache", provider="second")
        one.save({"runtime": CACHE, **first, "logging": {"level": "DEBUG"}})
        one.client.change("reload")
        kept = selected(one.client.read("explain", key="cache")), serving(one)
        one.save({"runtime": CACHE})
        one.client.change("reload")
        ended = selected(one.client.read("explain", key="cache")), serving(one)
    assert (swapped["provider"], swapped["configured"]) == ("second", "first")
    assert (kept, ended) == (("second", "second"), ("first", "first"))


def selected(explanation: dict[str, Any]) -> str:
    """Return the provider that an explanation names as selected."""
    return next(str(one["provider"]) for one in explanation["ordered"] if one["selected"])


def serving(one: Service) -> str:
    """Return the provider that serves the cache."""
    (status,) = one.client.read("status", key="cache")["status"]
    return str(status["lifecycle"]["current_provider"])
