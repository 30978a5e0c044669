"""The guide: all of its commands, in their order, as far as they go without a cluster, and the files that it names."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from deployment.kubernetes.charts import CHART
from deployment.kubernetes.faults import faults
from deployment.kubernetes.objects import KUBERNETES, read, the
from deployment.kubernetes.validation import VERSIONS, validate
from documents import KUBERNETES as GUIDE
from documents import ROOT, fences
from processes import PROGRAMS


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Follow the guide beside a clone, and return the directory."""
    directory = tmp_path_factory.mktemp("guide")
    (directory / "oneiric").symlink_to(ROOT)
    programs = directory / "bin"
    programs.mkdir()
    for name in ("kubectl", "helm"):
        path = programs / name
        program = PROGRAMS / f"{name}_without_cluster.py"
        path.write_text(f'#!/bin/sh\nexec {sys.executable} {program} "$@"\n', encoding="utf-8")
        path.chmod(0o755)
    commands = "set -euo pipefail\n" + "".join(fence for document, fence in fences("sh") if document == GUIDE)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ONEIRIC_")}
    places = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-x", "-c", commands],
        cwd=directory,
        env=kept | {"PATH": places},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return directory


@pytest.mark.slow
@pytest.mark.parametrize("name", ["shop-deploy", "shop-replicated", "shop-helm"])
def test_what_the_guide_makes_is_valid_and_fits_together(followed: Path, name: str) -> None:
    """Who follows the guide gets objects of the application's image that Kubernetes takes, and that fit together."""
    objects = read((followed / name / "rendered.yaml").read_text(encoding="utf-8"))
    validate(objects)
    assert faults(objects) == []
    (container,) = the(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example/shop:1.0.0"
    assert container["args"] == ["--import", "shop", "orchestrate"]


@pytest.mark.slow
def test_the_secret_of_the_guide_is_the_one_that_is_used(followed: Path) -> None:
    """The generated Secret has a hash in its name, under which the container asks for its variables."""
    objects = read((followed / "shop-replicated" / "rendered.yaml").read_text(encoding="utf-8"))
    secret = the(objects, "Secret")["metadata"]["name"]
    (container,) = the(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert secret.startswith("oneiric-")
    assert container["envFrom"][0]["secretRef"]["name"] == secret
    assert container["env"][0]["valueFrom"]["secretKeyRef"] == {"name": secret, "key": "ONEIRIC_ACTIVITY__URL"}


def test_the_files_that_the_guide_names_exist() -> None:
    """Each path of the table of manifests is there, and each component is named."""
    text = (ROOT / GUIDE).read_text(encoding="utf-8")
    paths = re.findall(r"`((?:base|overlays|components)/[\w./-]*)`", text)
    assert len(paths) > 8
    assert [path for path in paths if not (KUBERNETES / path).exists()] == []
    for kind in ("components", "overlays"):
        names = [one.name for one in (KUBERNETES / kind).iterdir()]
        assert [name for name in names if f"`{name}`" not in text and f"`{kind}/{name}" not in text] == []


def test_the_guide_names_the_versions_that_are_validated() -> None:
    """The versions of Kubernetes in the guide, and the chart's oldest, are those of the schemas that are asked."""
    oldest, newest = (version.rpartition(".")[0] for version in VERSIONS)
    text = " ".join((ROOT / GUIDE).read_text(encoding="utf-8").split())
    assert f"for Kubernetes {oldest} and newer" in text
    assert f"schemas of Kubernetes {oldest} and {newest}" in text
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert chart["kubeVersion"] == f">={oldest}.0-0"
