"""The chart as a test reads it: rendered by Helm's own library."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from deployment.kubernetes.objects import Object, read
from documents import ROOT
from helm_python import Chart

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CHART = ROOT / "deploy" / "helm" / "oneiric"
REPLICATED: dict[str, Any] = {
    "existingSecret": "oneiric",
    "postgresql": {"enabled": True},
    "autoscaling": {"enabled": True},
    "podDisruptionBudget": {"enabled": True},
}
"""The values that make of the chart what the overlay `replicated` is."""
EVERYTHING: dict[str, Any] = REPLICATED | {
    "http": {"enabled": True},
    "ingress": {"enabled": True, "className": "nginx", "tls": [{"hosts": ["oneiric.example"], "secretName": "tls"}]},
    "httpRoute": {"enabled": True},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
    "dashboards": {"enabled": True, "annotations": {"grafana_folder": "Oneiric"}},
    "imports": ["shop"],
    "extraArgs": ["--no-remote"],
    "extraEnv": [{"name": "ONEIRIC_LOG_LEVEL", "value": "DEBUG"}],
    "extraEnvFrom": [{"secretRef": {"name": "more"}}],
    "extraVolumes": [{"name": "more", "emptyDir": {}}],
    "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
    "extraObjects": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "more"}, "data": {"a": "b"}}],
    "imagePullSecrets": [{"name": "registry"}],
    "podLabels": {"team": "shop"},
    "podAnnotations": {"note": "x"},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "shop", "operator": "Exists"}],
    "priorityClassName": "high",
}
"""Values that switch everything on."""


@cache
def _chart(path: Path) -> Chart:
    return Chart.load(path)


def files(values: Mapping[str, Any] | None = None, *, path: Path = CHART, name: str = "oneiric") -> dict[str, str]:
    """Return what each template of the chart at *path* makes of *values*, for a release called *name*."""
    return _chart(path).render(dict(values or {}), name=name, namespace="shop")


def rendered(values: Mapping[str, Any] | None = None, *, path: Path = CHART, name: str = "oneiric") -> list[Object]:
    """Return the objects that the chart at *path* makes of *values*, for a release called *name*."""
    made = files(values, path=path, name=name)
    return [found for template, text in made.items() if not template.endswith(".txt") for found in read(text)]
