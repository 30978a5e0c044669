"""Prometheus' configurations: all that it can find targets with, and that the rules find the series again."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from bundles import exported
from processes import executable

from oneiric.monitoring.bundle import bundle, write
from oneiric.monitoring.config import configured

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = {
    "defaults": (),
    "a user's own": (
        "job=shop",
        "matchers.cluster=eu",
        "targets=10.0.0.1:9464,[::1]:9464",
        "scrape_interval_seconds=5",
        "scrape_ca_file=/etc/oneiric/ca.pem",
        "scrape_token_file=/etc/oneiric/token",
        "alertmanager_url=https://alerts.example/am",
    ),
    "scaled": ("time_scale=0.01", "scrape_interval_seconds=0.5", "evaluation_interval_seconds=0.5"),
}


@pytest.mark.prometheus
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("name", ["prometheus.yml", "prometheus-file.yml", "prometheus-kubernetes.yml"])
def test_promtool_accepts_the_configuration(name: str, settings: str, tmp_path: Path) -> None:
    """Prometheus reads each configuration with its rules; one built without discovery of pods, all but that."""
    write(exported(SETTINGS[settings]), tmp_path)
    path = tmp_path / "prometheus" / name
    options = ["--syntax-only"] if settings == "a user's own" else []  # the files with secrets are elsewhere
    done = check(path, *options)
    if "field kubernetes_sd_configs not found" in done.stderr:
        path.write_text(without_kubernetes(path.read_text(encoding="utf-8")), encoding="utf-8")
        done = check(path, *options)
    assert done.returncode == 0, done.stdout + done.stderr


def check(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Have promtool check the configuration at *path*, and return how it ended."""
    program = executable("promtool", package="prometheus")
    command: list[str | Path] = [program, "check", "config", *options, "--lint=all", "--lint-fatal", path]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def without_kubernetes(text: str) -> str:
    """Return the configuration *text* with an empty discovery of files in place of that of pods."""
    document = yaml.safe_load(text)
    for scrape in document["scrape_configs"]:
        assert scrape.pop("kubernetes_sd_configs") == [{"role": "pod"}]
        scrape["file_sd_configs"] = [{"files": ["targets/*.yml"]}]
    return yaml.safe_dump(document)


def test_targets_have_the_labels_that_rules_ask_for() -> None:
    """Whichever way a target is found, its series have the job and the matchers of every rule."""
    made = exported(SETTINGS["a user's own"])
    files = {name: yaml.safe_load(text) for name, text in made.items() if name.startswith("prometheus/")}
    static = scrape(files, "prometheus.yml")
    assert static["static_configs"] == [{"targets": ["10.0.0.1:9464", "[::1]:9464"], "labels": {"cluster": "eu"}}]
    assert files["prometheus/targets/oneiric.yml"] == static["static_configs"]
    kubernetes = scrape(files, "prometheus-kubernetes.yml")["relabel_configs"]
    assert {"target_label": "cluster", "replacement": "eu"} in kubernetes
    assert {scrape(files, name)["job_name"] for name in ("prometheus.yml", "prometheus-file.yml")} == {"shop"}


def scrape(files: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the only scrape configuration of the file *name*."""
    (only,) = files[f"prometheus/{name}"]["scrape_configs"]
    found: dict[str, Any] = only
    return found


POD = {
    "__meta_kubernetes_pod_label_app_kubernetes_io_name": "oneiric",
    "__meta_kubernetes_pod_container_port_name": "metrics",
    "__meta_kubernetes_pod_phase": "Running",
    "__meta_kubernetes_namespace": "shop",
    "__meta_kubernetes_pod_name": "shop-0",
}
OTHERS = {
    "another application": {"__meta_kubernetes_pod_label_app_kubernetes_io_name": "oneiric-docs"},
    "another port": {"__meta_kubernetes_pod_container_port_name": "http"},
    "a pod that has ended": {"__meta_kubernetes_pod_phase": "Succeeded"},
}


@pytest.mark.prometheus
def test_only_ports_of_metrics_of_the_application_are_scraped(tmp_path: Path) -> None:
    """Of the pods that Kubernetes tells of, Prometheus takes the application's running ones, with the rules' labels."""
    write(bundle(configured(["matchers.cluster=eu"])), tmp_path)
    path = tmp_path / "prometheus" / "prometheus-kubernetes.yml"
    path.write_text(without_kubernetes(path.read_text(encoding="utf-8")), encoding="utf-8")
    pods = [POD, *(POD | other for other in OTHERS.values())]
    targets = [{"targets": [f"10.0.0.{number}:9464"], "labels": pod} for number, pod in enumerate(pods)]
    (tmp_path / "prometheus" / "targets" / "oneiric.yml").write_text(yaml.safe_dump(targets), encoding="utf-8")
    program = executable("promtool", package="prometheus")
    command: list[str | Path] = [program, "check", "service-discovery", "--timeout=1s", path, "oneiric"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = [target["labels"] for target in json.loads(done.stdout) if target.get("labels")]
    assert [{name: text for name, text in labels.items() if not name.startswith("__")} for labels in found] == [
        {"cluster": "eu", "instance": "10.0.0.0:9464", "job": "oneiric", "namespace": "shop", "pod": "shop-0"}
    ]


def test_mutual_tls_and_basic_authentication_are_read_from_files() -> None:
    """A certificate of Prometheus' own is shown, and a user's password is in the file that otherwise has the token."""
    settings = ["scrape_cert_file=/a/crt", "scrape_key_file=/a/key", "scrape_user=prom", "scrape_token_file=/a/pass"]
    text = bundle(configured(settings))["prometheus/prometheus.yml"]
    asked = scrape({"prometheus/prometheus.yml": yaml.safe_load(text)}, "prometheus.yml")
    assert (asked["scheme"], asked["tls_config"]) == ("https", {"cert_file": "/a/crt", "key_file": "/a/key"})
    assert asked["basic_auth"] == {"username": "prom", "password_file": "/a/pass"}
    assert "authorization" not in asked


def test_another_path_reaches_every_way_of_discovery() -> None:
    """Where an application serves the metrics, each configuration asks at its path; at the usual one none says so."""
    for settings, path in (((), None), (("metrics_path=/internal/metrics",), "/internal/metrics")):
        made = bundle(configured(settings))
        texts = {name: yaml.safe_load(text) for name, text in made.items() if name.startswith("prometheus/prom")}
        assert {scrape(texts, name.removeprefix("prometheus/")).get("metrics_path") for name in texts} == {path}


def test_a_scrape_never_outlasts_its_interval() -> None:
    """The time-out of a scrape is ten seconds, or the interval where that is shorter."""
    for interval, timeout in ((15, "10s"), (5, "5s"), (0.5, "500ms")):
        text = bundle(configured([f"scrape_interval_seconds={interval}"]))["prometheus/prometheus.yml"]
        assert yaml.safe_load(text)["global"]["scrape_timeout"] == timeout


def test_credentials_are_read_from_files() -> None:
    """A server with TLS and a token is asked with both, and neither stands in the configuration."""
    files = {
        "prometheus/prometheus.yml": yaml.safe_load(
            bundle(configured(SETTINGS["a user's own"]))["prometheus/prometheus.yml"]
        )
    }
    asked = scrape(files, "prometheus.yml")
    assert (asked["scheme"], asked["tls_config"]) == ("https", {"ca_file": "/etc/oneiric/ca.pem"})
    assert asked["authorization"] == {"credentials_file": "/etc/oneiric/token"}
