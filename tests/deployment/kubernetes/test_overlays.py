"""The overlays: what Kustomize makes of them is what Kubernetes takes, and fits together."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import promql_parser
import pytest
import yaml
from deployment.kubernetes.faults import faults
from deployment.kubernetes.objects import KUBERNETES, OVERLAYS, named, of_kind, overlay, pods, settings, the
from deployment.kubernetes.validation import validate

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_is_valid(name: str) -> None:
    """Every object of Kubernetes is valid in the strict sense, in the oldest and in the newest version."""
    validate(overlay(name))


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_fits_together(name: str) -> None:
    """Nothing is wrong with an overlay that no schema sees."""
    assert faults(overlay(name)) == []


@pytest.mark.parametrize("name", ["single", "replicated"])
def test_the_settings_are_right(name: str, tmp_path: Path) -> None:
    """`oneiric settings check` takes the settings of the ConfigMap in the environment of the container."""
    objects = overlay(name)
    (tmp_path / "oneiric.yaml").write_text(settings(objects), encoding="utf-8")
    (pod,) = pods(objects)
    environment = {one["name"]: one["value"] for one in pod.containers[0]["env"] if "value" in one}
    command = [sys.executable, "-m", "oneiric", "--config", str(tmp_path / "oneiric.yaml"), "settings", "check"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "The settings are right" in done.stdout


def test_a_changed_setting_rolls_the_pods() -> None:
    """The ConfigMap's name carries a hash of its content, and the pods mount it under that name."""
    objects = overlay("single")
    name = the(objects, "ConfigMap")["metadata"]["name"]
    assert name.startswith("oneiric-")
    (pod,) = pods(objects)
    assert {"name": "settings", "configMap": {"name": name}} in pod.spec["volumes"]


def test_one_pod_keeps_state_and_witness_on_its_volume() -> None:
    """State and witness lie on the claim of the single pod, in directories of their own; the cache is expendable."""
    (pod,) = pods(overlay("single"))
    mounts = {one["mountPath"]: (one["name"], one.get("subPath")) for one in pod.containers[0]["volumeMounts"]}
    assert mounts["/var/lib/oneiric"] == ("state", "state")
    assert mounts["/var/lib/oneiric-witness"] == ("state", "witness")
    volumes = {one.pop("name"): one for one in yaml.safe_load(yaml.safe_dump(pod.spec["volumes"]))}
    assert volumes["state"] == {"persistentVolumeClaim": {"claimName": "oneiric"}}
    assert "emptyDir" in volumes["cache"]


def test_replicas_share_what_is_paused() -> None:
    """The replicas have PostgreSQL's address from the secret, and nothing of theirs outlives them."""
    objects = overlay("replicated")
    (pod,) = pods(objects)
    variables = {one["name"]: one for one in pod.containers[0]["env"]}
    source: dict[str, Any] = variables["ONEIRIC_ACTIVITY__URL"]["valueFrom"]
    assert source == {"secretKeyRef": {"name": "oneiric", "key": "ONEIRIC_ACTIVITY__URL"}}
    assert of_kind(objects, "PersistentVolumeClaim") == []
    assert the(objects, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert the(objects, "HorizontalPodAutoscaler")["spec"]["minReplicas"] == 3


def test_labels_are_the_same_everywhere() -> None:
    """Each object carries the labels by which the others find it."""
    for name in OVERLAYS:
        for found in overlay(name):
            labels = found["metadata"].get("labels", {})
            assert labels.get("app.kubernetes.io/name") == "oneiric", (name, named(found))


def test_the_adapter_tells_what_is_scaled_on() -> None:
    """The metric that the HorizontalPodAutoscaler asks for is the one that the values of the adapter make."""
    directory = KUBERNETES / "overlays" / "prometheus-adapter"
    (rule,) = yaml.safe_load((directory / "adapter-values.yaml").read_text(encoding="utf-8"))["rules"]["custom"]
    (metric,) = [
        one for one in the(overlay(directory.name), "HorizontalPodAutoscaler")["spec"]["metrics"] if "pods" in one
    ]
    assert metric["pods"]["metric"]["name"] == rule["name"]["as"]
    query = rule["metricsQuery"].replace("<<.Series>>", rule["seriesQuery"].partition("{")[0])
    promql_parser.parse(query.replace("<<.LabelMatchers>>", 'namespace="x"').replace("<<.GroupBy>>", "pod"))
