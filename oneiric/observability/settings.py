"""What the settings say of telemetry, as arguments of what does it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from oneiric.core.service_identity import service_identity
from oneiric.observability.export import OtlpOptions, PushOptions
from oneiric.observability.logs import LogLimits, LogRate

if TYPE_CHECKING:
    from oneiric.core.config import LoggingConfig, LogLimitsConfig, OneiricSettings


def otlp_options(settings: OneiricSettings) -> OtlpOptions | None:
    """Return how to export with OTLP, or None; the service is called as in the log lines unless set otherwise."""
    otlp = settings.observability.otlp
    if not otlp.wanted:
        return None
    return identified(OtlpOptions(**otlp.model_dump(exclude={"enabled"})), settings.logging)


def identified(otlp: OtlpOptions, logging: LoggingConfig) -> OtlpOptions:
    """Return *otlp* with a complete name of the service: what it says itself, else what *logging* says."""
    own = otlp.resource_attributes
    named = logging.service_name if "service_name" in logging.model_fields_set else None
    identity = service_identity(
        otlp.service_name or own.get("service.name") or named,
        version=logging.release,
        environment=logging.environment,
        default=otlp.fallback_service_name,
    )
    known = {"service.version": identity.version, "deployment.environment.name": identity.environment}
    resource = {key: value for key, value in known.items() if value} | {**own}
    return replace(otlp, service_name=identity.name, resource_attributes=resource)


def push_options(settings: OneiricSettings) -> PushOptions | None:
    """Return where to push to, or None."""
    push = settings.observability.push
    return PushOptions(**push.model_dump()) if push.wanted else None


def log_limits_of(config: LogLimitsConfig) -> LogLimits:
    """Return how often log events are written."""
    return LogLimits(
        each=LogRate(config.rate, config.burst),
        total=LogRate(config.total_rate, config.total_burst),
        errors=config.error_reserve,
        events={name: LogRate(own.rate, own.burst) for name, own in config.events.items()},
    )
