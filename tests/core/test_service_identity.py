"""The name of the service: log lines, spans and exported metrics have it from one place."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from collectors import http_collector

from oneiric._version import __version__
from oneiric.core.config import LoggingConfig, LoggingSinkConfig, OneiricSettings, load_settings
from oneiric.core.logging import configure_logging, get_logger
from oneiric.core.resolution import Resolver
from oneiric.observability import OtlpOptions, attach

if TYPE_CHECKING:
    from pathlib import Path

FIELDS = ("service.name", "service.version", "deployment.environment")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory, a home and an environment without settings."""
    for name in os.environ:
        if name.startswith(("ONEIRIC_", "XDG_CONFIG_HOME", "OTEL_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def logged(config: LoggingConfig | None, directory: Path) -> tuple[str | None, ...]:
    """Return what a log line says of the service."""
    sink = LoggingSinkConfig(target="file", path=directory / "log.jsonl")
    config = LoggingConfig(sinks=[sink]) if config is None else config.model_copy(update={"sinks": [sink]})
    handle = configure_logging(config)
    get_logger().error("x")
    handle.close()
    line = json.loads((directory / "log.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    return tuple(line.get(name) for name in FIELDS)


def exported(settings: OneiricSettings | None, **given: Any) -> tuple[tuple[object, ...], ...]:
    """Return what exported spans and metrics say of the service."""
    names = ("service.name", "service.version", "deployment.environment.name")
    with http_collector() as received:
        if settings is None:
            given = {"otlp": OtlpOptions(endpoint=received.url)}
        else:
            settings.observability.otlp.endpoint = received.url
        resolver = Resolver()
        with attach(resolver, settings=settings, **given) as telemetry:
            resolver.resolve("adapter", "cache")
            assert telemetry.tracer_provider is not None
            spans = telemetry.tracer_provider.resource.attributes
        metrics = received.resource()
    return tuple(tuple(found.get(name) for name in names) for found in (spans, metrics))


STANDARD = {
    "OTEL_SERVICE_NAME": "by-otel",
    "OTEL_RESOURCE_ATTRIBUTES": "service.name=by-resource,service.version=3,deployment.environment=stage%201",
}


@pytest.mark.parametrize(
    ("settings", "environ", "expected"),
    [
        ({}, {}, ("oneiric", __version__, None)),
        ({}, {"OTEL_RESOURCE_ATTRIBUTES": STANDARD["OTEL_RESOURCE_ATTRIBUTES"]}, ("by-resource", "3", "stage 1")),
        ({}, STANDARD, ("by-otel", "3", "stage 1")),
        ({"app": {"name": "shop"}}, STANDARD, ("shop", "3", "stage 1")),
        ({"app": {"name": "oneiric", "environment": "dev"}}, STANDARD, ("oneiric", "3", "dev")),
        ({}, STANDARD | {"ONEIRIC_APP__NAME": "by-variable"}, ("by-variable", "3", "stage 1")),
        (
            {"app": {"name": "shop"}, "logging": {"service_name": "set", "release": "7", "environment": "prod"}},
            STANDARD,
            ("set", "7", "prod"),
        ),
        ({"observability": {"otlp": {"service_name": "set"}}}, STANDARD, ("set", "3", "stage 1")),
        (
            {"observability": {"otlp": {"resource_attributes": {"service.name": "set", "service.version": "7"}}}},
            STANDARD,
            ("set", "7", "stage 1"),
        ),
        ({}, {"OTEL_SERVICE_NAME": " ", "OTEL_RESOURCE_ATTRIBUTES": "service.name=,x"}, ("oneiric", __version__, None)),
    ],
)
def test_log_lines_spans_and_metrics_agree(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
    environ: dict[str, str],
    expected: tuple[str | None, ...],
) -> None:
    """An explicit setting, app.name, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES: the first there is, everywhere."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    given = OneiricSettings(**settings)
    assert (logged(given.logging, place), *exported(given)) == (expected,) * 3


def test_an_application_without_settings_is_called_the_same(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """configure_logging() and attach(otlp=...) honour the name of the application in the environment."""
    monkeypatch.setenv("ONEIRIC_APP__NAME", "shop")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "other")
    assert (logged(None, place)[0], *(found[0] for found in exported(None))) == ("shop",) * 3


def test_a_file_names_the_service(place: Path) -> None:
    """The name of the application in a settings file is that of the service."""
    (place / "a.yaml").write_text("app: {name: shop, environment: prod}", encoding="utf-8")
    assert logged(load_settings("a.yaml").logging, place) == ("shop", None, "prod")


def test_two_names_that_are_set_are_kept(place: Path) -> None:
    """Whoever sets one name for log lines and another one for exports has both."""
    given = OneiricSettings(logging={"service_name": "a"}, observability={"otlp": {"service_name": "b"}})
    assert (logged(given.logging, place)[0], *(found[0] for found in exported(given))) == ("a", "b", "b")
