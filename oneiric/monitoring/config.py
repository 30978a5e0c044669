"""What of the bundle is a user's own: names, intervals and every threshold, with the defaults that are committed."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from oneiric.monitoring.values import (
    LABEL_NAME,
    checked_address,
    checked_hours,
    checked_matchers,
    checked_name,
    checked_optional_url,
    checked_path,
    checked_pattern,
    checked_public,
    checked_quantile_bound,
    checked_route,
    checked_swap_bound,
    checked_target,
    checked_targets,
    checked_timezone,
    checked_unit,
    checked_url,
    checked_user,
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

DEFAULT_METRICS_PATH = "/metrics"
NOBODYS_DOMAIN = "oneiric.example"
"""Stands in the addresses of mails until the settings have another: no such domain can be registered."""
RUNBOOKS = "runbooks/ALERTS.md"
"""The page of runbooks, below the directory `docs`."""


class ConfigError(ValueError):
    """A setting of the bundle cannot be used; the text names the key, the value and what would be right."""


class BundleConfig(BaseModel):
    """The settings of the monitoring bundle; immutable. Times are seconds, sizes bytes, ratios between 0 and 1.

    ``time_scale`` stretches or shrinks every window and every time that an alert waits, for rehearsals: thresholds that
    are rates keep their meaning. No window gets shorter than four samples.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    job: Annotated[str, AfterValidator(checked_name)] = "oneiric"
    """The job that Prometheus scrapes the runtimes as."""
    matchers: Annotated[dict[str, str], AfterValidator(checked_matchers)] = {}
    """Further labels of the targets, which every rule asks for (``matchers.LABEL=VALUE``)."""
    app: Annotated[str, AfterValidator(checked_name)] = "oneiric"
    """The label `app` of log lines, and `app.kubernetes.io/name` of the pods that are scraped."""
    environment: Annotated[str, AfterValidator(checked_name)] = "production"
    """The label `env` of log lines."""
    targets: Annotated[tuple[str, ...], AfterValidator(checked_targets)] = ("127.0.0.1:9464",)
    """The metrics servers, HOST:PORT with commas between; where they are not discovered."""
    metrics_path: Annotated[str, AfterValidator(checked_route)] = DEFAULT_METRICS_PATH
    """The path that is scraped; another one where an application serves the metrics, as `/internal/metrics`."""
    scrape_interval_seconds: Positive = 15
    """Seconds between two scrapes of a target."""
    evaluation_interval_seconds: Positive = 15
    """Seconds between two evaluations of a rule."""
    time_scale: Positive = 1
    """What every window and every time that is waited is multiplied with; small for a rehearsal."""
    scrape_ca_file: Annotated[str, AfterValidator(checked_path)] = ""
    """The authority of the metrics servers' certificates; when set, they are scraped with TLS."""
    scrape_cert_file: Annotated[str, AfterValidator(checked_path)] = ""
    """The certificate that Prometheus shows, for mutual TLS."""
    scrape_key_file: Annotated[str, AfterValidator(checked_path)] = ""
    """The key of that certificate."""
    scrape_token_file: Annotated[str, AfterValidator(checked_path)] = ""
    """The file with the token that the metrics servers ask for; with a user, with the password."""
    scrape_user: Annotated[str, AfterValidator(checked_user)] = ""
    """The user of the metrics servers' basic authentication."""

    docs_url: Annotated[str, AfterValidator(checked_optional_url)] = ""
    """Where the directory `docs` is served: runbook links begin with it. Without it, notices name the page in words."""
    grafana_url: Url = "http://localhost:3000"
    """Grafana, for links to dashboards."""
    prometheus_url: Url = "http://localhost:9090"
    """Prometheus, for Grafana."""
    alertmanager_url: Url = "http://localhost:9093"
    """Alertmanager, for Prometheus."""
    loki_url: Url = "http://localhost:3100"
    """Loki, for Grafana and the shippers of log lines."""
    tempo_url: Url = "http://localhost:3200"
    """Tempo, for Grafana's links from lines and exemplars to traces."""
    grafana_dashboards_dir: Annotated[str, AfterValidator(checked_path)] = "/var/lib/grafana/dashboards/oneiric"
    """Where Grafana finds the dashboards' files."""

    loki_dir: Annotated[str, AfterValidator(checked_path)] = "/var/lib/loki"
    """Where Loki keeps its data."""
    loki_rules_dir: Annotated[str, AfterValidator(checked_path)] = "/etc/loki/rules"
    """Where Loki finds its recording rules, in a directory for each tenant."""
    loki_token_file: Annotated[str, AfterValidator(checked_path)] = ""
    """The file with the token that Loki asks the shippers for."""
    log_files: Annotated[str, AfterValidator(checked_pattern)] = "/var/log/oneiric/*.jsonl"
    """The files of log lines, where they are shipped from files."""
    legacy_positions_file: Annotated[str, AfterValidator(checked_path)] = ""
    """Where Promtail kept how far it had read files: Alloy goes on from there, instead of shipping every line again."""
    log_retention_seconds: Annotated[float, Field(ge=86_400, le=1e9)] = 2_592_000
    """How long Loki keeps lines."""
    systemd_unit: Annotated[str, AfterValidator(checked_unit)] = "oneiric.service"
    """The service whose lines are shipped from the journal."""

    webhook_url: Annotated[Url, AfterValidator(checked_public)] = "http://localhost:9095/alerts"
    """The receiver of every notice: `/record` and `/deadman` are added to it. No secret may stand in it."""
    webhook_token_file: Annotated[str, AfterValidator(checked_path)] = ""
    """The file with the token that this receiver asks for."""
    deadman_url_file: Annotated[str, AfterValidator(checked_path)] = ""
    """The file with the secret URL of a service that misses the watchdog (Alertmanager 0.26 or later)."""
    secrets_dir: Annotated[str, AfterValidator(checked_path)] = "/etc/alertmanager/secrets"
    """Where Alertmanager finds `slack-TEAM`, `pagerduty-TEAM`, `pagerduty-escalation` and `smtp-password`."""
    pagerduty_url: Annotated[Url, AfterValidator(checked_public)] = "https://events.pagerduty.com/v2/enqueue"
    """PagerDuty's events API; another one for accounts in the EU."""
    smtp_host: Annotated[str, AfterValidator(checked_target)] = "localhost:25"
    """The mail server, HOST:PORT; TLS is required unless it is on the same machine."""
    smtp_username: Annotated[str, AfterValidator(checked_address)] = ""
    """The user of the mail server, an address; when set, the password is in `smtp-password`."""
    email_from: Annotated[str, AfterValidator(checked_address)] = f"alertmanager@{NOBODYS_DOMAIN}"
    """The sender of mails."""
    email_domain: Annotated[str, AfterValidator(checked_name)] = NOBODYS_DOMAIN
    """The domain of the addresses TEAM@ and TEAM-lead@."""
    office_hours: Annotated[str, AfterValidator(checked_hours)] = ""
    """HH:MM-HH:MM, Monday to Friday: notices of what is not critical are sent only then; always when empty."""
    office_timezone: Annotated[str, AfterValidator(checked_timezone)] = "UTC"
    """The time zone of these hours."""

    resolution_failures_per_minute: Positive = 10
    """Failed resolutions of a domain a minute, above which it is an incident."""
    resolution_p99_seconds: Annotated[Positive, AfterValidator(checked_quantile_bound)] = 0.1
    """The 99th percentile of a domain's resolutions, above which they are slow."""
    resolution_minimum_count: Count = 100
    """Resolutions in five minutes, below which no percentile is looked at."""
    swap_failures_per_minute: Positive = 5
    """Failed swaps of a domain a minute, above which it is an incident."""
    swap_slow_seconds: Annotated[Positive, AfterValidator(checked_swap_bound)] = 30
    """What a single swap may take; a bound of the histogram's buckets."""
    health_check_failures_per_minute: Positive = 3
    """Failed health checks of a domain a minute, above which it is an incident."""
    unhealthy_seconds: Positive = 300
    """How long a component may be unhealthy."""
    rollbacks_burst_count: Count = 3
    """Rollbacks of a component in the window that are a burst."""
    pause_forgotten_seconds: Positive = 14_400
    """How long a component may be paused before it is taken for forgotten."""
    sync_consecutive_failures: Count = 3
    """Failed synchronisations of a source in a row that are an incident."""
    sync_stale_intervals: Positive = 4
    """Intervals of its loop that a source may go without a success."""
    manifest_expiry_seconds: Positive = 86_400
    """How long before a manifest expires the alert fires."""
    cache_usage_ratio: Ratio = 0.8
    """The part of the cache's limit, or of its file system, that may be used."""
    memory_bytes: Annotated[float, Field(gt=0, le=1e15)] = 2**30
    """The resident memory that a process may take."""
    resolution_objective: Objective = 0.999
    """The part of resolutions that must succeed in thirty days."""
    sync_objective: Objective = 0.99
    """The part of synchronisations that must succeed in thirty days."""
    resolution_slo_minimum_count: Count = 1000
    """Resolutions in the long window, below which no error budget burns."""
    sync_slo_minimum_count: Count = 10
    """Synchronisations in the long window, below which no error budget burns."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.scrape_cert_file) != bool(self.scrape_key_file):
            raise ValueError("scrape_cert_file and scrape_key_file must be set together")
        return self

    def seconds(self, nominal: float) -> float:
        """Return how many seconds a time of *nominal* seconds takes at this time scale."""
        return nominal * self.time_scale

    def window(self, nominal: float) -> str:
        """Return the range of *nominal* seconds in PromQL, scaled, and never shorter than four samples."""
        return duration(self.window_seconds(nominal))

    def window_seconds(self, nominal: float) -> float:
        """Return how many seconds the range of :meth:`window` has."""
        return max(self.seconds(nominal), MINIMUM_SAMPLES * self.sample_seconds)

    def runbook(self, alert: str) -> str:
        """Return where the runbook of *alert* is: its address, or without ``docs_url`` its page in words."""
        if self.docs_url:
            return f"{self.docs_url}/{RUNBOOKS}#{alert.lower()}"
        return f"{alert} in docs/{RUNBOOKS} of the Oneiric repository"

    @property
    def gaps(self) -> tuple[str, ...]:
        """What a bundle of these settings lacks until they are set, a sentence each."""
        links = (
            "docs_url is not set: notices name the page of a runbook instead of a link to it; "
            "set it to where the directory docs is served, --set docs_url=https://HOST/PATH"
        )
        mails = (
            f"email_domain is not set: mails go to TEAM@{NOBODYS_DOMAIN}, where nobody reads them; "
            "set it to the domain of your teams' addresses, --set email_domain=DOMAIN"
        )
        return (*((links,) if not self.docs_url else ()), *((mails,) if self.email_domain == NOBODYS_DOMAIN else ()))

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
    close = difflib.get_close_matches(key.strip().lower(), known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"--set {key}: there is no such setting; {hint}docs/monitoring/ALERTING_SETUP.md lists all"


def _sentence(values: dict[str, Any], problem: Any) -> str:
    why = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:
        return f"--set: {why}"
    key = str(problem["loc"][0])
    value = values.get(key)
    if isinstance(value, dict):
        return f"--set {', '.join(f'{key}.{label}={text}' for label, text in value.items())}: {why}"
    return f"--set {key}={','.join(value) if isinstance(value, tuple) else value}: {why}"
