"""The bundle as objects of Kubernetes, and the command that exports them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from documents import ROOT
from typer.testing import CliRunner

from oneiric.cli.app import app
from oneiric.monitoring.bundle import kubernetes
from oneiric.monitoring.config import ConfigError, configured

if TYPE_CHECKING:
    from pathlib import Path


def monitor(*assignments: str) -> dict[str, Any]:
    """Return the one endpoint of the ServiceMonitor that *assignments* give."""
    made = yaml.safe_load(kubernetes(configured(assignments))["servicemonitor.yaml"])
    endpoint: dict[str, Any] = made["spec"]["endpoints"][0]
    return endpoint


def test_the_command_writes_what_is_committed(tmp_path: Path) -> None:
    """`--format kubernetes` writes the objects of the component, which are those of the chart."""
    done = CliRunner().invoke(app, ["monitoring", "export", "--format", "kubernetes", "--out", str(tmp_path)])
    assert (done.exit_code, done.stdout) == (0, f"6 files in {tmp_path}\n")
    for directory in ("kubernetes/components/monitoring", "helm/oneiric/files"):
        for path in tmp_path.iterdir():
            committed = ROOT / "deploy" / directory / path.name
            assert path.read_text(encoding="utf-8") == committed.read_text(encoding="utf-8")


def test_settings_reach_the_objects() -> None:
    """A job, a threshold and a label of one's own are in the rule, and what is scraped gets them."""
    made = kubernetes(configured(["app=shop", "job=shop", "matchers.cluster=eu", "swap_slow_seconds=60"]))
    rule = yaml.safe_load(made["prometheusrule.yaml"])
    assert rule["metadata"] == {"name": "shop", "labels": {"app.kubernetes.io/name": "shop"}}
    assert 'up{job="shop", cluster="eu"} == 0' in made["prometheusrule.yaml"]
    endpoint = yaml.safe_load(made["servicemonitor.yaml"])["spec"]["endpoints"][0]
    assert endpoint["relabelings"] == [
        {"targetLabel": "cluster", "replacement": "eu"},
        {"targetLabel": "job", "replacement": "shop"},
    ]


def test_metrics_behind_tls_are_scraped_with_it() -> None:
    """Certificates and a path of one's own reach the endpoint."""
    endpoint = monitor("scrape_ca_file=/etc/ca.crt", "metrics_path=/internal/metrics")
    assert endpoint["scheme"] == "https"
    assert endpoint["tlsConfig"] == {"caFile": "/etc/ca.crt"}
    assert endpoint["path"] == "/internal/metrics"


@pytest.mark.parametrize("assignment", ["scrape_token_file=/etc/token", "scrape_user=scraper"])
def test_a_secret_in_a_file_is_refused(assignment: str) -> None:
    """What an object takes from a Secret only is refused, with what to do instead."""
    with pytest.raises(ConfigError, match=f"--set {assignment}: a ServiceMonitor takes it from a Secret; leave it out"):
        monitor(assignment)
