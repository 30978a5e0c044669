"""The names that every deployment has in common: the page that lists them, and what is deployed."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import yaml
from deployment.kubernetes.objects import overlay, pods
from documents import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = ROOT / "docs" / "deployment" / "README.md"


def rows() -> Iterator[list[str]]:
    """Give the cells of each row of the table."""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| ") and "---" not in line:
            yield [cell.strip() for cell in line.strip("|").split("|")]


def listed() -> dict[str, str]:
    """Return the variables that the table names, with the value that each must have in a container."""
    found = {}
    for _, where, how in rows():
        for name, value in re.findall(r"`([A-Z_]+)(?:=([^`]+))?`", how):
            path = re.search(r"`(/[^`]+)`", where)
            found[name] = value or (path[1] if path else "")
    return found


def test_a_container_of_kubernetes_has_the_names_of_the_page() -> None:
    """Variables, paths, user, port and image of the pods are those that the page lists."""
    (pod,) = pods(overlay("single"))
    (container,) = pod.containers
    variables = {one["name"]: one["value"] for one in container["env"]}
    names = listed()
    text = PAGE.read_text(encoding="utf-8")
    assert f"`{variables['ONEIRIC_METRICS_ADDRESS']}` in a container" in text
    assert names.pop("ONEIRIC_METRICS_ADDRESS") is not None
    assert len(names) >= 5
    assert {name: variables.get(name) for name in names} == names
    context = pod.spec["securityContext"]
    assert f"in containers {context['runAsUser']} and {context['runAsGroup']}" in text
    assert pod.ports == {"metrics": int(re.findall(r"port (\d+), called `metrics`", text)[0])}
    assert container["image"].startswith("oneiric:")


def test_the_image_has_the_names_of_the_page() -> None:
    """Variables, user and port of the image are those that the page lists."""
    text = (ROOT / "deploy" / "docker" / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.partition(" ") for line in text.rpartition("\nFROM ")[2].splitlines()]
    variables = dict(
        word.split("=", 1) for verb, _, rest in lines if verb == "ENV" for word in shlex.split(rest) if "=" in word
    )
    names = listed()
    assert names.pop("ONEIRIC_METRICS_ADDRESS") is not None
    assert {name: variables.get(name) for name in names} == names
    page = PAGE.read_text(encoding="utf-8")
    assert f"`{variables['ONEIRIC_METRICS_ADDRESS']}` in a container" in page
    (user,) = (rest for verb, _, rest in lines if verb == "USER")
    assert f"in containers {user.replace(':', ' and ')} |" in page
    (port,) = (rest for verb, _, rest in lines if verb == "EXPOSE")
    assert f"port {port}, called `metrics`" in page


def test_the_unit_has_the_names_of_the_page() -> None:
    """The settings and directories of the unit are those that the page lists."""
    settings = yaml.safe_load((ROOT / "deploy" / "systemd" / "oneiric.yaml").read_text(encoding="utf-8"))
    unit = (ROOT / "deploy" / "systemd" / "oneiric.service").read_text(encoding="utf-8").splitlines()
    names = listed()
    assert f"Environment=ONEIRIC_CONFIG={names['ONEIRIC_CONFIG']}" in unit
    assert settings["state_dir"] == names["ONEIRIC_STATE_DIR"]
    assert settings["cache_dir"] == names["ONEIRIC_CACHE_DIR"]
    assert settings["control"]["socket"] == f"{names['RUNTIME_DIRECTORY']}/control.sock"
    directories = names["STATE_DIRECTORY"].replace("/var/lib/", "").replace(":", " ")
    assert f"StateDirectory={directories}" in unit
    page = PAGE.read_text(encoding="utf-8")
    assert f"`{settings['observability']['metrics_address']}` on a host" in page
    assert "User=oneiric" in unit
