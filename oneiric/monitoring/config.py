"""What of the bundle is a user's own: names, intervals and every threshold, with the defaults that are committed."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from oneiric.monitoring._values import (
    LABEL_NAME,
    checked_address,
    checked_channel,
    checked_matchers,
    checked_name,
    checked_path,
    checked_quantile_bound,
    checked_swap_bound,
    checked_target,
    checked_targets,
    checked_url,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

Positive = Annotated[float, Field(gt=0, le=1e9)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Ratio = Annotated[float, Field(gt=0, lt=1)]
Objective = Annotated[float, Field(gt=0.94, lt=1)]
"""A target below could not burn 14.4 times too fast: more than everything would have to fail."""
Url = Annotated[str, AfterValidator(checked_url)]
Severity = Literal["critical", "warning", "info"]
Team = Literal["platform", "providers", "release", "infrastructure"]
"""Whom an alert is for: who runs the runtime, owns a provider, publishes manifests, or runs the machines."""

MINIMUM_SAMPLES = 4
"""A window holds at least so many samples, scraped or recorded: rate() needs two, and one or two may be missing."""


class ConfigError(ValueError):
    """A setting of the bundle cannot be used; the text names the key, the value and what would be right."""


class BundleConfig(BaseModel):
    """The settings of the monitoring bundle; immutable. Times are seconds, sizes bytes, ratios between 0 and 1.

    ``time_scale`` stretches or shrinks every window and every time that an alert waits, for rehearsals: thresholds that
    are rates keep their meaning. No window gets shorter than four samples.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    job: Annotated[str, AfterValidator(checked_name)] = "oneiric"
    matchers: Annotated[dict[str, str], AfterValidator(checked_matchers)] = {}
    app: Annotated[str, AfterValidator(checked_name)] = "oneiric"
    environment: Annotated[str, AfterValidator(checked_name)] = "production"
    targets: Annotated[tuple[str, ...], AfterValidator(checked_targets)] = ("127.0.0.1:9464",)
    scrape_interval_seconds: Positive = 15
    evaluation_interval_seconds: Positive = 15
    time_scale: Positive = 1
    scrape_ca_file: Annotated[str, AfterValidator(checked_path)] = ""
    scrape_token_file: Annotated[str, AfterValidator(checked_path)] = ""

    docs_url: Url = "https://oneiric.example/docs"
    grafana_url: Url = "http://localhost:3000"
    prometheus_url: Url = "http://localhost:9090"
    alertmanager_url: Url = "http://localhost:9093"
    loki_url: Url = "http://localhost:3100"
    tempo_url: Url = "http://localhost:3200"
    grafana_dashboards_dir: Annotated[str, AfterValidator(checked_path)] = "/var/lib/grafana/dashboards/oneiric"

    webhook_url: Url = "http://localhost:9095/alerts"
    secrets_dir: Annotated[str, AfterValidator(checked_path)] = "/etc/alertmanager/secrets"
    slack_channel_prefix: Annotated[str, AfterValidator(checked_channel)] = "#oneiric-"
    smtp_host: Annotated[str, AfterValidator(checked_target)] = "localhost:25"
    smtp_username: Annotated[str, AfterValidator(checked_address)] = ""
    email_from: Annotated[str, AfterValidator(checked_address)] = "alertmanager@oneiric.example"
    email_domain: Annotated[str, AfterValidator(checked_name)] = "oneiric.example"

    resolution_failures_per_minute: Positive = 10
    resolution_p99_seconds: Annotated[Positive, AfterValidator(checked_quantile_bound)] = 0.1
    resolution_minimum_count: Count = 100
    swap_failures_per_minute: Positive = 5
    swap_slow_seconds: Annotated[Positive, AfterValidator(checked_swap_bound)] = 30
    health_check_failures_per_minute: Positive = 3
    unhealthy_seconds: Positive = 300
    rollbacks_burst_count: Count = 3
    pause_forgotten_seconds: Positive = 14_400
    sync_consecutive_failures: Count = 3
    sync_stale_intervals: Positive = 4
    manifest_expiry_seconds: Positive = 86_400
    cache_usage_ratio: Ratio = 0.8
    memory_bytes: Annotated[float, Field(gt=0, le=1e15)] = 2**30
    resolution_objective: Objective = 0.999
    sync_objective: Objective = 0.99
    resolution_slo_minimum_count: Count = 1000
    sync_slo_minimum_count: Count = 10

    def seconds(self, nominal: float) -> float:
        """Return how many seconds a time of *nominal* seconds takes at this time scale."""
        return nominal * self.time_scale

    def window(self, nominal: float) -> str:
        """Return the range of *nominal* seconds in PromQL, scaled, and never shorter than four samples."""
        return duration(self.window_seconds(nominal))

    def window_seconds(self, nominal: float) -> float:
        """Return how many seconds the range of :meth:`window` has."""
        return max(self.seconds(nominal), MINIMUM_SAMPLES * self.sample_seconds)

    @property
    def sample_seconds(self) -> float:
        """Seconds between samples, scraped or recorded, whichever come more rarely."""
        return max(self.scrape_interval_seconds, self.evaluation_interval_seconds)

    def hold(self, nominal: float) -> str:
        """Return *nominal* seconds, scaled, as Prometheus writes a duration."""
        return duration(self.seconds(nominal))


UNITS = (("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))


def duration(seconds: float) -> str:
    """Return *seconds* as Prometheus writes a duration, in the largest unit that divides it; whole milliseconds."""
    milliseconds = max(round(seconds * 1000), 0)
    if milliseconds == 0:
        return "0s"
    return next(f"{milliseconds // size}{unit}" for unit, size in UNITS if milliseconds % size == 0)


def configured(assignments: Iterable[str] = ()) -> BundleConfig:
    """Return the defaults with *assignments* made, each ``KEY=VALUE``; ``matchers.LABEL=VALUE`` adds a label matcher.

    Lists are separated by commas.

    Raises:
        ConfigError: An assignment without ``=``, an unknown key, or a value that cannot be used.
    """
    values: dict[str, Any] = {}
    for assignment in assignments:
        _assign(values, assignment)
    try:
        return BundleConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError("; ".join(_sentence(values, problem) for problem in error.errors())) from None


def _assign(values: dict[str, Any], assignment: str) -> None:
    key, equals, value = assignment.partition("=")
    if not equals:
        raise ConfigError(f"--set {assignment}: must be KEY=VALUE")
    name, dot, label = key.partition(".")
    if name == "matchers" and dot and LABEL_NAME.fullmatch(label):
        values.setdefault("matchers", {})[label] = value
    elif key not in BundleConfig.model_fields or key == "matchers":
        raise ConfigError(_unknown(key))
    else:
        values[key] = tuple(value.split(",")) if key == "targets" else value


def _unknown(key: str) -> str:
    known = [*(name for name in BundleConfig.model_fields if name != "matchers"), "matchers.LABEL"]
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
    return f"--set {key}: there is no such setting; {hint}"


def _sentence(values: dict[str, Any], problem: Any) -> str:
    key = str(problem["loc"][0])
    return f"--set {key}={values.get(key)}: {problem['msg'].removeprefix('Value error, ')}"
