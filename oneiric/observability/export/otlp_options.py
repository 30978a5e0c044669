"""What is exported with OTLP, and where to: what options say, then standard variables, then defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import unquote

from oneiric.core.limits import OTLP_TIMEOUT
from oneiric.observability.export.http_client import Url, check_headers, parse_url

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

Signal: TypeAlias = Literal["traces", "metrics"]
HTTP = "http/protobuf"
GRPC = "grpc"
_DEFAULT_ENDPOINTS = {HTTP: "http://localhost:4318", GRPC: "http://localhost:4317"}
_MAX_NUMBER = 1e9


@dataclass(frozen=True, kw_only=True)
class OtlpOptions:
    """How to export; None leaves a value to the variable named with it, or else to the default.

    Variables for one signal (``OTEL_EXPORTER_OTLP_TRACES_ENDPOINT``) beat those for both. Sampling and limits of spans
    are the SDK's (``OTEL_TRACES_SAMPLER``, ``OTEL_SPAN_*``), and ``OTEL_SDK_DISABLED`` and ``OTEL_*_EXPORTER=none`` are
    obeyed. ``OTEL_EXPORTER_OTLP_TIMEOUT`` is not read: implementations disagree about its unit.

    Attributes:
        endpoint: Base URL of the collector (``OTEL_EXPORTER_OTLP_ENDPOINT``, ``http://localhost:4318``, for gRPC 4317).
        protocol: http/protobuf or grpc (``OTEL_EXPORTER_OTLP_PROTOCOL``, http/protobuf).
        headers_file: File with a ``name: value`` a line to send as headers, read for every request
            (``OTEL_EXPORTER_OTLP_HEADERS``, which holds them itself).
        certificate_file: Authorities to trust, PEM (``OTEL_EXPORTER_OTLP_CERTIFICATE``, the system's).
        client_certificate_file: What to show to the collector, PEM (``OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE``).
        client_key_file: Its key, PEM (``OTEL_EXPORTER_OTLP_CLIENT_KEY``).
        compression: none or gzip (``OTEL_EXPORTER_OTLP_COMPRESSION``, none).
        timeout: Seconds that one request may take.
        traces: Whether to export spans (``OTEL_TRACES_EXPORTER``).
        metrics: Whether to export metrics (``OTEL_METRICS_EXPORTER``).
        traces_interval: Seconds between exports of spans (``OTEL_BSP_SCHEDULE_DELAY``, 5 s).
        metrics_interval: Seconds between exports of metrics (``OTEL_METRIC_EXPORT_INTERVAL``, 60 s).
        max_queued_spans: Spans that wait; beyond, the oldest are lost (``OTEL_BSP_MAX_QUEUE_SIZE``, 1,024).
        max_batch_spans: Spans in one request (``OTEL_BSP_MAX_EXPORT_BATCH_SIZE``, 256).
        service_name: What calls itself so (what the settings call it, ``OTEL_SERVICE_NAME``, ``service.name`` of
            ``OTEL_RESOURCE_ATTRIBUTES``, *fallback_service_name*).
        resource_attributes: More of the resource; they beat ``OTEL_RESOURCE_ATTRIBUTES``.
    """

    endpoint: str | None = field(default=None, repr=False)  # may carry a credential
    protocol: str | None = None
    headers_file: str | os.PathLike[str] | None = None
    certificate_file: str | os.PathLike[str] | None = None
    client_certificate_file: str | os.PathLike[str] | None = None
    client_key_file: str | os.PathLike[str] | None = None
    compression: str | None = None
    timeout: float = OTLP_TIMEOUT
    traces: bool = True
    metrics: bool = True
    traces_interval: float | None = None
    metrics_interval: float | None = None
    max_queued_spans: int | None = None
    max_batch_spans: int | None = None
    service_name: str | None = None
    fallback_service_name: str = "oneiric"
    resource_attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where one signal goes, and how; the representation has no credentials."""

    signal: Signal
    url: Url
    protocol: str
    headers: Mapping[str, str] = field(repr=False)
    headers_file: Path | None
    certificate_file: str | None
    client_certificate_file: str | None
    client_key_file: str | None
    compression: str
    timeout: float

    def current_headers(self) -> dict[str, str]:
        """Return the headers to send now; ValueError, which quotes no value, or OSError for a file of no use."""
        headers = dict(self.headers)
        if self.url.authorization:
            headers.setdefault("authorization", self.url.authorization)
        return headers | (read_headers(self.headers_file) if self.headers_file else {})


@dataclass(frozen=True, kw_only=True)
class OtlpPlan:
    """What is done; a signal whose target is None is not exported."""

    traces: Target | None
    metrics: Target | None
    traces_interval: float
    metrics_interval: float
    max_queued_spans: int
    max_batch_spans: int


def resolve(options: OtlpOptions, environ: Mapping[str, str]) -> OtlpPlan:
    """Return what *options* and *environ* ask for; ValueError names what is wrong, OSError the file that is missing."""
    variables = _Variables(environ)
    queued = int(_number(options.max_queued_spans, variables, "OTEL_BSP_MAX_QUEUE_SIZE", 1024))
    batch = int(_number(options.max_batch_spans, variables, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 256))
    return OtlpPlan(
        traces=_target(options, variables, "traces") if options.traces else None,
        metrics=_target(options, variables, "metrics") if options.metrics else None,
        traces_interval=_number(options.traces_interval, variables, "OTEL_BSP_SCHEDULE_DELAY", 5.0, unit=1000),
        metrics_interval=_number(options.metrics_interval, variables, "OTEL_METRIC_EXPORT_INTERVAL", 60.0, unit=1000),
        max_queued_spans=queued,
        max_batch_spans=min(batch, queued),
    )


def read_headers(path: Path) -> dict[str, str]:
    """Return what *path* holds, a ``name: value`` a line; empty lines and those that begin with ``#`` mean nothing."""
    headers = {}
    for number, line in enumerate(path.read_text(encoding="latin-1").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError(f"{path}: line {number} is not 'name: value'")
        headers[name.strip().lower()] = value.strip()
    check_headers(headers, what=str(path))
    return headers


@dataclass(frozen=True)
class _Variables:
    """The standard environment variables; an empty one is none."""

    environ: Mapping[str, str]

    def get(self, name: str) -> str:
        return self.environ.get(name, "").strip()

    def exporter(self, signal: Signal, name: str) -> tuple[str, str]:
        """Return the variable about *name* that counts for *signal*, and its value or ""."""
        own, common = f"OTEL_EXPORTER_OTLP_{signal.upper()}_{name}", f"OTEL_EXPORTER_OTLP_{name}"
        return (own, self.get(own)) if self.get(own) else (common, self.get(common))


def _target(options: OtlpOptions, variables: _Variables, signal: Signal) -> Target | None:
    if variables.get("OTEL_SDK_DISABLED").lower() == "true":
        return None
    if variables.get(f"OTEL_{signal.upper()}_EXPORTER").lower() == "none":
        return None
    if not options.timeout > 0:
        raise ValueError(f"timeout: above 0 s expected, not {options.timeout}")
    protocol = _choice(options.protocol, "protocol", variables, signal, (HTTP, GRPC))
    target = Target(
        signal=signal,
        url=_url(options, variables, signal, protocol),
        protocol=protocol,
        headers=_headers(*variables.exporter(signal, "HEADERS")) if options.headers_file is None else {},
        headers_file=None if options.headers_file is None else Path(options.headers_file).expanduser(),
        certificate_file=_file(options.certificate_file, variables, signal, "CERTIFICATE"),
        client_certificate_file=_file(options.client_certificate_file, variables, signal, "CLIENT_CERTIFICATE"),
        client_key_file=_file(options.client_key_file, variables, signal, "CLIENT_KEY"),
        compression=_choice(options.compression, "compression", variables, signal, ("none", "gzip")),
        timeout=options.timeout,
    )
    target.current_headers()  # what is wrong now is wrong configuration
    return target


def _url(options: OtlpOptions, variables: _Variables, signal: Signal, protocol: str) -> Url:
    path = "" if protocol == GRPC else f"/v1/{signal}"
    if options.endpoint is not None:
        return parse_url(options.endpoint.rstrip("/") + path, what="endpoint")
    name, value = variables.exporter(signal, "ENDPOINT")
    if protocol == GRPC and value and "://" not in value:
        value = ("http://" if variables.exporter(signal, "INSECURE")[1].lower() == "true" else "https://") + value
    is_whole = name.endswith(f"_{signal.upper()}_ENDPOINT")  # then the standard wants it taken as it is
    return parse_url(value if is_whole else (value or _DEFAULT_ENDPOINTS[protocol]).rstrip("/") + path, what=name)


def _choice(option: str | None, what: str, variables: _Variables, signal: Signal, allowed: tuple[str, ...]) -> str:
    name, value = (what, option) if option is not None else variables.exporter(signal, what.upper())
    if (value or allowed[0]) not in allowed:
        raise ValueError(f"{name} = {value!r:.80}: {' or '.join(allowed)} expected")
    return value or allowed[0]


def _file(option: str | os.PathLike[str] | None, variables: _Variables, signal: Signal, name: str) -> str | None:
    path = str(option) if option is not None else variables.exporter(signal, name)[1]
    return str(Path(path).expanduser()) if path else None


def _headers(name: str, text: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    if not all(equals for _, equals, _ in pairs):
        raise ValueError(f"{name}: name=value, separated by commas, expected")
    headers = {key.strip().lower(): unquote(value.strip(), encoding="latin-1") for key, _, value in pairs}
    check_headers(headers, what=name)
    return headers


def _number(option: float | None, variables: _Variables, name: str, default: float, *, unit: int = 1) -> float:
    """Return *option*, else what the variable *name* says in units of 1/*unit*, else *default*; at least 1 of them."""
    try:
        value = option if option is not None else float(variables.get(name) or default * unit) / unit
    except ValueError:
        value = 0.0
    if not 1 / unit <= value <= _MAX_NUMBER:
        raise ValueError(f"{name}, or the option instead: a number from 1 expected")
    return value
