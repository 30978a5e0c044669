"""What the settings ask to be exported and pushed, as telemetry is told it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.observability import OtlpOptions, PushOptions

if TYPE_CHECKING:
    from oneiric.core.config import OneiricSettings


def otlp_options(settings: OneiricSettings) -> OtlpOptions | None:
    """Return how to export with OTLP, or None; the service is called as in the log lines unless set otherwise."""
    otlp, logging = settings.observability.otlp, settings.logging
    if not otlp.wanted:
        return None
    known = {"service.version": logging.release, "deployment.environment.name": logging.environment}
    resource = {name: value for name, value in known.items() if value} | otlp.resource_attributes
    options = otlp.model_dump(exclude={"enabled", "resource_attributes"})
    return OtlpOptions(**options, resource_attributes=resource, fallback_service_name=logging.service_name)


def push_options(settings: OneiricSettings) -> PushOptions | None:
    """Return where to push to, or None."""
    push = settings.observability.push
    return PushOptions(**push.model_dump()) if push.wanted else None
