"""The settings of the metrics server."""

from __future__ import annotations

from dataclasses import fields
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from oneiric.core.config import MetricsServerSettings, SettingsError, load_settings
from oneiric.observability import ServerLimits, ServerSecurity
from oneiric.observability.exposition import Exposition

if TYPE_CHECKING:
    from oneiric.core.config import OneiricSettings


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Load settings from nowhere but what a test names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))


def load(tmp_path: Path, text: str) -> OneiricSettings:
    """Return the settings in a file that says *text*."""
    path = tmp_path / "explicit.yaml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path)


def test_the_defaults_are_those_of_the_server() -> None:
    """Every bound and file of the server is a setting, with the same default."""
    settings = MetricsServerSettings().model_dump()
    page = signature(Exposition).parameters
    defaults = {"render_timeout": page["timeout"].default, "page_reuse": page["reuse"].default}
    for part in (ServerLimits(), ServerSecurity()):
        defaults |= {field.name: getattr(part, field.name) for field in fields(part)}
    assert settings == defaults


def test_files_come_from_the_settings_and_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A nested section in a file, and a nested variable, set the paths."""
    monkeypatch.setenv("ONEIRIC_OBSERVABILITY__SERVER__BEARER_TOKEN_FILE", "/run/secrets/token")
    settings = load(tmp_path, "observability: {server: {tls_cert_file: a.pem, tls_key_file: b.pem}}")
    server = settings.observability.server
    assert (server.tls_cert_file, server.bearer_token_file) == (Path("a.pem"), Path("/run/secrets/token"))
    assert settings.problems == ()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tls_cert_file": "a"}, "tls_cert_file and tls_key_file: either both or none expected"),
        ({"tls_key_file": "a"}, "tls_cert_file and tls_key_file: either both or none expected"),
        ({"tls_client_ca_file": "a"}, "tls_client_ca_file: expected together with tls_cert_file and tls_key_file"),
        ({"basic_auth_user": "a"}, "basic_auth_user and basic_auth_password_file: either both or none expected"),
        ({"basic_auth_password_file": "a"}, "basic_auth_user and basic_auth_password_file: either both or none"),
        (
            {"basic_auth_user": "a:b", "basic_auth_password_file": "a"},
            "basic_auth_user = 'a:b': printable text without",
        ),
        ({"basic_auth_user": "", "basic_auth_password_file": "a"}, "basic_auth_user = '': printable text without"),
    ],
)
def test_half_a_configuration_is_refused(values: dict[str, Any], message: str) -> None:
    """What belongs together is named, by the settings and by the server alike."""
    with pytest.raises(ValidationError, match=message):
        MetricsServerSettings(**values)
    with pytest.raises(ValueError, match=message):
        ServerSecurity(**values)


@pytest.mark.parametrize(
    ("field", "edge", "outside"),
    [
        ("max_connections", 1, 0),
        ("max_connections", 100_000, 100_001),
        ("max_header_bytes", 256, 255),
        ("header_timeout", 0.001, 0),
        ("write_timeout", 3600, 3601),
        ("linger_timeout", 3600, float("inf")),
        ("render_timeout", 0.001, float("nan")),
        ("page_reuse", 0, -0.1),
    ],
)
def test_bounds_have_bounds(field: str, edge: float, outside: float) -> None:
    """A bound may be at its own edge and not beyond."""
    assert getattr(MetricsServerSettings.model_validate({field: edge}), field) == edge
    with pytest.raises(ValidationError):
        MetricsServerSettings.model_validate({field: outside})


def test_a_wrong_value_is_explained(tmp_path: Path) -> None:
    """The error names the file, the key, the value and what would be right."""
    with pytest.raises(
        SettingsError,
        match=r"explicit\.yaml, line 1: observability\.server\.max_connections = 0: .*greater than or equal to 1",
    ):
        load(tmp_path, "observability: {server: {max_connections: 0}}")
    with pytest.raises(
        SettingsError, match=r"explicit\.yaml, line 1: observability\.server: tls_cert_file and tls_key_file"
    ):
        load(tmp_path, "observability: {server: {tls_key_file: b.pem}}")
