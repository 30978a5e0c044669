"""What takes metrics and spans out of the process by itself: the exporter of OTLP, and the pusher."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from oneiric.observability.export.deadline import Deadline
from oneiric.observability.export.pushgateway import Pusher
from oneiric.observability.export.worker import STOP_SECONDS, Worker

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from prometheus_client import CollectorRegistry
    from prometheus_client.registry import Collector

    from oneiric.core.observers import Observers
    from oneiric.observability.export.otlp import OtlpExporter
    from oneiric.observability.export.otlp_options import OtlpOptions
    from oneiric.observability.export.pushgateway import PushOptions


class Exporters:
    """The exporters that were asked for, perhaps none.

    Args:
        otlp: What to export with OTLP.
        push: Where to leave the metrics.
        spans: Whether spans may be exported.
        registry: Whose metrics are exported with OTLP.
        collector: Whose metrics are pushed.
        observers: Notified of losses and failures.

    Attributes:
        tracer_provider: Whose spans are exported; None where none are.

    Raises:
        ValueError: An option is wrong.
        OSError: A file that one names cannot be read.
        ImportError: *otlp* is asked for without the extra.
    """

    def __init__(  # noqa: PLR0913 - one for each part
        self,
        *,
        otlp: OtlpOptions | None,
        push: PushOptions | None,
        spans: bool,
        registry: CollectorRegistry,
        collector: Collector,
        observers: Observers,
    ) -> None:
        self._exporters: list[Worker] = []
        self.tracer_provider: TracerProvider | None = None
        if push is not None:
            self._exporters.append(Pusher(push, collector, observers))
        if otlp is not None:
            exporter = _otlp_exporter(replace(otlp, traces=otlp.traces and spans), registry, observers)
            self.tracer_provider = exporter.tracer_provider
            self._exporters.append(exporter)

    def start(self) -> None:
        """Start them; idempotent, and to be called again in a forked child."""
        for exporter in self._exporters:
            exporter.start()

    def flush(self, seconds: float) -> bool:
        """Export everything now, and return whether all of it arrived within *seconds*."""
        deadline = Deadline(seconds)
        flushed = [exporter.flush(deadline.remaining) for exporter in self._exporters]
        return all(flushed)

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Export everything a last time and stop, within *seconds* for all of them together; idempotent."""
        for exporter in self._exporters:
            exporter.begin_stop(seconds)
        for exporter in self._exporters:
            exporter.join()


def _otlp_exporter(options: OtlpOptions, registry: CollectorRegistry, observers: Observers) -> OtlpExporter:
    try:
        from oneiric.observability.export.otlp import OtlpExporter  # noqa: PLC0415 - only who asks for it pays for it
    except ImportError as error:
        raise ImportError(
            "export with OTLP needs the extra otlp: pip install '.[otlp]' in a clone of Oneiric's repository"
        ) from error
    return OtlpExporter(options, registry.collect, observers)
