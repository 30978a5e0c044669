"""The components: each fits the overlays that it is added to, and what others bring is valid by their definitions."""

from __future__ import annotations

import copy
import itertools
import json
import re
from typing import TYPE_CHECKING

import pytest
import yaml
from deployment.kubernetes.faults import faults
from deployment.kubernetes.objects import COMPONENTS, OVERLAYS, Object, of_kind, overlay, pods, the, with_components
from deployment.kubernetes.validation import CUSTOM, custom_faults, validate

from oneiric.monitoring.bundle import bundle
from oneiric.monitoring.config import BundleConfig

if TYPE_CHECKING:
    from collections.abc import Callable

WITH_ALL = ("ingress", "monitoring", "loadbalancer")
"""Components that can be had together; a route has the same port as an ingress."""
MAX_APPLIED = 262_144
"""Bytes of an annotation: `kubectl apply` keeps the whole object in one."""


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_component_fits_one_pod(component: str) -> None:
    """A component added to the single overlay is valid, and fits together with it."""
    objects = with_components("single", component)
    validate(objects)
    assert faults(objects) == []


def test_components_fit_together() -> None:
    """Components for different things can be had together, on replicas."""
    assert faults(with_components("replicated", *WITH_ALL)) == []


def test_the_rules_and_dashboards_are_those_of_the_bundle() -> None:
    """The objects carry what the rule files and the dashboards' files say, and nothing else."""
    files = bundle(BundleConfig())
    objects = with_components("single", "monitoring")
    groups = [files[f"prometheus/rules/oneiric-{name}.yml"] for name in ("records", "alerts")]
    assert the(objects, "PrometheusRule")["spec"]["groups"] == list(
        itertools.chain.from_iterable(yaml.safe_load(text)["groups"] for text in groups)
    )
    boards = [one for one in of_kind(objects, "ConfigMap") if one["metadata"]["labels"].get("grafana_dashboard") == "1"]
    carried = {f"grafana/dashboards/{name}": text for one in boards for name, text in one["data"].items()}
    assert carried == {path: text for path, text in files.items() if path.startswith("grafana/dashboards/")}


def test_every_object_can_be_applied() -> None:
    """No object is too large for the annotation in which `kubectl apply` keeps it."""
    for found in with_components("single", "monitoring"):
        assert len(json.dumps(found)) < MAX_APPLIED * 0.9


def test_a_pod_is_opened_for_its_application_only_where_that_is_asked_for() -> None:
    """Without a component nothing but the metrics is a port, and no address outside leads to it."""
    objects = overlay("single")
    (pod,) = pods(objects)
    assert pod.ports == {"metrics": 9464}
    assert the(objects, "Service")["spec"]["type"] == "ClusterIP"
    assert of_kind(objects, "Ingress", "HTTPRoute") == []


def test_the_job_without_the_operator_finds_the_pods() -> None:
    """The job of the bundle keeps the pods of every overlay, by their label and the name of their port."""
    (job,) = yaml.safe_load(bundle(BundleConfig())["prometheus/prometheus-kubernetes.yml"])["scrape_configs"]
    kept = {rule["source_labels"][0]: rule["regex"] for rule in job["relabel_configs"] if rule.get("action") == "keep"}
    for name in OVERLAYS:
        (pod,) = pods(overlay(name))
        labels = {
            f"__meta_kubernetes_pod_label_{re.sub('[^a-z]', '_', key)}": value for key, value in pod.labels.items()
        }
        ports = dict.fromkeys(["__meta_kubernetes_pod_container_port_name"], *pod.ports)
        assert kept.items() <= (labels | ports).items()


def _monitor(objects: list[Object]) -> Object:
    spec: Object = the(objects, "ServiceMonitor")["spec"]
    return spec


def _relabel(objects: list[Object]) -> None:
    _monitor(objects)["endpoints"][0]["relabelings"][0]["replacement"] = "shop"


def _annotate(objects: list[Object]) -> None:
    template = the(objects, "Deployment")["spec"]["template"]
    template["metadata"]["annotations"]["prometheus.io/scrape"] = "true"


def _ingress(objects: list[Object]) -> None:
    paths = the(objects, "Ingress")["spec"]["rules"][0]["http"]["paths"]
    paths[0]["backend"]["service"]["port"] = {"name": "web"}


SEEDS: dict[str, tuple[Callable[[list[Object]], object], str]] = {
    "the monitor's selector": (
        lambda o: _monitor(o)["selector"].update(matchLabels={"app": "oneiric"}),
        "ServiceMonitor/oneiric selects no service",
    ),
    "the monitor's port": (lambda o: _monitor(o)["endpoints"][0].update(port="metric"), "scrapes the port metric"),
    "the monitor's path": (lambda o: _monitor(o)["endpoints"][0].update(path="/metric"), "scrapes /metric"),
    "a monitor twice": (lambda o: o.append(copy.deepcopy(the(o, "ServiceMonitor"))), "is scraped 2 times"),
    "annotations beside it": (_annotate, "is scraped 2 times"),
    "the job": (_relabel, "gives the job shop, and the rules ask for oneiric"),
    "the ingress' port": (_ingress, "leads to the port web of the service oneiric"),
}


@pytest.mark.parametrize(("damage", "finding"), SEEDS.values(), ids=SEEDS)
def test_a_damaged_component_is_found(damage: Callable[[list[Object]], object], finding: str) -> None:
    """One error, and a sentence that names it."""
    objects = copy.deepcopy(with_components("replicated", "ingress", "monitoring"))
    damage(objects)
    assert any(finding in fault for fault in faults(objects)), faults(objects)


def test_a_damaged_route_and_scaler_are_found() -> None:
    """A route to a port that is not there, and a scaler of KEDA's that wants less than its least, are found."""
    objects = copy.deepcopy(with_components("keda", "httproute"))
    the(objects, "HTTPRoute")["spec"]["rules"][0]["backendRefs"][0]["port"] = 8080
    the(objects, "ScaledObject")["spec"]["maxReplicaCount"] = 2
    assert faults(objects) == [
        "HTTPRoute/oneiric leads to the port 8080 of the service oneiric, which is not there",
        "ScaledObject/oneiric wants at least 3 and at most 2",
    ]


@pytest.mark.slow
def test_custom_objects_are_valid() -> None:
    """What is for the Prometheus Operator, KEDA and gateways is valid by their definitions, without unknown fields."""
    objects = with_components("keda", "monitoring", "httproute")
    assert {one["kind"] for one in objects} >= CUSTOM
    assert [fault for found in custom_faults(objects) for fault in found] == []


@pytest.mark.slow
def test_a_malformed_custom_object_is_found() -> None:
    """An unknown field of each custom kind, and a value that a definition does not allow, are found."""
    objects = [copy.deepcopy(one) for one in with_components("keda", "monitoring", "httproute")]
    _monitor(objects)["endpoints"][0]["scrapeTimeOut"] = "1s"
    the(objects, "PrometheusRule")["spec"]["groups"][0]["rules"][0]["annotation"] = {}
    the(objects, "ScaledObject")["spec"]["triggers"][0]["metricTyp"] = "Value"
    the(objects, "HTTPRoute")["spec"]["rules"][0]["backendRef"] = []
    wrong = copy.deepcopy(the(objects, "ServiceMonitor"))
    wrong["spec"]["endpoints"] = [{"port": "metrics", "interval": "15"}]
    found = [" ".join(texts) for texts in custom_faults([*objects, wrong])]
    for name in ("scrapeTimeOut", "annotation", "metricTyp", "backendRef", "endpoints/0/interval"):
        assert any(name in text for text in found), name
