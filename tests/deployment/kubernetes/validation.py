"""The schemas of Kubernetes, and of kinds that others add, in the strict sense: what they do not know is an error."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import kubernetes_validate
from documents import ROOT
from processes import executable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deployment.kubernetes.objects import Object

VERSIONS = ("1.30.0", "1.37.0")
"""The oldest and the newest version of Kubernetes that the guide names."""
REFUSALS = (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError)
"""What is raised for an object that is wrong, and for one of a kind or version that there is not."""
CUSTOM = {"HTTPRoute", "PrometheusRule", "ScaledObject", "ServiceMonitor"}
"""Kinds that others bring, with definitions of their own."""


def validate(objects: Iterable[Object]) -> None:
    """Hold *objects*, but those of custom kinds, against the schemas of the oldest and the newest version."""
    for found in objects:
        for version in VERSIONS if found["kind"] not in CUSTOM else ():
            kubernetes_validate.validate(found, version, strict=True)


def custom_faults(objects: Iterable[Object]) -> list[list[str]]:
    """Return what is wrong with each object of a custom kind among *objects*: values, and unknown fields."""
    custom = [found for found in objects if found["kind"] in CUSTOM]
    program = [executable("node", package="nodejs"), str(ROOT / "tests" / "node" / "objects.js")]
    done = subprocess.run(program, input=json.dumps(custom), capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    faults: list[list[str]] = json.loads(done.stdout)
    assert len(faults) == len(custom)
    return faults
