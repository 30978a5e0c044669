"""What the process calls itself in log lines, spans and exported metrics: one answer for all of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from oneiric._version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.core.config import LoggingConfig

DEFAULT_SERVICE_NAME = "oneiric"


class ServiceIdentity(NamedTuple):
    """The name of a service, its version and where it is deployed; the latter two may be unknown."""

    name: str
    version: str | None
    environment: str | None


def service_identity(
    name: str | None = None,
    *,
    version: str | None = None,
    environment: str | None = None,
    default: str = DEFAULT_SERVICE_NAME,
    environ: Mapping[str, str] | None = None,
) -> ServiceIdentity:
    """Return what is given, else what ``OTEL_SERVICE_NAME`` and then ``OTEL_RESOURCE_ATTRIBUTES`` say, else *default*.

    The service that is called as the package has its version.
    """
    environ = os.environ if environ is None else environ
    standard = _resource_attributes(environ.get("OTEL_RESOURCE_ATTRIBUTES", ""))
    name = name or environ.get("OTEL_SERVICE_NAME", "").strip() or standard.get("service.name") or default
    return ServiceIdentity(
        name=name,
        version=version or standard.get("service.version") or (__version__ if name == DEFAULT_SERVICE_NAME else None),
        environment=environment
        or standard.get("deployment.environment.name")
        or standard.get("deployment.environment"),
    )


def logged_identity(config: LoggingConfig) -> ServiceIdentity:
    """Return what log lines of *config* say of the service."""
    name = config.service_name if "service_name" in config.model_fields_set else None
    return service_identity(name, version=config.release, environment=config.environment, default=config.service_name)


def _resource_attributes(text: str) -> dict[str, str]:
    """Return what ``key=value`` pairs, separated by commas and percent-encoded, say; others are left out."""
    pairs = (pair.partition("=") for pair in text.split(","))
    return {key.strip(): unquote(value.strip()) for key, equals, value in pairs if equals and value.strip()}
