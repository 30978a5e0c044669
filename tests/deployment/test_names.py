"""The names that every deployment has in common: the page that lists them, and what is deployed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

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
