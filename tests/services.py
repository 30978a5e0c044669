"""A service for tests: the real daemon, started as its user starts it, commanded through its socket."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from processes import PROGRAMS, eventually, get

from oneiric.runtime.control.client import ServiceClient, ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PATIENCE = 120.0
"""Seconds that a service of the tests may take for anything."""


class Service:
    """A running service in *directory*, whose settings file is written with *settings*, or is there already.

    Attributes:
        module: What it imports.
        state_name: Where its state is, within the directory.
        process: Its process.
        client: Asks it.
        config: Its settings file.
        state: Its state directory.
    """

    module = "components"
    state_name = "state"

    def __init__(self, directory: Path, settings: Mapping[str, Any] | None) -> None:
        self.directory = directory
        self.state = directory / self.state_name
        self.faults = directory / "faults"
        self.faults.mkdir(exist_ok=True)
        self.log = directory / "log.jsonl"
        self.config = directory / "oneiric.yaml"
        if settings is not None:
            self.save(settings)
        self.socket = self.state / "run" / "control.sock"
        self.client = ServiceClient(self.socket, silence=PATIENCE)
        self.process: subprocess.Popen[bytes] | None = None

    def save(self, settings: Mapping[str, Any]) -> None:
        """Write the settings file anew."""
        own = {
            "cache_dir": str(self.directory / "cache"),
            "state_dir": str(self.state),
            "observability": {"metrics_address": "127.0.0.1:0", "probe_interval": None},
        }
        temporary = self.config.with_suffix(".new")
        temporary.write_text(yaml.safe_dump(own | dict(settings)), encoding="utf-8")
        temporary.replace(self.config)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the service and of commands, without what the tests' own has of Oneiric."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ONEIRIC_", "XDG_"))}
        paths = os.pathsep.join(filter(None, (str(PROGRAMS), os.environ.get("PYTHONPATH"))))
        own = {"PYTHONPATH": paths, "COMPONENTS_FAULTS": str(self.faults), "XDG_CONFIG_HOME": str(self.directory)}
        own["XDG_STATE_HOME"] = str(self.directory / "home")
        return kept | own

    def launch(self, *options: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start the process, and return at once."""
        command = [*self.command("--import", self.module, "orchestrate"), *options]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stderr=log, stdout=log, env=self.environment | dict(environment or {}), cwd=self.directory
            )
        return self.process

    def start(self, *options: str, environment: Mapping[str, str] | None = None) -> None:
        """Start the process, and return once it is ready."""
        before = len(self.events("runtime-ready"))
        process = self.launch(*options, environment=environment)

        def is_ready() -> bool:
            if process.poll() is not None:
                pytest.fail(f"the service ended with {process.returncode}: {self.log.read_text()[-2000:]}")
            return len(self.events("runtime-ready")) > before

        eventually(is_ready, what="the service is ready", seconds=PATIENCE)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send the signal *number* and return the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of `oneiric` with this service's settings."""
        return [sys.executable, "-m", "oneiric", "--config", str(self.config), *arguments]

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command and return how it ended, with what it printed."""
        settings: dict[str, Any] = {"env": self.environment, "cwd": self.directory, "timeout": PATIENCE} | options
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False, **settings)

    def events(self, name: str = "") -> list[dict[str, Any]]:
        """Return its log lines of the event *name*, or all."""
        found = []
        with suppress(FileNotFoundError):
            for line in self.log.read_text(encoding="utf-8").splitlines():
                with suppress(ValueError):
                    found.append(json.loads(line))
        return [line for line in found if not name or line.get("event") == name]

    def event(self, name: str, *, count: int = 1) -> dict[str, Any]:
        """Return the last of its log lines of the event *name*, once there are *count*: they are written behind."""
        return eventually(lambda: self.events(name)[count - 1 :], what=f"{count} lines of {name}", seconds=PATIENCE)[-1]

    def metrics(self) -> str:
        """Return what it exposes now."""
        port = self.events("metrics-server-started")[-1]["port"]
        return get(f"http://127.0.0.1:{port}/metrics")

    def answers(self) -> bool:
        """Whether it answers."""
        try:
            self.client.read("list")
        except ServiceError:
            return False
        return True

    def kill(self) -> None:
        """Kill the process, if there is one, and wait for its end; idempotent."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()


@contextmanager
def service(directory: Path, **settings: Any) -> Iterator[Service]:
    """Yield a service in *directory*, not started; it is killed at the end."""
    one = Service(directory, settings)
    try:
        yield one
    finally:
        one.kill()


@contextmanager
def running(directory: Path, *options: str, **settings: Any) -> Iterator[Service]:
    """Yield a service in *directory* that is ready; it is killed at the end."""
    with service(directory, **settings) as one:
        one.start(*options)
        yield one
