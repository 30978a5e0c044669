"""Every check of the objects finds what it is for: a manifest is damaged, and the damage is named."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from deployment.kubernetes.faults import faults
from deployment.kubernetes.objects import Object, overlay, the
from deployment.kubernetes.quantities import quantity
from deployment.kubernetes.validation import REFUSALS, validate

if TYPE_CHECKING:
    from collections.abc import Callable


def container(objects: list[Object]) -> Object:
    """Return the container of the service."""
    found: Object = spec(objects)["containers"][0]
    return found


def spec(objects: list[Object]) -> Object:
    """Return the pods' specification."""
    found: Object = the(objects, "Deployment")["spec"]["template"]["spec"]
    return found


def at(found: Any, *path: str | int, value: Any) -> None:
    """Set *value* at *path* below *found*."""
    for key in path[:-1]:
        found = found[key]
    found[path[-1]] = value


def _environment(objects: list[Object], name: str, value: str) -> None:
    next(one for one in container(objects)["env"] if one["name"] == name)["value"] = value


SEEDS: dict[str, tuple[Callable[[list[Object]], object], str]] = {
    "the workload's selector": (
        lambda o: at(the(o, "Deployment"), "spec", "selector", "matchLabels", "app.kubernetes.io/name", value="other"),
        "Deployment/oneiric does not select the pods of exactly one workload",
    ),
    "the service's selector": (
        lambda o: at(the(o, "Service"), "spec", "selector", "app.kubernetes.io/name", value="oneirik"),
        "Service/oneiric does not select the pods of exactly one workload",
    ),
    "the budget's selector": (
        lambda o: at(the(o, "PodDisruptionBudget"), "spec", "selector", "matchLabels", value={"app": "oneiric"}),
        "PodDisruptionBudget/oneiric does not select",
    ),
    "the spreading's selector": (
        lambda o: at(spec(o), "topologySpreadConstraints", 0, "labelSelector", "matchLabels", value={"a": "b"}),
        "Deployment/oneiric does not select",
    ),
    "the service's port": (
        lambda o: at(the(o, "Service"), "spec", "ports", 0, "targetPort", value="metric"),
        "leads to the port metric, which its pods lack",
    ),
    "the policy's selector": (
        lambda o: at(the(o, "NetworkPolicy"), "spec", "podSelector", value={}),
        "NetworkPolicy/oneiric does not select",
    ),
    "the policy's port": (
        lambda o: at(the(o, "NetworkPolicy"), "spec", "ingress", 0, "ports", 0, "port", value="metric"),
        "opens the port metric",
    ),
    "a probe's port": (
        lambda o: at(container(o), "livenessProbe", "httpGet", "port", value="http"),
        "livenessProbe asks at the port http",
    ),
    "a probe's path": (
        lambda o: at(container(o), "readinessProbe", "httpGet", "path", value="/healthz"),
        "readinessProbe asks for /healthz",
    ),
    "liveness by readiness": (
        lambda o: at(container(o), "livenessProbe", "httpGet", "path", value="/readyz"),
        "livenessProbe would kill who is only not ready",
    ),
    "two handlers": (
        lambda o: at(container(o), "livenessProbe", "exec", value={"command": ["true"]}),
        "livenessProbe has the handlers ['exec', 'httpGet']",
    ),
    "a quantity": (
        lambda o: at(container(o), "resources", "requests", "memory", value="128MB"),
        "memory is no quantity: 128MB",
    ),
    "a volume's quantity": (
        lambda o: at(spec(o), "volumes", 1, "emptyDir", value={"sizeLimit": "1 Gi"}),
        "sizeLimit is no quantity: 1 Gi",
    ),
    "request beyond limit": (
        lambda o: at(container(o), "resources", "requests", "cpu", value="2"),
        "requests more cpu than its limit",
    ),
    "least beyond most": (
        lambda o: at(the(o, "HorizontalPodAutoscaler"), "spec", "minReplicas", value=30),
        "wants at least 30 and at most 10",
    ),
    "the scaler's target": (
        lambda o: at(the(o, "HorizontalPodAutoscaler"), "spec", "scaleTargetRef", "name", value="service"),
        "scales service, which is not there",
    ),
    "replicas beside the scaler": (
        lambda o: at(the(o, "Deployment"), "spec", "replicas", value=3),
        "writes replicas, which HorizontalPodAutoscaler/oneiric decides",
    ),
    "a metric without a request": (
        lambda o: container(o)["resources"]["requests"].pop("cpu"),
        "measures cpu, which Deployment/oneiric does not request",
    ),
    "the mounted settings": (
        lambda o: at(spec(o), "volumes", 0, "configMap", "name", value="oneiric"),
        "mounts the ConfigMap oneiric, which is not there",
    ),
    "a mounted volume": (
        lambda o: at(container(o), "volumeMounts", 0, "name", value="setings"),
        "mounts the volume setings, which is not there",
    ),
    "a path without a volume": (
        lambda o: _environment(o, "ONEIRIC_STATE_DIR", "/var/oneiric"),
        "ONEIRIC_STATE_DIR names /var/oneiric, which no volume is mounted at",
    ),
    "too little time to stop": (
        lambda o: at(spec(o), "terminationGracePeriodSeconds", value=30),
        "is killed before it can stop: 5 s + 25 s + 5 s",
    ),
    "an update that lowers the count": (
        lambda o: at(the(o, "Deployment"), "spec", "strategy", "rollingUpdate", "maxUnavailable", value=1),
        "lets the ready count fall in an update",
    ),
    "a volume for two": (
        lambda o: at(spec(o), "volumes", 1, value={"name": "state", "persistentVolumeClaim": {"claimName": "x"}}),
        "lets two pods have its volume",
    ),
    "root": (lambda o: at(spec(o), "securityContext", "runAsUser", value=0), "may run as root"),
    "privileges": (lambda o: at(container(o), "securityContext", "capabilities", value={}), "may gain privileges"),
    "system calls": (lambda o: spec(o)["securityContext"].pop("seccompProfile"), "filters no system calls"),
    "a token": (lambda o: spec(o).pop("automountServiceAccountToken"), "has a token of the API server"),
    "a writable root": (
        lambda o: at(container(o), "securityContext", "readOnlyRootFilesystem", value=False),
        "writes into its root file system",
    ),
    "any image": (lambda o: at(container(o), "image", value="oneiric:latest"), "runs whatever oneiric:latest is"),
}
"""Damages to the replicated overlay, and what is found of each."""


@pytest.mark.parametrize(("damage", "finding"), SEEDS.values(), ids=SEEDS)
def test_a_damaged_manifest_is_found(damage: Callable[[list[Object]], object], finding: str) -> None:
    """One error, and a sentence that names it."""
    objects = copy.deepcopy(overlay("replicated"))
    damage(objects)
    assert any(finding in fault for fault in faults(objects)), faults(objects)


@pytest.mark.parametrize(
    "damage",
    [
        lambda o: at(container(o), "lifecycle", "preStop", "sleep", value={"second": 5}),
        lambda o: at(the(o, "Deployment"), "spec", "template", "spec", "terminationGracePeriod", value=40),
        lambda o: at(the(o, "HorizontalPodAutoscaler"), "spec", "maxReplicas", value="ten"),
        lambda o: at(the(o, "Deployment"), "apiVersion", value="apps/v2"),
    ],
    ids=["a misspelt field", "an unknown field", "a wrong type", "an unknown version"],
)
def test_a_malformed_manifest_is_refused(damage: Callable[[list[Object]], object]) -> None:
    """What Kubernetes' schema does not know is an error, not a word on standard error."""
    objects = copy.deepcopy(overlay("replicated"))
    damage(objects)
    with pytest.raises(REFUSALS):
        validate(objects)


@pytest.mark.parametrize(
    ("text", "value"),
    [("250m", 0.25), ("64Mi", 64 * 2**20), ("1", 1), (2, 2), ("1e3", 1000), ("6Gi", 6 * 2**30), ("1E", 10**18)],
)
def test_a_quantity_is_understood(text: object, value: float) -> None:
    """Quantities are read as Kubernetes reads them."""
    assert quantity(text) == value
