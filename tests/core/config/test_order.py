"""The order of settings, wherever they are made: an argument, then the environment, then the file, then the default."""

from __future__ import annotations

import json
import logging
import os
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

from oneiric.core.config import (
    ALIASES,
    OTHERS,
    LoggingConfig,
    ObservabilitySettings,
    OneiricSettings,
    RemoteSourceConfig,
    SettingsError,
    field_variables,
    load_settings,
)
from oneiric.core.logging import configure_logging, notes, report_notes
from oneiric.core.resolution import STACK_ORDER_ENV, Resolver
from oneiric.core.security import FACTORY_ALLOWLIST_ENV
from oneiric.observability import Exposition, MetricsServer, ServerLimits, ServerSecurity, attach
from oneiric.remote.manifest import ENV_TRUSTED_PUBLIC_KEYS
from oneiric.runtime.orchestrator import RuntimeOrchestrator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from oneiric.observability import Telemetry


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory, a home and an environment without any settings, of a process that has reported nothing."""
    for name in os.environ:
        if name.startswith(("ONEIRIC_", "XDG_CONFIG_HOME", "OTEL_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(notes, "_reported", {})
    return tmp_path


def budgets(telemetry: Telemetry) -> int:
    """Return for how many of 3 keys *telemetry* has a series of its own."""
    keys = [labels["key"] for labels, _ in telemetry.samples().get("oneiric_resolution_total", [])]
    return len([key for key in keys if key != "_other"])


def budget_of_attach(*, tmp_path: Path | None = None, **given: Any) -> int:
    """Return the series budget that attach() works with."""
    del tmp_path
    resolver = Resolver()
    with attach(resolver, **given) as telemetry:
        for key in "abcde":
            resolver.resolve("adapter", key)
        return budgets(telemetry)


def budget_of_settings(*, tmp_path: Path, **given: int) -> int:
    """Return that of OneiricSettings(...)."""
    del tmp_path
    return OneiricSettings(observability=given).observability.series_budget


def budget_of_model(*, tmp_path: Path, **given: int) -> int:
    """Return that of OneiricSettings(...) that is given a section as a model."""
    del tmp_path
    return OneiricSettings(observability=ObservabilitySettings(**given)).observability.series_budget


def budget_of_loading(*, tmp_path: Path, **given: int) -> int:
    """Return that of load_settings()."""
    del tmp_path
    return load_settings(observability=given).observability.series_budget


def budget_of_runtime(*, tmp_path: Path, **given: int) -> int:
    """Return that of a runtime."""
    settings = OneiricSettings(cache_dir=tmp_path / "cache", observability=given)
    runtime = RuntimeOrchestrator(settings)
    for key in "abcde":
        runtime.resolver.resolve("adapter", key)
    assert runtime.telemetry is not None
    return budgets(runtime.telemetry)


@pytest.mark.parametrize(
    "budget", [budget_of_attach, budget_of_settings, budget_of_model, budget_of_loading, budget_of_runtime]
)
def test_an_argument_beats_the_environment_which_beats_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, budget: Callable[..., int]
) -> None:
    """The order is the same for settings, attaching and runtimes."""
    (tmp_path / "a.yaml").write_text("observability: {series_budget: 1}", encoding="utf-8")
    monkeypatch.setenv("ONEIRIC_CONFIG", str(tmp_path / "a.yaml"))
    from_file = budget(tmp_path=tmp_path)
    monkeypatch.setenv("ONEIRIC_OBSERVABILITY__SERIES_BUDGET", "2")
    from_environment = budget(tmp_path=tmp_path)
    from_argument = budget(tmp_path=tmp_path, series_budget=3)
    assert (from_file, from_environment, from_argument) == (1, 2, 3)


def test_the_environment_counts_within_a_section_that_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a given section leaves open is taken from the environment, whether it is a mapping or a model."""
    monkeypatch.setenv("ONEIRIC_METRICS_ADDRESS", "127.0.0.2:1")
    monkeypatch.setenv("ONEIRIC_REMOTES__EU__TIMEOUT", "7")
    given = OneiricSettings(
        observability=ObservabilitySettings(series_budget=5), remotes={"eu": RemoteSourceConfig(max_retries=9)}
    )
    eu = given.remotes["eu"]
    assert (given.observability.metrics_address, given.observability.series_budget) == ("127.0.0.2:1", 5)
    assert (eu.name, eu.timeout, eu.max_retries) == ("eu", 7.0, 9)


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """OneiricSettings(...) says which variable is wrong, as load_settings() does; an argument instead makes it good."""
    monkeypatch.setenv("ONEIRIC_METRICS_ADDRESS", "here")
    with pytest.raises(
        SettingsError, match=r"^ONEIRIC_METRICS_ADDRESS: observability\.metrics_address = 'here': must be host:port"
    ):
        OneiricSettings()
    assert OneiricSettings(observability={"metrics_address": "[::1]:0"}).observability.metrics_address == "[::1]:0"


def test_a_wrong_argument_stays_an_error_of_pydantic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever catches ValidationError for arguments goes on doing so; load_settings() raises SettingsError for both."""
    monkeypatch.setenv("ONEIRIC_LOG_LEVEL", "DEBUG")
    with pytest.raises(ValidationError, match="max_retries"):
        OneiricSettings(remote={"max_retries": "many"})
    with pytest.raises(SettingsError, match=r"^remote\.max_retries = 'many': Input should be a valid integer"):
        load_settings(remote={"max_retries": "many"})


def test_settings_can_be_made_of_arguments_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sandboxes and tests take nothing from the environment."""
    monkeypatch.setenv("ONEIRIC_ACTIVITY_STORE", "/srv/production.sqlite")
    monkeypatch.setenv("ONEIRIC_CONFIG", str(tmp_path))
    settings = OneiricSettings.exactly(cache_dir="x")
    assert (settings.cache_dir, settings.runtime_paths.domain_activity_path) == ("x", None)


def level() -> str:
    """Return the level of the root logger."""
    return logging.getLevelName(logging.getLogger().level)


def test_logging_that_is_configured_without_settings_obeys_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """configure_logging() takes from the environment what it is not given."""
    monkeypatch.setenv("ONEIRIC_LOG_LEVEL", "ERROR")
    configure_logging()
    without = level()
    configure_logging(LoggingConfig(service_name="shop"))
    with_another = level()
    configure_logging(LoggingConfig(level="DEBUG"))
    assert (without, with_another, level()) == ("ERROR", "ERROR", "DEBUG")


def test_the_settings_of_another_project_are_not_changed_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The logging section of loaded settings is complete: variables of the prefix ONEIRIC_ are not ours there."""
    monkeypatch.setenv("ONEIRIC_LOG_LEVEL", "ERROR")
    monkeypatch.setenv("ONEIRIC_OBSERVABILITY__SERIES_BUDGET", "1")
    settings = load_settings(project_name="shop")
    configure_logging(settings.logging)
    assert (level(), budget_of_attach(settings=settings)) == ("INFO", 5)


def test_attaching_shares_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runtimes of a service that only call attach() show the counts of both; None, given, keeps one apart."""
    monkeypatch.setenv("ONEIRIC_METRICS_DIR", str(tmp_path / "shared"))
    first, second, apart = Resolver(), Resolver(), Resolver()
    with attach(first), attach(second) as telemetry, attach(apart, shared_dir=None) as own:
        for resolver in (first, second, apart):
            resolver.resolve("adapter", "cache")
        totals = [each.samples()["oneiric_resolution_total"][0][1] for each in (telemetry, own)]
    assert totals == [2.0, 1.0]


def test_a_metrics_server_obeys_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Address and protection that the application leaves open are what the environment says."""
    monkeypatch.setenv("ONEIRIC_METRICS_ADDRESS", "127.0.0.2:0")
    monkeypatch.setenv("ONEIRIC_OBSERVABILITY__SERVER__BEARER_TOKEN_FILE", str(tmp_path / "token"))
    with attach(Resolver()) as telemetry:
        exposition = telemetry.exposition()
        by_environment = MetricsServer(exposition)
        by_arguments = MetricsServer(
            exposition, address="127.0.0.1:0", limits=ServerLimits(), security=ServerSecurity()
        )
        (tmp_path / "token").write_text("x", encoding="utf-8")
    assert (by_environment.address, by_arguments.address) == ("127.0.0.2", "127.0.0.1")
    assert (by_environment._security.bearer_token_file, by_arguments._security.bearer_token_file) == (
        tmp_path / "token",
        None,
    )


def warnings_of(caplog: pytest.LogCaptureFixture, act: Callable[[], object]) -> list[str]:
    """Return what *act* warns of."""
    caplog.clear()
    act()
    return [json.loads(record.message)["event"] for record in caplog.records if record.name == "oneiric.settings"]


def use_settings(**given: Any) -> None:
    """Put settings of these arguments to use."""
    report_notes(OneiricSettings(**given))


def use_loaded() -> None:
    """Put settings to use that were loaded."""
    report_notes(load_settings())


def run_without_telemetry() -> None:
    """Make a runtime that attaches nothing."""
    RuntimeOrchestrator(OneiricSettings(observability={"enabled": False}))


def make_server() -> None:
    """Make a server of metrics that reads its own settings."""
    MetricsServer(Exposition(CollectorRegistry()))


@pytest.mark.parametrize("act", [use_settings, use_loaded, budget_of_attach, run_without_telemetry, make_server])
def test_an_unknown_variable_is_reported_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, act: Callable[[], object]
) -> None:
    """However settings are used, a process has one line for misspelt variables, with the nearest names, not values."""
    monkeypatch.setenv("ONEIRIC_METRIC_DIR", "/run/s3cret")
    monkeypatch.setenv("ONEIRIC_OBSERVABILITY__SERIES_BUDGETS", "5")
    monkeypatch.setenv("ONEIRIC_OBSERVABILTY__SHARED__DIRECTORY", "/run/s3cret")
    expected = (
        "these environment variables are no settings and are ignored: ONEIRIC_METRIC_DIR (the nearest is "
        "ONEIRIC_METRICS_DIR), ONEIRIC_OBSERVABILITY__SERIES_BUDGETS (the nearest is "
        "ONEIRIC_OBSERVABILITY__SERIES_BUDGET), ONEIRIC_OBSERVABILTY__SHARED__DIRECTORY (the nearest is "
        "ONEIRIC_OBSERVABILITY__SHARED__DIRECTORY)"
    )
    assert [warnings_of(caplog, act), warnings_of(caplog, use_settings)] == [[expected], []]


def test_an_unknown_variable_of_a_section_that_is_given_is_reported(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A section of ours that an argument sets is no section of the application's."""
    monkeypatch.setenv("ONEIRIC_OBSERVABILITY__SERIES_BUDGETS", "5")
    (line,) = warnings_of(caplog, lambda: use_settings(observability={"tracing": False}))
    assert "ONEIRIC_OBSERVABILITY__SERIES_BUDGET)" in line


def test_variables_that_mean_something_are_not_reported(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor are those that Kubernetes sets for a service called oneiric, and those of the application's own sections."""
    for name in (*ALIASES, *OTHERS):
        monkeypatch.setenv(f"ONEIRIC_{name}", "")
    kubernetes = {
        "SERVICE_HOST": "10.0.0.1",
        "SERVICE_PORT": "9464",
        "SERVICE_PORT_METRICS": "9464",
        "PORT": "tcp://10.0.0.1:9464",
        "PORT_9464_TCP": "tcp://10.0.0.1:9464",
        "PORT_9464_TCP_PROTO": "tcp",
        "PORT_9464_TCP_PORT": "9464",
        "PORT_9464_TCP_ADDR": "10.0.0.1",
        "METRICS_SERVICE_HOST": "10.0.0.2",
    }
    for name, value in (*kubernetes.items(), ("MINE__A", "1"), ("ADAPTERS__PROVIDER_SETTINGS__P__PORT", "1")):
        monkeypatch.setenv(f"ONEIRIC_{name}", value)
    for name in ("METRICS_ADDRESS", "CACHE_DIR", "LOG_LEVEL", "PROFILE"):
        monkeypatch.delenv(f"ONEIRIC_{name}")
    assert warnings_of(caplog, lambda: use_settings(mine={"b": 2})) == []


def test_a_port_of_ones_own_is_not_taken_for_that_of_kubernetes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A variable that looks like a setting is reported although Kubernetes uses such names too."""
    monkeypatch.setenv("ONEIRIC_METRICS_PORT", "9464")
    assert "ONEIRIC_METRICS_PORT" in warnings_of(caplog, use_settings)[0]


def test_a_setting_that_nothing_reads_is_reported_once_when_it_is_set(caplog: pytest.LogCaptureFixture) -> None:
    """One warning names all of them; what is not set is not named."""
    settings = {"app": {"debug": True}, "remotes": {"eu": {"cache_max_age": 60}}}
    make = partial(use_settings, **settings)
    expected = "nothing reads these settings, see docs/settings.md for each: app.debug, remotes.eu.cache_max_age"
    assert [warnings_of(caplog, make), warnings_of(caplog, make)] == [[expected], []]


def test_the_settings_of_an_application_do_not_have_to_be_read_by_us(caplog: pytest.LogCaptureFixture) -> None:
    """The defaults, and what is read, are no reason for a warning."""
    assert warnings_of(caplog, lambda: use_settings(remote={"enabled": True}, mine={})) == []


def test_the_other_variables_are_those_that_are_read() -> None:
    """What is listed beside the settings has the names that the code uses."""
    read = {STACK_ORDER_ENV, FACTORY_ALLOWLIST_ENV, ENV_TRUSTED_PUBLIC_KEYS, "ONEIRIC_CONFIG"}
    assert {f"ONEIRIC_{name}" for name in OTHERS} == read


def test_no_short_name_hides_a_full_one() -> None:
    """A variable has one meaning."""
    assert not {*ALIASES, *OTHERS} & {*field_variables(OneiricSettings)}


def test_a_line_from_before_logging_is_configured_is_json(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What is reported before there are handlers does not leave plain text among the lines."""
    monkeypatch.setenv("ONEIRIC_METRIC_DIR", "x")
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    use_settings()
    assert json.loads(capfd.readouterr().err)["level"] == "warning"


def test_configured_logging_writes_the_line(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """What is wrong in the environment is a line of the sinks that logging was configured with."""
    monkeypatch.setenv("ONEIRIC_METRIC_DIR", "x")
    configure_logging().close()
    (line,) = capfd.readouterr().err.splitlines()
    assert "ONEIRIC_METRICS_DIR" in json.loads(line)["event"]
