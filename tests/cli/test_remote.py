"""`oneiric remote-sync`: the service synchronises with a real site, and says how that went."""

from __future__ import annotations

import hashlib
import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from remote_support import Answer, Site
from services import PATIENCE, Service, running
from shapes import compare
from typer.testing import CliRunner

from oneiric.cli import exits
from oneiric.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator

BODY = b"print('hello')\n"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Yield a site with a manifest of one task with an artifact."""
    one = Site()
    entry = {
        "domain": "task",
        "key": "report",
        "provider": "remote",
        "factory": "oneiric.remote.samples:demo_remote_task",
        **one.artifact("/artifact", BODY),
    }
    one.put("/manifest.json", Answer(json.dumps({"source": "tests", "entries": [entry]}).encode()))
    yield one
    one.close()


@pytest.fixture(scope="module")
def synchronising(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Yield a service whose main source is the site."""
    remote = {"enabled": True, "manifest_url": f"{site.url}/manifest.json", "allow_private_hosts": True}
    with running(tmp_path_factory.mktemp("remote"), remote=remote) as one:
        yield one


def invoke(one: Service, *arguments: str) -> Any:
    """Run a command in this process on *one*."""
    return CliRunner().invoke(app, ["--config", str(one.config), *arguments])


def test_a_synchronisation_is_reported(synchronising: Service) -> None:
    """What was registered is said, in the status afterwards too, and the component is there."""
    done = invoke(synchronising, "remote-sync")
    status, listed = invoke(synchronising, "remote-status"), invoke(synchronising, "list", "-d", "task")
    assert (done.exit_code, done.stdout) == (0, "Remote sync complete: 1 candidates from tests.\n")
    assert "Registered: 1 skipped: 0\n  - task: 1\nSource remote: " in status.stdout
    assert "  - report/remote (" in listed.stdout


def test_the_shape_of_json(synchronising: Service) -> None:
    """A synchronisation, the status of a source and a cache with an artifact have the shapes of their golden files."""
    commands = {
        "remote-sync": ("remote-sync",),
        "remote-status-source": ("remote-status",),
        "cache-status-entry": ("cache", "status"),
    }
    for name, arguments in commands.items():
        compare(name, json.loads(invoke(synchronising, *arguments, "--json").stdout))


def test_what_is_in_force_is_not_cleaned(synchronising: Service) -> None:
    """The artifact of the manifest in force is shown as active, and `cache clean --all` leaves it."""
    cleaned = json.loads(invoke(synchronising, "cache", "clean", "--all", "--json").stdout)
    (entry,) = json.loads(invoke(synchronising, "cache", "status", "--json").stdout)["entries"]
    assert (cleaned["removed"], entry["active"], entry["sha256"]) == (0, True, hashlib.sha256(BODY).hexdigest())


def test_a_failed_synchronisation_ends_with_1(synchronising: Service, site: Site) -> None:
    """A manifest that is not there is an error in one line, without the query of its URL."""
    done = invoke(synchronising, "remote-sync", "--manifest", f"{site.url}/missing.json?token=hunter2")
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (exits.NO, "", 1)
    assert done.stderr.startswith("oneiric: the remote synchronisation failed: ")
    assert "hunter2" not in done.stderr


def test_watching_survives_a_failure(synchronising: Service, site: Site) -> None:
    """`remote-sync --watch` prints one line of JSON for each, goes on after an error, and ends with Ctrl-C."""
    manifest = site.pages["/manifest.json"][0]
    url = site.put("/flaky.json", Answer(b"no JSON"), manifest)
    command = synchronising.command("remote-sync", "--manifest", url, "--watch", "--refresh-interval", "0.1", "--json")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=synchronising.environment, text=True
    ) as process:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        process.send_signal(2)
        _, errors = process.communicate(timeout=PATIENCE)
    assert (line["schema_version"], line["synced"], line["registered"]) == (1, True, 1)
    assert json.loads(errors.splitlines()[0])["error"]["exit_code"] == exits.NO
    assert process.returncode == -2
