"""The settings of what leaves the process by itself: export with OTLP, and pushes."""

from __future__ import annotations

import re
from pathlib import Path  # noqa: TC003 - pydantic reads it at run time
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from oneiric.core import limits

_MAX_SECONDS = 366 * 86_400.0
_SECRETIVE = ConfigDict(allow_inf_nan=False, hide_input_in_errors=True)


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or re.search(r"[\s?#]", url):
        raise ValueError("must be http://host:port or https://host:port, perhaps with a path")
    return url


def _checked_label(name: str) -> str:
    if name == "job" or not re.fullmatch(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*", name):
        raise ValueError("must be the name of a label other than job")
    return name


CollectorUrl = Annotated[str, AfterValidator(_checked_url)]
"""Where something is sent to; it may carry user name and password."""
LabelName = Annotated[str, AfterValidator(_checked_label)]
Interval = Annotated[float, Field(ge=0.001, le=_MAX_SECONDS)]


class OtlpSettings(BaseModel):
    """Export with the OpenTelemetry protocol; what is None is left to the standard variables ``OTEL_*``.

    Attributes:
        enabled: Whether to export; None: if *endpoint* is set.
        endpoint: Base URL of the collector.
        protocol: Over HTTP or gRPC.
        headers_file: File with a ``name: value`` a line to send as headers.
        certificate_file: Authorities whose certificates of the collector are trusted, in PEM.
        client_certificate_file: What to show to the collector, in PEM.
        client_key_file: Its private key, in PEM.
        compression: Whether requests are compressed.
        timeout: Seconds that one request may take.
        traces: Whether to export spans.
        metrics: Whether to export metrics.
        traces_interval: Seconds between exports of spans.
        metrics_interval: Seconds between exports of metrics.
        max_queued_spans: Spans that wait while they cannot be exported; beyond, the oldest are lost.
        max_batch_spans: Spans in one request.
        service_name: What the runtime is called there; None: as in log lines, see ``logging.service_name``. Where only
            this is set, log lines have it too.
        resource_attributes: More of the resource.
    """

    model_config = _SECRETIVE

    enabled: bool | None = None
    endpoint: CollectorUrl | None = Field(default=None, repr=False)
    protocol: Literal["http/protobuf", "grpc"] | None = None
    headers_file: Path | None = None
    certificate_file: Path | None = None
    client_certificate_file: Path | None = None
    client_key_file: Path | None = None
    compression: Literal["none", "gzip"] | None = None
    timeout: Interval = limits.OTLP_TIMEOUT
    traces: bool = True
    metrics: bool = True
    traces_interval: Interval | None = None
    metrics_interval: Interval | None = None
    max_queued_spans: int | None = Field(default=None, ge=1, le=1_000_000)
    max_batch_spans: int | None = Field(default=None, ge=1, le=100_000)
    service_name: str | None = None
    resource_attributes: dict[str, str] = {}

    @property
    def wanted(self) -> bool:
        """Whether to export."""
        return self.endpoint is not None if self.enabled is None else self.enabled


class PushSettings(BaseModel):
    """Leave the metrics where they are fetched later, when the runtime stops.

    Attributes:
        pushgateway: URL of a Prometheus Pushgateway.
        job: The label ``job`` there.
        grouping: Further labels of the group.
        textfile: File for the textfile collector of the node exporter; its name has to end in ``.prom`` there.
        interval: Seconds between pushes before; None: at the stop only.
        timeout: Seconds that one push may take.
    """

    model_config = _SECRETIVE

    pushgateway: CollectorUrl | None = Field(default=None, repr=False)
    job: str = Field(default="oneiric", min_length=1)
    grouping: dict[LabelName, str] = {}
    textfile: Path | None = None
    interval: Interval | None = None
    timeout: Interval = limits.PUSH_TIMEOUT

    @property
    def wanted(self) -> bool:
        """Whether there is anywhere to push to."""
        return self.pushgateway is not None or self.textfile is not None
