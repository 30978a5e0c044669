"""Settings: models, bounds, paths, profiles."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from pydantic import ValidationError

from oneiric.core.config import (
    LayerSettings,
    LoggingSinkConfig,
    ObservabilitySettings,
    OneiricSettings,
    RemoteAuthConfig,
    RemoteSourceConfig,
    ResolverSettings,
    SettingsError,
    apply_profile_with_fallback,
    apply_runtime_profile,
    domain_activity_path,
    lifecycle_snapshot_path,
    resolve_cache_dir_path,
    resolver_settings_from_config,
    runtime_health_path,
    runtime_observability_path,
    split_address,
    workflow_checkpoint_path,
)
from oneiric.core.config.domains import (
    SUPPORTED_DOMAINS,
    create_layer_selector,
    get_domain_settings,
    is_supported_domain,
)


@pytest.fixture
def settings(tmp_path: Path) -> OneiricSettings:
    """Settings whose files lie in a directory of this test."""
    return OneiricSettings(cache_dir=str(tmp_path / "cache"))


def test_settings_of_one_object_are_not_shared_with_another() -> None:
    """Changing a section of one settings object leaves the next one at its defaults."""
    OneiricSettings().adapters.selections["cache"] = "redis"
    assert OneiricSettings().adapters == LayerSettings()


def test_unknown_top_level_keys_are_kept() -> None:
    """An application may keep its own sections in the same settings."""
    settings = OneiricSettings.model_validate({"mine": {"a": 1}})
    assert getattr(settings, "mine", None) == {"a": 1}


@pytest.mark.parametrize(
    ("field", "edge", "outside"),
    [
        ("signature_threshold", 1, 0),
        ("max_retries", 0, -1),
        ("max_manifest_bytes", 1, 0),
        ("max_entries", 1_000_000, 1_000_001),
        ("max_artifact_bytes", 1, 0),
        ("cache_max_bytes", 1, 0),
        ("cache_scan_interval", 1.0, 0.99),
        ("cache_high_ratio", 1.0, 1.01),
        ("timeout", 0.01, 0),
        ("timeout", 366 * 86400, float("inf")),
        ("refresh_interval", 0, -1),
        ("name", "a" * 64, "a" * 65),
        ("name", "A.b_c-1", "a b"),
        ("name", "x", ""),
        ("retry_base_delay", 0, float("nan")),
    ],
)
def test_every_bound_of_a_remote_source_holds_at_its_edge(field: str, edge: object, outside: object) -> None:
    """The value at a bound is accepted, the next one beyond is not."""
    assert getattr(RemoteSourceConfig.model_validate({field: edge}), field) == edge
    with pytest.raises(ValidationError):
        RemoteSourceConfig.model_validate({field: outside})


@pytest.mark.parametrize(
    ("field", "edge", "outside"),
    [
        ("series_budget", 1, 0),
        ("series_budget", 1_000_000, 1_000_001),
        ("log_rate_limit_seconds", 0, -0.1),
        ("probe_interval", None, 0),
    ],
)
def test_every_bound_of_observability_holds_at_its_edge(field: str, edge: object, outside: object) -> None:
    """The value at a bound is accepted, the next one beyond is not."""
    assert getattr(ObservabilitySettings.model_validate({field: edge}), field) == edge
    with pytest.raises(ValidationError):
        ObservabilitySettings.model_validate({field: outside})


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9464", ("127.0.0.1", 9464)),
        ("[::1]:0", ("::1", 0)),
        ("[fe80::1%eth0]:65535", ("fe80::1%eth0", 65535)),
        ("metrics.example.org:80", ("metrics.example.org", 80)),
    ],
)
def test_an_address_is_split(text: str, address: tuple[str, int]) -> None:
    """Host and port are told apart, brackets dropped."""
    assert split_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "9464", ":9464", "host", "host:", "host:65536", "::1:9464", "a b:1", "h:-1", "h:\u0661"]
)
def test_a_wrong_metrics_address_says_what_is_right(text: str) -> None:
    """Anything but host:port is refused with the form that is wanted."""
    with pytest.raises(ValidationError, match="must be host:port, an IPv6 host in brackets"):
        ObservabilitySettings(metrics_address=text)


def test_a_token_is_not_in_the_repr() -> None:
    """Settings may be printed: credentials are not in what is printed."""
    settings = OneiricSettings.model_validate(
        {
            "remote": {"auth": {"token": "hush"}, "manifest_url": "https://hush@host/"},
            "secrets": {"inline": {"a": "hush"}},
        }
    )
    assert "hush" not in repr(settings)


def test_a_wrong_token_is_not_quoted() -> None:
    """The error for a token of a wrong type does not tell the token."""
    with pytest.raises(ValidationError) as caught:
        RemoteAuthConfig.model_validate({"token": 12345})
    assert "12345" not in str(caught.value)


def test_a_further_remote_is_named_by_its_key() -> None:
    """The mapping key is the label of the source."""
    settings = OneiricSettings.model_validate({"remotes": {"eu": {}}})
    assert settings.remotes["eu"].name == "eu"


@pytest.mark.parametrize(
    ("remotes", "text"),
    [
        ({"remote": {}}, "remotes.remote must differ from remote.name"),
        ({"eu": {"name": "us"}}, "remotes.eu.name must be 'eu' or left out"),
        ({"a b": {}}, "should match pattern"),
    ],
)
def test_an_ambiguous_or_wrong_remote_name_is_refused(remotes: dict[str, object], text: str) -> None:
    """Two sources never share a label, and a label has only plain characters."""
    with pytest.raises(ValidationError, match=text):
        OneiricSettings.model_validate({"remotes": remotes})


def test_an_unknown_log_target_is_refused() -> None:
    """Only the known targets are accepted."""
    with pytest.raises(ValidationError, match="'stdout', 'stderr', 'file' or 'http'"):
        LoggingSinkConfig.model_validate({"target": "syslog"})


def test_paths_lie_in_the_cache_directory(settings: OneiricSettings, tmp_path: Path) -> None:
    """Every file of the runtime has its published name in the cache directory."""
    assert [
        lifecycle_snapshot_path(settings),
        runtime_health_path(settings),
        domain_activity_path(settings),
        runtime_observability_path(settings),
        workflow_checkpoint_path(settings),
    ] == [
        tmp_path / "cache" / name
        for name in (
            "lifecycle_status.json",
            "runtime_health.json",
            "domain_activity.sqlite",
            "runtime_telemetry.json",
            "workflow_checkpoints.sqlite",
        )
    ]


def test_the_cache_directory_is_the_remotes_unless_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a cache directory of its own the runtime uses the one of the remote source, below the current one."""
    monkeypatch.chdir(tmp_path)
    assert lifecycle_snapshot_path(OneiricSettings()) == Path(".oneiric_cache/lifecycle_status.json")
    assert (tmp_path / ".oneiric_cache").is_dir()


def test_the_cache_directory_is_private(tmp_path: Path) -> None:
    """A new cache directory is for its owner alone."""
    directory = resolve_cache_dir_path(tmp_path / "a" / "b")
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_cache_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    """A file in the way is named."""
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"file/cache: cannot be made a directory: Not a directory"):
        resolve_cache_dir_path(tmp_path / "file" / "cache")


def test_overridden_paths_win(tmp_path: Path) -> None:
    """Configured paths are taken as they are; the activity store's directory is made."""
    settings = OneiricSettings.model_validate(
        {
            "runtime_paths": {
                "domain_activity_path": tmp_path / "state" / "activity.db",
                "workflow_checkpoints_path": "checks.db",
            }
        }
    )
    assert (domain_activity_path(settings), workflow_checkpoint_path(settings), (tmp_path / "state").is_dir()) == (
        tmp_path / "state" / "activity.db",
        Path("checks.db"),
        True,
    )


def test_checkpoints_can_be_disabled() -> None:
    """Disabled checkpoints have no path."""
    settings = OneiricSettings.model_validate({"runtime_paths": {"workflow_checkpoints_enabled": False}})
    assert workflow_checkpoint_path(settings) is None


def test_resolver_settings_have_the_selections_by_singular_domain() -> None:
    """Only domains that select something are in the resolver's settings."""
    settings = OneiricSettings.model_validate(
        {"adapters": {"selections": {"cache": "redis"}}, "tasks": {"selections": {}}}
    )
    assert resolver_settings_from_config(settings) == ResolverSettings(selections={"adapter": {"cache": "redis"}})


def test_the_serverless_profile_switches_off_what_runs_in_the_background() -> None:
    """Watchers and every remote source are off in a copy; the original stays."""
    settings = OneiricSettings.model_validate({"remote": {"enabled": True}, "remotes": {"eu": {"enabled": True}}})
    profiled = apply_runtime_profile(settings, "serverless")
    assert (
        profiled.profile.model_dump(),
        [(source.enabled, source.refresh_interval) for source in (profiled.remote, profiled.remotes["eu"])],
        settings.remote.enabled,
    ) == (
        {
            "name": "serverless",
            "watchers_enabled": False,
            "remote_enabled": False,
            "inline_manifest_only": True,
            "supervisor_enabled": True,
        },
        [(False, None), (False, None)],
        True,
    )


@pytest.mark.parametrize("name", ["default", "", None])
def test_the_default_profile_resets(name: str | None) -> None:
    """Going back to the default profile, by its name or by none, restores its switches in a copy."""
    profiled = apply_runtime_profile(OneiricSettings(), "serverless")
    reset = apply_runtime_profile(profiled, name)
    assert (reset.profile, profiled.profile.name) == (OneiricSettings().profile, "serverless")


def test_an_unknown_profile_is_a_value_error() -> None:
    """The error names the profile."""
    with pytest.raises(ValueError, match="Unknown runtime profile: turbo"):
        apply_runtime_profile(OneiricSettings(), "turbo")


def test_the_profile_falls_back_to_the_configured_one() -> None:
    """An explicit name wins, then the configured one; with neither the same object comes back."""
    plain = OneiricSettings()
    configured = OneiricSettings.model_validate({"profile": {"name": "serverless"}})
    assert (
        apply_profile_with_fallback(plain, "serverless").profile.watchers_enabled,
        apply_profile_with_fallback(configured, None).profile.watchers_enabled,
        apply_profile_with_fallback(plain, None) is plain,
    ) == (False, False, True)


def test_every_domain_has_its_section() -> None:
    """The six domains, exactly as written, select their section."""
    settings = OneiricSettings.model_validate(
        {f"{domain}s": {"options": {"d": domain}} for domain in SUPPORTED_DOMAINS}
    )
    assert [create_layer_selector(domain)(settings).options for domain in SUPPORTED_DOMAINS] == [
        {"d": domain} for domain in ("adapter", "service", "task", "event", "workflow", "action")
    ]


@pytest.mark.parametrize("name", ["Adapter", "adapters", "", "app"])
def test_other_names_are_no_domain(name: str) -> None:
    """A name that is not exactly a domain has no section."""
    assert not is_supported_domain(name)
    for refuse in (lambda: create_layer_selector(name), lambda: get_domain_settings(OneiricSettings(), name)):
        with pytest.raises(ValueError, match="has no settings; one of adapter, service"):
            refuse()
