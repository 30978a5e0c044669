"""Oneiric and the shop as units of a booted machine."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import yaml
from booted import PATIENCE, Machine
from documents import ROOT
from processes import PROGRAMS, executable

if TYPE_CHECKING:
    from pathlib import Path

NEWER = "9.9.9"
"""The version of the package that a machine is upgraded to."""
INSTALL = f"{Machine.source}/deploy/systemd/install.sh"
UNINSTALL = f"{Machine.source}/deploy/systemd/uninstall.sh"
WHEELS = "/srv/wheels"
"""Where a machine has the wheels."""
COMPONENTS = ("adapter/cache", "event/receipt", "event/stock", "task/report", "service/payments", "service/on-request")
"""What must run."""


def build_wheels(directory: Path, sources: Path) -> None:
    """Build wheels of this version, of a newer one and of the shop into *directory*; *sources* is an empty one."""
    uv = executable("uv", package="uv, of PyPI")
    for name in ("README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources)
    shutil.copytree(ROOT / "oneiric", sources / "oneiric", ignore=shutil.ignore_patterns("__pycache__"))
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    newer = re.sub(r'(?m)^version = ".*"', f'version = "{NEWER}"', text, count=1)
    (sources / "pyproject.toml").write_text(newer, encoding="utf-8")
    for source in (ROOT, sources, ROOT / "examples" / "shop"):
        command = [uv, "build", "--quiet", "--wheel", "--out-dir", str(directory), str(source)]
        subprocess.run(command, check=True, timeout=PATIENCE)


def packages(machine: Machine, *, newer: bool = False) -> list[str]:
    """Return the options that have this version, or the newer one, and the shop installed."""
    names = [path.name for path in machine.path(WHEELS).iterdir() if f"-{NEWER}-" not in path.name or newer]
    wanted = [max(name for name in names if name.startswith(start)) for start in ("oneiric-", "oneiric_shop-")]
    return [word for name in wanted for word in ("--package", f"{WHEELS}/{name}")]


def install(machine: Machine, *options: str, newer: bool = False) -> str:
    """Install it, and return what the script says."""
    return machine.run(INSTALL, *packages(machine, newer=newer), *options).stdout


def prepare(machine: Machine) -> None:
    """Bring what the tests' component needs, and the users ada, a member of the group, and bob, a stranger."""
    machine.shell("useradd -UG oneiric ada; useradd -U bob; mkdir -p /srv/programs")
    shutil.copy(PROGRAMS / "on_request.py", machine.path("/srv/programs"))


def settings_of(machine: Machine, name: str = "oneiric") -> dict[str, Any]:
    """Return the settings of the unit *name*."""
    settings: dict[str, Any] = yaml.safe_load(machine.path(f"/etc/oneiric/{name}.yaml").read_text(encoding="utf-8"))
    return settings


def save(machine: Machine, settings: dict[str, Any], name: str = "oneiric") -> None:
    """Save the settings of the unit *name*."""
    new = machine.path(f"/etc/oneiric/.{name}.new")
    new.write_text(yaml.safe_dump(settings), encoding="utf-8")
    new.replace(machine.path(f"/etc/oneiric/{name}.yaml"))


def configure(machine: Machine, name: str = "oneiric", **sections: Any) -> None:
    """Have the unit *name* run the shop, which keeps what it writes in its state directory."""
    spool = {"orders": "orders", "prices": f"{Machine.source}/examples/shop/prices.json"}
    shop = {"runtime": {"start": [*COMPONENTS]}, "services": {"provider_settings": {"spool": spool}}}
    save(machine, settings_of(machine, name) | shop | sections, name)
    imports = "IMPORTS=--import shop --import on_request\nPYTHONPATH=/srv/programs\n"
    machine.path(f"/etc/oneiric/{name}.env").write_text(imports, encoding="utf-8")


def drop_in(machine: Machine, unit: str, text: str) -> None:
    """Change *unit* by a drop-in with *text*, which replaces the last one."""
    directory = machine.path(f"/etc/systemd/system/{unit}.d")
    directory.mkdir(exist_ok=True)
    (directory / "test.conf").write_text(text, encoding="utf-8")
    machine.run("systemctl", "daemon-reload")


def lines(machine: Machine, unit: str = "oneiric.service") -> list[str]:
    """Return what *unit* wrote to the journal."""
    return machine.run("journalctl", "--no-pager", "--output=cat", f"_SYSTEMD_UNIT={unit}").stdout.splitlines()


def events(machine: Machine, name: str, unit: str = "oneiric.service") -> list[dict[str, Any]]:
    """Return the events *name* that *unit* wrote to the journal."""
    found = (json.loads(line) for line in lines(machine, unit) if line.startswith("{"))
    return [line for line in found if line.get("event") == name]
