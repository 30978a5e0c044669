"""Attach every sink to a runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric._version import __version__
from oneiric.core.config import OneiricSettings
from oneiric.core.logging import report_notes
from oneiric.core.unset import UNSET, Unset, given_or
from oneiric.observability.catalogue import CATALOGUE
from oneiric.observability.export import Exporters
from oneiric.observability.exposition import (
    IsolatedCollector,
    own_registry,
)
from oneiric.observability.logs import LogSink
from oneiric.observability.metrics import PrometheusSink
from oneiric.observability.metrics.shared import shared_directory
from oneiric.observability.settings import identified, log_limits_of, otlp_options, push_options
from oneiric.observability.telemetry import Sink, Telemetry, attached_to, seams_of
from oneiric.observability.tracing import TracingSink, recording_trace

if TYPE_CHECKING:
    from os import PathLike

    from opentelemetry.trace import TracerProvider
    from prometheus_client import CollectorRegistry

    from oneiric.observability.export import OtlpOptions, PushOptions
    from oneiric.observability.logs import LogLimits


def attach(  # noqa: PLR0913 - published
    *targets: object,
    settings: OneiricSettings | None = None,
    registry: CollectorRegistry | None = None,
    series_budget: int | Unset = UNSET,
    log_rate_limit: float | Unset = UNSET,
    log_limits: LogLimits | Unset | None = UNSET,
    tracing: bool | Unset = UNSET,
    tracer_provider: TracerProvider | None = None,
    otlp: OtlpOptions | Unset | None = UNSET,
    push: PushOptions | Unset | None = UNSET,
    shared_dir: str | PathLike[str] | Unset | None = UNSET,
    shared_interval: float | Unset = UNSET,
) -> Telemetry:
    """Attach metrics, logs and traces to *targets* and return what detaches them.

    A target is anything that reports through ``observers`` (a resolver, a lifecycle manager, an activity store, a
    remote source, an ``Observers``) or that has ``states()`` to read gauges from; each is used for what it offers. What
    a resolver or a source already holds is counted too. Idempotent: targets that report through a seam that already has
    telemetry join it, and the same :class:`Telemetry` is returned; the other arguments are then ignored.

    Args:
        targets: At least one that reports through ``observers``.
        settings: Its section ``observability`` stands in for arguments that are left out; None: what the environment
            says, then the file that ``ONEIRIC_CONFIG`` names, then the default; ValueError where one of them is wrong.
        registry: Where to register the metrics; None: a registry of their own, with the process, platform and garbage
            collector metrics on it. Names that it already has are a ValueError, and nothing is attached.
        series_budget: Label sets a metric may have; further ones are folded into ``_other``.
        log_rate_limit: Seconds in which a rate-limited log event is written at most once.
        log_limits: How often any log event is written; None: generously.
        tracing: Whether to open spans, once the application has imported OpenTelemetry.
        tracer_provider: Where spans go; None: to the collector that *otlp* names, or else to the global provider.
        otlp: Export with the OpenTelemetry protocol until detached: the registry's metrics, and spans unless they go to
            *tracer_provider*. None: nowhere. Wrong options raise ValueError or OSError; without the extra
            ``otlp`` there is an ImportError.
        push: Leave the metrics on a Pushgateway or in a file, at the latest when detached; None: nowhere. Wrong options
            raise ValueError.
        shared_dir: Where all processes of a service keep their counts, so that a scrape of any shows the totals of all,
            those that ended included; made where it is missing, and a ValueError where it cannot be used. None: this
            process shows its own.
        shared_interval: Seconds between publications of the gauges of this process to the others.
    """
    seams = seams_of(targets)
    if not seams:
        raise ValueError(f"nothing to attach to: none of {[type(target).__name__ for target in targets]} has observers")
    if (known := attached_to(seams)) is not None:
        known.add(*targets)
        return known
    observers = seams[0]
    settings = OneiricSettings() if settings is None else settings
    report_notes(settings)
    options = settings.observability
    directory = given_or(shared_dir, options.shared.directory)
    otlp = otlp_options(settings) if otlp is UNSET else otlp
    sink = PrometheusSink(
        CATALOGUE,
        observers,
        version=__version__,
        series_budget=given_or(series_budget, options.series_budget),
        trace=recording_trace,
        shared=None if directory is None else shared_directory(directory),
        shared_interval=given_or(shared_interval, options.shared.publish_interval),
    )
    rate_limit = given_or(log_rate_limit, options.log_rate_limit_seconds)
    limits = log_limits_of(options.log_limits) if log_limits is UNSET else log_limits
    sinks: list[Sink] = [sink, LogSink(CATALOGUE, observers, rate_limit=rate_limit, limits=limits)]
    collector = IsolatedCollector(sink, name=sink.name, observers=observers, trusted=True)
    registry = own_registry(observers) if registry is None else registry
    tracing = given_or(tracing, options.tracing)
    exporters = Exporters(
        otlp=None if otlp is None else identified(otlp, settings.logging),
        push=push_options(settings) if push is UNSET else push,
        spans=tracing and tracer_provider is None,
        registry=registry,
        collector=collector,
        observers=observers,
    )
    if tracing:
        provider = tracer_provider or exporters.tracer_provider
        sinks.insert(0, TracingSink(CATALOGUE, version=__version__, provider=provider))
    telemetry = Telemetry(sink, sinks, collector=collector, registry=registry, exporters=exporters, observers=observers)
    return _started(telemetry, targets)


def _started(telemetry: Telemetry, targets: tuple[object, ...]) -> Telemetry:
    try:
        telemetry.add(*targets)
    except BaseException:
        telemetry.detach()
        raise
    telemetry.start_exporting()
    return telemetry
