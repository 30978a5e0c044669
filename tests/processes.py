"""Real processes for tests: the demonstration, and servers that a user may or may not have."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")
PROGRAMS = Path(__file__).parent / "programs"
"""Programs that tests start."""
REQUIRED = "REQUIRE_SERVERS"
"""Environment variable that makes a missing server a failure instead of a skip."""


def executable(name: str, *, package: str) -> str:
    """Return the path of program *name*; without it the test is skipped, or fails where servers are required."""
    path = shutil.which(name)
    if path is not None:
        return path
    reason = f"needs the program {name} (Debian package {package})"
    if os.environ.get(REQUIRED):
        pytest.fail(reason)
    pytest.skip(reason)


def eventually(look: Callable[[], T | None], *, what: str, seconds: float = 120.0) -> T:
    """Return what *look* finds once that is true; fails, naming *what*, if it is not within *seconds*."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.1)  # between looks at another process
    pytest.fail(f"not within {seconds} s: {what}")


def free_port() -> int:
    """Return a port of the loopback address that nothing listens on at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def get(url: str, headers: dict[str, str] | None = None) -> str:
    """Return the body of *url* as text."""
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=60) as response:
        text: str = response.read().decode()
        return text


def is_ready(url: str) -> bool:
    """Return whether the server of Prometheus' family at *url* says that it is ready."""
    try:
        return bool(get(f"{url}/-/ready"))
    except OSError:
        return False


def untraced() -> dict[str, str]:
    """Return the environment for a process that is measured, or interrupted very often: without coverage tracing it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


def run_script(code: str, *arguments: str, timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
    """Run *code* in an interpreter of its own and return how it ended, with what it printed."""
    command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, env=untraced())


def run_program(name: str, *arguments: str, timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
    """Run the program *name* of ``tests/programs`` and return how it ended, with what it printed."""
    command = [sys.executable, str(PROGRAMS / name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, env=untraced())


@dataclass
class Demo:
    """A running demonstration."""

    process: subprocess.Popen[str]
    metrics_url: str
    log_file: Path

    @classmethod
    def start(cls, directory: Path, *options: str, environment: Mapping[str, str] | None = None) -> Demo:
        """Start it on a free port, with *environment* added to ours, and return once it said where its metrics are."""
        log_file = directory / "demo.jsonl"
        command = [sys.executable, "-m", "oneiric", "demo", "--port", "0", "--log-file", str(log_file), *options]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, cwd=directory, env=os.environ | (environment or {})
        )
        assert process.stdout is not None
        for line in process.stdout:
            if found := re.search(r"http://\S+/metrics", line):
                return cls(process, found[0], log_file)
        pytest.fail(f"the demonstration ended with {process.wait()} before it served its metrics")

    def stop(self) -> tuple[int, str]:
        """Interrupt it as Ctrl-C does, and return its exit code and the rest of what it printed."""
        self.process.send_signal(signal.SIGINT)
        try:
            output, _ = self.process.communicate(timeout=120)
        finally:
            self.process.kill()
        return self.process.returncode, output

    def metrics(self) -> str:
        """Return what it exposes now."""
        return get(self.metrics_url)

    def lines(self) -> list[str]:
        """Return the complete log lines written so far."""
        return [
            line for line in self.log_file.read_text(encoding="utf-8").splitlines(keepends=True) if line[-1] == "\n"
        ]


@dataclass
class Prometheus:
    """A running Prometheus that scrapes one target each second."""

    process: subprocess.Popen[bytes]
    url: str

    @classmethod
    def start(cls, directory: Path, target: str) -> Prometheus:
        """Start it with *target* (``host:port``) to scrape, and return once it is ready."""
        config = directory / "prometheus.yml"
        scrape = {"job_name": "oneiric", "static_configs": [{"targets": [target]}]}
        settings = {"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}
        config.write_text(json.dumps(settings), encoding="utf-8")
        return cls.configured(directory, config)

    @classmethod
    def configured(cls, directory: Path, config: Path, *flags: str) -> Prometheus:
        """Start it with the file *config* and more *flags*, and return once it is ready."""
        program = executable("prometheus", package="prometheus")
        address = f"127.0.0.1:{free_port()}"
        options = {
            "config.file": config,
            "storage.tsdb.path": directory / "tsdb",
            "web.listen-address": address,
            "log.level": "warn",
            "rules.alert.resend-delay": "5s",  # what it tells before it has found Alertmanager is lost
        }
        process = subprocess.Popen([program, *(f"--{name}={value}" for name, value in options.items()), *flags])
        server = cls(process, f"http://{address}")
        try:
            eventually(lambda: is_ready(server.url), what="Prometheus is ready")
        except BaseException:
            server.stop()
            raise
        return server

    def stop(self) -> None:
        """Stop it."""
        self.process.terminate()
        self.process.wait(timeout=120)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the result of an instant query."""
        body = json.loads(get(f"{self.url}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"))
        assert body["status"] == "success", body
        result: list[dict[str, Any]] = body["data"]["result"]
        return result


@dataclass
class Alertmanager:
    """A running Alertmanager."""

    process: subprocess.Popen[bytes]
    url: str

    @classmethod
    def configured(cls, directory: Path, config: Path) -> Alertmanager:
        """Start it with the file *config*, and return once it is ready."""
        return cls.listening(directory, config, f"127.0.0.1:{free_port()}")

    @classmethod
    def listening(cls, directory: Path, config: Path, address: str) -> Alertmanager:
        """Start it with the file *config* at *address*, and return once it is ready."""
        program = executable("prometheus-alertmanager", package="prometheus-alertmanager")
        options = {
            "config.file": config,
            "storage.path": directory / "alertmanager",
            "web.listen-address": address,
            "cluster.listen-address": "",
            "log.level": "error",
        }
        log = (directory / "alertmanager.log").open("wb")
        process = subprocess.Popen([program, *(f"--{name}={value}" for name, value in options.items())], stderr=log)
        log.close()
        server = cls(process, f"http://{address}")
        try:
            eventually(lambda: is_ready(server.url), what="Alertmanager is ready")
        except BaseException:
            server.stop()
            raise
        return server

    def stop(self) -> None:
        """Stop it."""
        self.process.terminate()
        self.process.wait(timeout=120)

    def post(self, *alerts: dict[str, str]) -> None:
        """Tell it of firing *alerts*, given by their labels."""
        body = json.dumps([{"labels": labels} for labels in alerts]).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/api/v2/alerts", data=body, headers=headers)
        urllib.request.urlopen(request, timeout=60).close()

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts that it has, with their states."""
        found: list[dict[str, Any]] = json.loads(get(f"{self.url}/api/v2/alerts"))
        return found


@dataclass
class Pushgateway:
    """A running Pushgateway."""

    process: subprocess.Popen[bytes]
    url: str

    @classmethod
    def start(cls) -> Pushgateway:
        """Start it and return once it is ready."""
        program = executable("prometheus-pushgateway", package="prometheus-pushgateway")
        address = f"127.0.0.1:{free_port()}"
        process = subprocess.Popen([program, f"--web.listen-address={address}", "--log.level=error"])
        gateway = cls(process, f"http://{address}")
        try:
            eventually(lambda: is_ready(gateway.url), what="the Pushgateway is ready")
        except BaseException:
            gateway.stop()
            raise
        return gateway

    def stop(self) -> None:
        """Stop it."""
        self.process.terminate()
        self.process.wait(timeout=120)

    def metrics(self) -> str:
        """Return what it exposes now."""
        return get(f"{self.url}/metrics")
