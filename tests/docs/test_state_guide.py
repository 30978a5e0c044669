"""The guide on state: its commands, and what it says of the files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest
from documents import ROOT, STATE, fences
from services import running

from oneiric.core.events import SuspectReason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services import Service

pytestmark = pytest.mark.slow  # each starts processes


def test_every_command_of_the_guide_works(tmp_path: Path) -> None:
    """Who follows the recovery step by step gets to its end, and sees at each step what the guide says."""
    commands = "set -euo pipefail\n" + "".join(fence for document, fence in fences("sh") if document == STATE)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ONEIRIC_")}
    done = subprocess.run(
        ["bash", "-x", "-c", commands],
        cwd=tmp_path,
        env=environment | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_guide_names_every_reason() -> None:
    """Whatever the event can say is explained."""
    text = (ROOT / STATE).read_text(encoding="utf-8")
    assert [reason for reason in get_args(SuspectReason) if f"| `{reason}` |" not in text] == []


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Yield a service with a state directory apart from its cache, in which something of every kind has happened."""
    remote = {"enabled": True, "manifest_url": "http://127.0.0.1:9/manifest.json", "max_retries": 0}
    with running(tmp_path_factory.mktemp("state"), runtime={"start": ["adapter/cache"]}, remote=remote) as one:
        one.event("remote-sync-error")
        one.client.change("pause", domain="adapter", key="cache")
        yield one


def test_all_state_is_in_the_state_directory(started: Service) -> None:
    """A service writes to its state directory what the guide lists, and nothing of it to its cache directory."""
    text = (ROOT / STATE).read_text(encoding="utf-8")
    rows = "".join(line for line in text.splitlines() if line.startswith("|"))
    kept = {file.name for file in started.state.iterdir()}
    unlisted = {name for name in kept if f"`{name}" not in rows and not name.endswith(("-wal", "-shm", ".lock"))}
    cached = {file.name for file in (started.directory / "cache").iterdir()}
    assert unlisted == set()
    assert {
        "domain_activity.sqlite",
        "lifecycle_status.json",
        "runtime_health.json",
        "remote_status.json",
        "run",
    } <= kept
    assert cached & kept == set()
    assert [name for name in cached if name.endswith((".json", ".sqlite", ".lock"))] == []
    assert [file.suffix for file in (started.directory / "home" / "oneiric-witness").iterdir()].count(".json") == 1
