"""The chart: what Helm makes of it fits together, equals the overlays, and refuses values that it does not know."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from deployment.kubernetes.charts import CHART, EVERYTHING, REPLICATED, files, rendered
from deployment.kubernetes.faults import faults
from deployment.kubernetes.objects import Object, named, of_kind, overlay, pods, settings, the, with_components
from deployment.kubernetes.validation import custom_faults, validate
from documents import ROOT
from helm_python import HelmError
from helm_python.chart import lint

if TYPE_CHECKING:
    from collections.abc import Mapping

VALUES: dict[str, dict[str, Any]] = {
    "default": {},
    "replicated": REPLICATED,
    "everything": EVERYTHING,
    "without a volume": {"persistence": {"enabled": False}},
    "without a policy": {"networkPolicy": {"enabled": False}},
    "a secret": {"secret": {"ONEIRIC_TRUSTED_PUBLIC_KEYS": "key"}, "serviceAccount": {"create": False}},
    "any user": {"podSecurityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None}},
}
SAME = [
    *(("single", {}, kind) for kind in ("ConfigMap", "Deployment", "PersistentVolumeClaim", "Service")),
    *(
        ("replicated", REPLICATED, kind)
        for kind in ("ConfigMap", "Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget", "Service")
    ),
]


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_the_chart_is_valid_and_fits_together(values: Mapping[str, Any]) -> None:
    """Whatever is switched on, the objects are valid in the strict sense, and nothing is wrong that no schema sees."""
    objects = rendered(values)
    validate(objects)
    assert faults([one for one in objects if named(one) != "ConfigMap/more"]) == []


def test_helm_has_nothing_to_say() -> None:
    """Helm's own check finds no error and no warning."""
    found = lint(CHART, EVERYTHING, strict=True)
    assert (found["errors"], [one for one in found["messages"] if one["severity"] > 1]) == ([], [])


@pytest.mark.parametrize(("name", "values", "kind"), SAME)
def test_chart_and_overlay_are_the_same(name: str, values: dict[str, Any], kind: str) -> None:
    """But for names and labels, the chart makes what the overlay is."""
    assert plain(rendered(values), kind) == plain(overlay(name), kind)


@pytest.mark.parametrize("kind", ["ServiceMonitor", "PrometheusRule"])
def test_monitoring_of_chart_and_component_is_the_same(kind: str) -> None:
    """The monitor and the rule of the chart are those of the component: alerts keep the templates of their texts."""
    values = {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}
    made = plain(rendered(values), kind)
    assert made == plain(with_components("single", "monitoring"), kind)
    if kind == "PrometheusRule":
        assert "{{ $labels." in json.dumps(made)


def test_dashboards_of_chart_and_component_are_the_same() -> None:
    """The ConfigMaps of the chart carry the dashboards of the component."""
    made = rendered({"dashboards": {"enabled": True}})
    others = with_components("single", "monitoring")
    assert boards(made) == boards(others)
    assert len(boards(made)) == 4


def boards(objects: list[Object]) -> dict[str, Any]:
    """Return the dashboards that ConfigMaps among *objects* carry."""
    carriers = [one for one in of_kind(objects, "ConfigMap") if "grafana_dashboard" in one["metadata"]["labels"]]
    return {name: json.loads(text) for one in carriers for name, text in one["data"].items()}


def plain(objects: list[Object], kind: str) -> Any:
    """Return the one object of *kind* without its metadata, and without what is a name or a checksum."""
    (found,) = [
        copy.deepcopy(one) for one in of_kind(objects, kind) if kind != "ConfigMap" or "oneiric.yaml" in one["data"]
    ]
    found.pop("metadata")
    if kind == "ConfigMap":
        return yaml.safe_load(found["data"]["oneiric.yaml"])
    if kind == "ServiceMonitor":
        found["spec"]["selector"]["matchLabels"].pop("app.kubernetes.io/instance", None)
    if kind == "Deployment":
        template = found["spec"]["template"]
        annotations = template["metadata"]["annotations"]
        template["metadata"]["annotations"] = {name: v for name, v in annotations.items() if "checksum" not in name}
        volumes = {one["name"]: one for one in template["spec"]["volumes"]}
        volumes["settings"]["configMap"]["name"] = "settings"
        template["spec"]["volumes"] = volumes
    return found


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"replicas": 3}, "replicas"),
        ({"image": {"tags": "1"}}, "tags"),
        ({"serviceMonitor": {"enable": True}}, "enable"),
        ({"resources": {"limits": {"memory": "128MB"}}}, "memory"),
        ({"service": {"type": "NodePort"}}, "type"),
        ({"serviceMonitor": {"interval": "15"}}, "interval"),
        ({"imports": "shop"}, "imports"),
        ({"replicaCount": 3}, "need postgresql.enabled"),
        ({"autoscaling": {"enabled": True}}, "need postgresql.enabled"),
        ({"postgresql": {"enabled": True}}, "postgresql.enabled needs existingSecret, or secret.ONEIRIC_ACTIVITY__URL"),
        ({"ingress": {"enabled": True}}, "need http.enabled"),
        ({"metricsAddress": "0.0.0.0:80"}, "metricsAddress"),
        ({"settings": {"runtime": {"stop_timeout": 60}}}, "terminationGracePeriodSeconds must be at least"),
        ({"secret": {"A": "b"}, "existingSecret": "c"}, "exclude each other"),
        (REPLICATED | {"autoscaling": {"enabled": True, "minReplicas": 30}}, "minReplicas must be at most"),
        (
            REPLICATED | {"autoscaling": {"enabled": True, "targetCPU": None}},
            "needs targetCPU, targetMemory or metrics",
        ),
    ],
)
def test_a_wrong_value_is_refused_by_name(values: dict[str, Any], words: str) -> None:
    """A value that is misspelt, of another type, or contradicts another is an error that names it."""
    with pytest.raises(HelmError, match=re.escape(words)):
        rendered(values)


def test_an_umbrella_chart_renders(tmp_path: Path) -> None:
    """As a part of another chart it takes what such charts give to their parts, `global` and `enabled`."""
    umbrella = tmp_path / "umbrella"
    shutil.copytree(CHART, umbrella / "charts" / "oneiric")
    part = {"name": "oneiric", "version": "0.1.0", "condition": "oneiric.enabled"}
    about = {"apiVersion": "v2", "name": "umbrella", "version": "1.0.0", "dependencies": [part]}
    (umbrella / "Chart.yaml").write_text(yaml.safe_dump(about), encoding="utf-8")
    values = {"global": {"registry": "x"}, "oneiric": {"enabled": True, "imports": ["shop"]}}
    objects = rendered(values, path=umbrella, name="whole")
    (deployment,) = of_kind(objects, "Deployment")
    assert deployment["metadata"]["name"] == "whole-oneiric"
    assert deployment["spec"]["template"]["spec"]["containers"][0]["args"] == ["--import", "shop", "orchestrate"]
    assert rendered({"oneiric": {"enabled": False}}, path=umbrella) == []


def test_where_an_autoscaler_decides_no_number_is_written() -> None:
    """The Deployment has a number of replicas only without an autoscaler."""
    assert the(rendered(), "Deployment")["spec"]["replicas"] == 1
    assert "replicas" not in the(rendered(REPLICATED), "Deployment")["spec"]


def test_memory_is_measured_on_demand() -> None:
    """The autoscaler measures memory only where that is asked for."""
    spec = the(rendered(REPLICATED), "HorizontalPodAutoscaler")["spec"]
    assert [one["resource"]["name"] for one in spec["metrics"]] == ["cpu"]
    values = REPLICATED | {"autoscaling": {"enabled": True, "targetMemory": 80}}
    spec = the(rendered(values), "HorizontalPodAutoscaler")["spec"]
    assert [one["resource"]["name"] for one in spec["metrics"]] == ["cpu", "memory"]


def test_users_of_openshift_are_whole_numbers() -> None:
    """A user that is left out is left to the cluster, and one beyond a million is written in full."""
    (pod, test) = pods(rendered({"podSecurityContext": {"runAsUser": None, "fsGroup": None}}))
    assert "runAsUser" not in pod.spec["securityContext"]
    assert "fsGroup" not in test.spec["securityContext"]
    assert (
        "runAsUser: 1000650000"
        in files({"podSecurityContext": {"runAsUser": 1000650000}})["oneiric/templates/deployment.yaml"]
    )


def test_a_change_of_settings_or_secrets_rolls_the_pods() -> None:
    """The checksums in the pods' annotations follow the settings and the secret."""

    def checksums(**values: Any) -> dict[str, str]:
        (pod, _) = pods(rendered(values))
        return {name: value for name, value in pod.annotations.items() if name.startswith("checksum/")}

    first = checksums(secret={"ONEIRIC_PUSHGATEWAY": "a"})
    other = checksums(secret={"ONEIRIC_PUSHGATEWAY": "b"}, settings={"app": {"name": "shop"}})
    assert first.keys() == other.keys() == {"checksum/settings", "checksum/secret"}
    assert all(first[name] != other[name] for name in first)


def test_large_numbers_survive(tmp_path: Path) -> None:
    """A size that Helm writes as 5.36870912e+09 is read as the number that it is."""
    text = settings(rendered({"settings": {"remote": {"cache_max_bytes": 5368709120}}}))
    (tmp_path / "oneiric.yaml").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "oneiric", "--config", "oneiric.yaml", "settings", "check"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_depends_on_the_cluster_or_on_chance() -> None:
    """`helm template` makes what is installed: no template asks the cluster, or makes something new each time."""
    words = r"\b(?:lookup|Capabilities|IsUpgrade|IsInstall|rand\w+|uuidv4|now|gen\w+(?:Cert|Key|CA))\b"
    templates = [path for path in (CHART / "templates").rglob("*") if path.is_file()]
    assert templates
    assert [path.name for path in templates if re.search(words, path.read_text(encoding="utf-8"))] == []


def test_selectors_never_change() -> None:
    """What cannot be changed in an upgrade is what it always was: selectors, and the names of claims."""
    golden = json.loads((Path(__file__).parent / "selectors.golden.json").read_text(encoding="utf-8"))
    found = {}
    for name in ("oneiric", "shop"):
        objects = [*rendered(name=name), *of_kind(rendered(EVERYTHING, name=name), "PodDisruptionBudget")]
        for one in of_kind(objects, "Deployment", "PersistentVolumeClaim", "PodDisruptionBudget", "Service"):
            found[named(one)] = one["spec"].get("selector")
    assert found == golden


def test_the_test_asks_for_what_is_served() -> None:
    """`helm test` runs the same image, restricted, from where the policy lets it in, and compiles."""
    objects = rendered()
    (test,) = [pod for pod in pods(objects) if pod.owner == "Pod/oneiric-test"]
    (container,) = test.containers
    assert container["image"] == the(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]["image"]
    compile(container["args"][0], "test", "exec")
    allowed = the(objects, "NetworkPolicy")["spec"]["ingress"][0]["from"][1]["podSelector"]["matchLabels"]
    assert allowed.items() <= test.labels.items()


def test_the_notes_say_what_is_next() -> None:
    """The notes name the commands, and what is still missing."""
    notes = files()["oneiric/templates/NOTES.txt"]
    assert "helm -n shop test oneiric" in notes
    assert "name your modules in `imports`" in notes
    assert "Nothing scrapes it yet" in notes
    notes = files({"settings": {"runtime": {"start": ["adapter/cache"]}}, "serviceMonitor": {"enabled": True}})[
        "oneiric/templates/NOTES.txt"
    ]
    assert "nothing yet" not in notes
    assert "Nothing" not in notes


def test_the_versions_are_those_of_the_package() -> None:
    """Chart, image tags and package have one version."""
    about = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert version is not None
    (pod,) = pods(overlay("single"))
    assert {about["version"], about["appVersion"], pod.containers[0]["image"].partition(":")[2]} == {version[1]}


def test_the_table_of_values_is_current() -> None:
    """The README's table has every value, and is what values.yaml says."""
    done = subprocess.run([sys.executable, "scripts/chart.py", "--check"], cwd=ROOT, check=False, timeout=120)
    assert done.returncode == 0
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    readme = (CHART / "README.md").read_text(encoding="utf-8")
    assert [path for path in _paths(schema) if f"| `{path}` |" not in readme] == ["enabled"]


def _paths(schema: Mapping[str, Any], above: str = "") -> list[str]:
    if "properties" not in schema or above == "resources.":
        return []
    found = []
    for name, inner in schema["properties"].items():
        found += _paths(inner, f"{above}{name}.") or [f"{above}{name}"]
    return found


@pytest.mark.slow
def test_custom_objects_of_the_chart_are_valid() -> None:
    """What is for the Prometheus Operator and gateways is valid by their definitions, without unknown fields."""
    assert [fault for found in custom_faults(rendered(EVERYTHING)) for fault in found] == []
