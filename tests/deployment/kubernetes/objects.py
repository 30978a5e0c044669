"""Objects of Kubernetes as a test reads them: rendered, found by kind, and the pods that workloads make."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import yaml
from documents import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Object: TypeAlias = dict[str, Any]
KUBERNETES = ROOT / "deploy" / "kubernetes"
OVERLAYS = sorted(path.name for path in (KUBERNETES / "overlays").iterdir())
COMPONENTS = sorted(path.name for path in (KUBERNETES / "components").iterdir())


class Pod(NamedTuple):
    """A pod that a workload makes, or one by itself: who makes it, its labels and annotations, and what it is."""

    owner: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    spec: Object

    @property
    def containers(self) -> list[Object]:
        """Its containers, those that run before the others too."""
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]

    @property
    def ports(self) -> dict[str, int]:
        """Its named ports."""
        return {port["name"]: port["containerPort"] for one in self.containers for port in one.get("ports", ())}


@cache
def _kustomize(directory: Path) -> str:
    command = [str(Path(sys.executable).with_name("kubectl")), "kustomize", str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, ""), directory
    return done.stdout


def kustomized(directory: Path) -> list[Object]:
    """Return the objects that `kubectl kustomize` makes of *directory*, without a word of warning."""
    return read(_kustomize(directory))


def overlay(name: str) -> list[Object]:
    """Return the objects of one overlay."""
    return kustomized(KUBERNETES / "overlays" / name)


@contextmanager
def combined(*paths: str) -> Iterator[Path]:
    """Yield a directory with a kustomization of its own, which puts overlays and components together."""
    with TemporaryDirectory() as name:
        directory = Path(name).resolve()
        relative = [os.path.relpath(KUBERNETES / path, directory) for path in paths]
        parts = {"resources": [relative[0]], "components": relative[1:]}
        (directory / "kustomization.yaml").write_text(yaml.safe_dump(parts), encoding="utf-8")
        yield directory


def with_components(name: str, *components: str) -> list[Object]:
    """Return the objects of one overlay with *components*, put together as the guide does."""
    return read(_combined(f"overlays/{name}", *(f"components/{component}" for component in components)))


@cache
def _combined(*paths: str) -> str:
    with combined(*paths) as directory:
        return _kustomize(directory)


def read(text: str) -> list[Object]:
    """Return the objects of *text*."""
    return [found for found in yaml.safe_load_all(text) if found]


def of_kind(objects: Iterable[Object], *kinds: str) -> list[Object]:
    """Return those of *kinds*."""
    return [found for found in objects if found["kind"] in kinds]


def the(objects: Iterable[Object], kind: str) -> Object:
    """Return the only one of *kind*."""
    (found,) = of_kind(objects, kind)
    return found


def named(found: Object) -> str:
    """Return its kind and name."""
    return f"{found['kind']}/{found['metadata']['name']}"


def pods(objects: Iterable[Object]) -> Iterator[Pod]:
    """Give the pods that *objects* are, or make."""
    for found in objects:
        template = found if found["kind"] == "Pod" else found.get("spec", {}).get("template")
        if template and "containers" in template.get("spec", {}):
            metadata = template["metadata"]
            yield Pod(named(found), metadata.get("labels", {}), metadata.get("annotations", {}), template["spec"])


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether *selector*, which must not be empty, is met by *labels*."""
    return bool(selector) and selector.items() <= labels.items()


def settings(objects: Iterable[Object]) -> str:
    """Return the settings file that the ConfigMap holds."""
    (text,) = [one["data"]["oneiric.yaml"] for one in of_kind(objects, "ConfigMap") if "oneiric.yaml" in one["data"]]
    assert isinstance(text, str)
    return text
