"""The process that a pod starts: by the manifest's arguments and environment, with the settings of its ConfigMap."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.error import HTTPError

import pytest
from deployment.kubernetes.faults import PATHS
from deployment.kubernetes.objects import Object, overlay, pods, settings
from postgres import Postgres
from processes import get
from services import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow


class Started(Service):
    """The service of an overlay, with the container's directories below a temporary one, and *more* settings."""

    def __init__(self, directory: Path, name: str, secret: dict[str, str], more: str = "") -> None:
        objects = overlay(name)
        (pod,) = pods(objects)
        self.container = pod.containers[0]
        self.secret = secret
        for mount in self.container["volumeMounts"]:
            self.inside(directory, mount["mountPath"]).mkdir(parents=True)
        super().__init__(directory, None)
        self.config = self.inside(directory, "/etc/oneiric/oneiric.yaml")
        self.state = self.inside(directory, "/var/lib/oneiric")
        self.put(settings(objects) + more)

    @staticmethod
    def inside(directory: Path, path: str) -> Path:
        """Return *path* of the container below *directory*."""
        return directory / path.lstrip("/")

    def put(self, text: str) -> None:
        """Replace the ConfigMap's files at once, as the kubelet does: by a link to a directory of their own."""
        version = self.config.parent / f"..version{len(list(self.config.parent.iterdir()))}"
        version.mkdir()
        (version / "oneiric.yaml").write_text(text, encoding="utf-8")
        link = self.config.parent / "..data_tmp"
        link.symlink_to(version.name)
        link.replace(self.config.parent / "..data")
        if not self.config.is_symlink():
            self.config.symlink_to("..data/oneiric.yaml")

    @property
    def environment(self) -> dict[str, str]:
        """What the container has in its environment."""
        given = {one["name"]: one["value"] for one in self.container["env"] if "value" in one}
        moved = {name: self._moved(value) for name, value in given.items()} | self.secret
        here = {name: value for name, value in os.environ.items() if name.startswith(("PATH", "COVERAGE_"))}
        return here | moved | {"ONEIRIC_METRICS_ADDRESS": "127.0.0.1:0"}

    def _moved(self, value: str) -> str:
        if not value.startswith("/"):
            return value
        return ":".join(str(self.inside(self.directory, path)) for path in value.split(":"))

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of the program in the container, which has no options of its own."""
        chosen = self.container["args"] if "orchestrate" in arguments else arguments
        return [sys.executable, "-m", "oneiric", *chosen]


@pytest.fixture(scope="module")
def started() -> Iterator[Started]:
    """Yield the service, ready; its directory has a short name, since that of a socket is bounded."""
    with TemporaryDirectory(prefix="pod") as directory:
        one = Started(Path(directory), "single", {})
        try:
            one.start()
            yield one
        finally:
            one.kill()


def test_the_paths_of_the_probes_are_served(started: Started) -> None:
    """What probes and monitors ask for is answered with 200, and nothing else is."""
    port = started.event("metrics-server-started")["port"]
    for path in PATHS:
        assert get(f"http://127.0.0.1:{port}{path}")
    with pytest.raises(HTTPError, match="404"):
        get(f"http://127.0.0.1:{port}/healthz")


def test_commands_in_the_container_reach_the_service(started: Started) -> None:
    """`kubectl exec ... oneiric pause` acts on the service, and its witness is written to its place on the volume."""
    done = started.run("pause", "cache", "--note", "by hand")
    assert (done.returncode, done.stdout) == (0, "Paused adapter:cache (note=by hand)\n"), done.stderr
    assert started.event("control-request")["command"] == "pause"
    witnesses = started.inside(started.directory, "/var/lib/oneiric-witness").rglob("*.json")
    assert len(list(witnesses)) == 1


def test_a_changed_config_map_is_read_again(started: Started) -> None:
    """The swap of the mounted directory is noticed, and what can be applied is."""
    before = len(started.events("settings-reloaded"))
    started.put(settings(overlay("single")).replace("logging:\n", "logging:\n  level: DEBUG\n"))
    assert started.event("settings-reloaded", count=before + 1)["changed"] == 1


def test_a_replica_reaches_the_database_of_its_secret() -> None:
    """The container of the replicated overlay gets ready with PostgreSQL's address, and keeps its pauses there."""
    server = Postgres(tcp=False)
    try:
        server.start()
        with TemporaryDirectory(prefix="pod") as directory:
            secret = {"ONEIRIC_ACTIVITY__URL": server.url("postgres")}
            assert [one["name"] for one in overlay_variables("replicated") if "valueFrom" in one] == [*secret]
            one = Started(Path(directory), "replicated", secret, "activity: {migrate_at_start: true}\n")
            try:
                one.start()
                assert one.run("pause", "cache").returncode == 0
                with server.connected() as connection:
                    assert connection.execute("SELECT key FROM oneiric.activity WHERE paused").fetchall() == [
                        ("cache",)
                    ]
            finally:
                one.kill()
    finally:
        server.remove()


def overlay_variables(name: str) -> list[Object]:
    """Return the variables of the container of an overlay."""
    (pod,) = pods(overlay(name))
    found: list[Object] = pod.containers[0]["env"]
    return found
