"""Where OTLP goes and how: options, the standard variables, defaults, and what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from oneiric.core.observers import Observers
from oneiric.observability import OtlpOptions, attach
from oneiric.observability.export.otlp_options import OtlpPlan, Target, read_headers, resolve

if TYPE_CHECKING:
    from pathlib import Path


def targets(environ: dict[str, str], **options: Any) -> tuple[Target, Target]:
    """Return where traces and metrics go."""
    plan = resolve(OtlpOptions(**options), environ)
    assert plan.traces is not None
    assert plan.metrics is not None
    return plan.traces, plan.metrics


def where(target: Target) -> str:
    """Return the URL of *target*, with how it is spoken to."""
    return f"{target.protocol} {'https' if target.url.secure else 'http'} {target.url.authority}{target.url.path}"


@pytest.mark.parametrize(
    ("environ", "options", "expected"),
    [
        ({}, {}, ["http/protobuf http localhost:4318/v1/traces", "http/protobuf http localhost:4318/v1/metrics"]),
        ({}, {"protocol": "grpc"}, ["grpc http localhost:4317/", "grpc http localhost:4317/"]),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c/base/"},
            {},
            ["http/protobuf https c:443/base/v1/traces", "http/protobuf https c:443/base/v1/metrics"],
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t:1/own"},
            {},
            ["http/protobuf http t:1/own", "http/protobuf http c:80/v1/metrics"],
        ),
        (
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t:1/own"},
            {"endpoint": "http://[::1]:2"},
            ["http/protobuf http [::1]:2/v1/traces", "http/protobuf http [::1]:2/v1/metrics"],
        ),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/protobuf"},
            {"endpoint": "http://c:1"},
            ["grpc http c:1/", "http/protobuf http c:1/v1/metrics"],
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "c:4317", "OTEL_EXPORTER_OTLP_METRICS_INSECURE": "true"},
            {"protocol": "grpc"},
            ["grpc https c:4317/", "grpc http c:4317/"],
        ),
    ],
)
def test_options_beat_variables_beat_defaults(
    environ: dict[str, str], options: dict[str, Any], expected: list[str]
) -> None:
    """The endpoint is the option's, else the signal's variable as it stands, else the common one with a path."""
    assert [where(target) for target in targets(environ, **options)] == expected


def test_headers_come_from_variables() -> None:
    """Headers are read from the variable, decoded, the signal's instead of the common ones."""
    environ = {
        "OTEL_EXPORTER_OTLP_HEADERS": "api-key=a%20b, x=1",
        "OTEL_EXPORTER_OTLP_METRICS_HEADERS": "api-key=c",
    }
    traces, metrics = targets(environ)
    assert (traces.current_headers(), metrics.current_headers()) == ({"api-key": "a b", "x": "1"}, {"api-key": "c"})


def test_credentials_of_the_url_become_a_header() -> None:
    """User name and password are sent as a header, which the file's may replace, and shown nowhere."""
    traces, _ = targets({}, endpoint="http://user:p%40ss@c")
    assert traces.current_headers() == {"authorization": "Basic dXNlcjpwQHNz"}
    assert "p%40ss" not in repr(OtlpOptions(endpoint="http://user:p%40ss@c"))


def test_credentials_are_in_no_representation() -> None:
    """What was resolved shows where it goes, without what a collector wants to know whom by."""
    environ = {"OTEL_EXPORTER_OTLP_HEADERS": "api-key=c2VjcmV0"}
    shown = repr(resolve(OtlpOptions(endpoint="https://user:hunter2@collector"), environ))
    secrets = ("c2VjcmV0", "hunter2", "Authorization", "Basic", "dXNlcjpodW50ZXIy")
    assert [secret for secret in secrets if secret in shown] == []
    assert "host='collector'" in shown


def test_intervals_and_sizes_come_from_variables() -> None:
    """The variables of the batch processor and the periodic reader count, in milliseconds, and an option more."""
    environ = {
        "OTEL_BSP_SCHEDULE_DELAY": "250",
        "OTEL_METRIC_EXPORT_INTERVAL": "1500",
        "OTEL_BSP_MAX_QUEUE_SIZE": "100",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1000",
    }
    plan = resolve(OtlpOptions(), environ)
    assert (plan.traces_interval, plan.metrics_interval) == (0.25, 1.5)
    assert (plan.max_queued_spans, plan.max_batch_spans) == (100, 100)
    assert resolve(OtlpOptions(metrics_interval=0.5), environ).metrics_interval == 0.5


@pytest.mark.parametrize(
    ("environ", "options", "expected"),
    [
        ({"OTEL_SDK_DISABLED": "true"}, {}, (False, False)),
        ({"OTEL_TRACES_EXPORTER": "none"}, {}, (False, True)),
        ({"OTEL_METRICS_EXPORTER": "none"}, {}, (True, False)),
        ({}, {"traces": False}, (False, True)),
    ],
)
def test_signals_can_be_switched_off(
    environ: dict[str, str], options: dict[str, Any], expected: tuple[bool, bool]
) -> None:
    """A signal that an option or a variable switches off is not exported."""

    def exported(plan: OtlpPlan) -> tuple[bool, bool]:
        return plan.traces is not None, plan.metrics is not None

    assert exported(resolve(OtlpOptions(**options), environ)) == expected


@pytest.mark.parametrize(
    ("environ", "options", "message"),
    [
        ({}, {"endpoint": "collector:4318"}, "endpoint: http://host:port or https://host:port expected"),
        ({}, {"endpoint": "http://user:hunter2@c\r\nX: y"}, "endpoint: "),
        ({}, {"endpoint": "http://[::1"}, "endpoint: not a URL"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "ftp://c"}, {}, "OTEL_EXPORTER_OTLP_ENDPOINT: "),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"},
            {},
            "OTEL_EXPORTER_OTLP_PROTOCOL = 'http/json': http/protobuf or",
        ),
        ({}, {"compression": "zstd"}, "compression = 'zstd': none or gzip expected"),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "hunter2"}, {}, "OTEL_EXPORTER_OTLP_HEADERS: name=value"),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "a=x%0Dhunter2"}, {}, "OTEL_EXPORTER_OTLP_HEADERS: header 'a' has"),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "many"}, {}, "OTEL_BSP_MAX_QUEUE_SIZE, or the option instead: a number"),
        ({"OTEL_BSP_SCHEDULE_DELAY": "nan"}, {}, "OTEL_BSP_SCHEDULE_DELAY, or"),
        ({}, {"timeout": 0.0}, "timeout: above 0 s expected"),
    ],
)
def test_what_is_wrong_is_named(environ: dict[str, str], options: dict[str, Any], message: str) -> None:
    """A wrong option or variable raises an error with its name, which shows no secret."""
    with pytest.raises(ValueError, match=message) as raised:
        resolve(OtlpOptions(**options), environ)
    assert "hunter2" not in str(raised.value)


def test_a_wrong_headers_file_is_named(tmp_path: Path) -> None:
    """A file that is missing or has a wrong line raises an error that shows no value."""
    path = tmp_path / "headers"
    with pytest.raises(FileNotFoundError):
        resolve(OtlpOptions(headers_file=path), {})
    path.write_text("authorization hunter2\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 1 is not 'name: value'") as raised:
        read_headers(path)
    assert "hunter2" not in str(raised.value)


def test_wrong_options_attach_nothing() -> None:
    """Attaching with wrong options raises, and leaves nothing attached."""
    observers = Observers()
    with pytest.raises(ValueError, match="endpoint: "):
        attach(observers, otlp=OtlpOptions(endpoint="nowhere"))
    assert observers.attached == ()
