"""The settings of the bundle: defaults, assignments, and what is refused."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneiric.monitoring.config import BundleConfig, ConfigError, configured, duration
from oneiric.observability.catalogue import CATALOGUE


def test_the_defaults_are_the_plans() -> None:
    """Without an assignment the thresholds are those of the plan."""
    config = configured()
    assert config == BundleConfig()
    assert (config.resolution_failures_per_minute, config.swap_failures_per_minute) == (10, 5)
    assert (config.sync_consecutive_failures, config.resolution_p99_seconds) == (3, 0.1)
    assert (config.swap_slow_seconds, config.cache_usage_ratio) == (30, 0.8)
    assert (config.resolution_objective, config.sync_objective) == (0.999, 0.99)


def test_assignments_are_made() -> None:
    """Numbers, texts, lists and matchers are set by key."""
    made = configured(
        ["swap_slow_seconds=60", "job=shop", "targets=a:1,b:2", "matchers.cluster=eu", "matchers.env=prod"]
    )
    assert made.swap_slow_seconds == 60
    assert (made.job, made.targets, made.matchers) == ("shop", ("a:1", "b:2"), {"cluster": "eu", "env": "prod"})


REFUSED = {
    "swap_slow_second=60": "--set swap_slow_second: there is no such setting; did you mean swap_slow_seconds?",
    "SWAP_SLOW=60": "did you mean swap_slow_seconds? docs/monitoring/ALERTING_SETUP.md lists all",
    "zzz=60": "--set zzz: there is no such setting; docs/monitoring/ALERTING_SETUP.md lists all",
    "job": "--set job: must be KEY=VALUE",
    "swap_slow_seconds=x": "--set swap_slow_seconds=x: Input should be a valid number",
    "swap_slow_seconds=40": "must be a bound of the histogram's buckets: 0.005, ",
    "resolution_p99_seconds=1": "must be below 1, the last bound",
    "cache_usage_ratio=1.5": "--set cache_usage_ratio=1.5: Input should be less than 1",
    "time_scale=0": "greater than 0",
    "time_scale=inf": "--set time_scale=inf",
    "time_scale=nan": "--set time_scale=nan",
    'job=a"b': "must begin with a letter or digit",
    "targets=": "must be HOST:PORT",
    "targets=a:99999": "'a:99999' must be HOST:PORT",
    "matchers=a": "did you mean",
    "matchers.job=a": "other than alertname, ",
    "matchers.team=a": "'team' is a label of Oneiric's own metrics and alerts",
    "matchers.__x=a": "'__x' must be the name of a target's label",
    "matchers.a-b=a": "there is no such setting",
    "docs_url=ftp://x": "must be http://HOST",
    "docs_url=https://user:secret@x": "no login",
    "docs_url=https://x/?token=1": "no query",
    "docs_url=https://": "must be http://HOST",
    "docs_url=https://[": "must be http://HOST",
    "metrics_path=metrics": "must be the path of a URL that begins with /",
    "metrics_path=/a b": "must be the path of a URL",
    "metrics_path=/a?b=c": "must be the path of a URL",
    "webhook_url=https://hooks.example/services/T0123/B0123/XXab01cd23ef45gh67ij89kl": "looks like a secret",
    "pagerduty_url=https://events.example/0123456789abcdef0123456789abcdef": "looks like a secret",
    "scrape_cert_file=/a": "--set: scrape_cert_file and scrape_key_file must be set together",
    "scrape_user=a:b": "must be letters, digits",
    "targets=one,two:9464": "--set targets=one,two:9464: 'one' must be HOST:PORT",
    "office_hours=9-17": "must be HH:MM-HH:MM",
    "office_hours=17:00-09:00": "the first before the second",
    "office_timezone=Europe/Berlinn": "did you mean Europe/Berlin?",
    "office_timezone=../etc": "must be a time zone",
}


@pytest.mark.parametrize("assignment", REFUSED)
def test_what_cannot_be_used_is_refused(assignment: str) -> None:
    """An error names the key and the value, and what would be right."""
    with pytest.raises(ConfigError) as raised:
        configured([assignment])
    assert REFUSED[assignment] in str(raised.value)


def test_every_wrong_value_is_named() -> None:
    """Several wrong values are told of at once."""
    with pytest.raises(ConfigError, match=r"--set job=.*; --set time_scale="):
        configured(["job= ", "time_scale=-1"])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.0001, "0s"), (0.25, "250ms"), (1, "1s"), (90, "90s"), (300, "5m"), (86_400, "1d"), (604_800, "1w")],
)
def test_durations_are_written_as_prometheus_does(seconds: float, text: str) -> None:
    """A duration is whole in the largest unit that divides it."""
    assert duration(seconds) == text


def test_windows_are_scaled_and_hold_four_samples() -> None:
    """The time scale shrinks what alerts wait for and look at; a window stays wide enough for rate()."""
    config = configured(["time_scale=0.01", "scrape_interval_seconds=1", "evaluation_interval_seconds=2"])
    assert config.window(3600) == "36s"
    assert config.window(300) == "8s"
    assert config.hold(60) == "600ms"
    assert BundleConfig().window(300) == "5m"


@given(st.text(max_size=60))
def test_no_assignment_is_a_traceback(text: str) -> None:
    """Whatever is assigned, it is made or refused in words."""
    with contextlib.suppress(ConfigError):
        configured([text])


@pytest.mark.parametrize("name", BundleConfig.model_fields)
def test_every_setting_says_what_it_is(name: str) -> None:
    """Each setting has its sentence, which the guide's table shows."""
    assert (BundleConfig.model_fields[name].description or "").endswith(".")


CATALOGUE_LABELS = sorted({"le"}.union(*(metric.label_names for metric in CATALOGUE.metrics)))


@pytest.mark.parametrize("label", CATALOGUE_LABELS)
def test_a_matcher_cannot_have_the_name_of_a_metrics_own_label(label: str) -> None:
    """A target's label under that name would clash with the metric's, so that rules would select something else."""
    with pytest.raises(ConfigError, match=f"--set matchers.{label}=eu: '{label}' is a label of Oneiric's own"):
        configured([f"matchers.{label}=eu"])
