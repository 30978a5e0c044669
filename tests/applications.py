"""The examples of docs/applications.md, started by the commands that the page shows."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from documents import APPLICATIONS, ROOT, fences
from processes import eventually, get, untraced
from prometheus_client.parser import text_string_to_metric_families

COMMANDS = [text for document, text in fences("sh") if document == APPLICATIONS]
"""What the page has to start an example, fence by fence."""

SECONDS = 180
"""How long a start, an answer or an end may take on a machine that does much else."""


@dataclass
class Page:
    """A page of metrics."""

    text: str

    def value(self, sample: str, **labels: str) -> float:
        """Return the sum of the samples of this name that have *labels*."""
        families = text_string_to_metric_families(self.text)
        found = [each for family in families for each in family.samples if each.name == sample]
        assert found, sample
        return sum(each.value for each in found if labels.items() <= each.labels.items())


@dataclass
class Application:
    """A running example; all that it printed is in *log*."""

    process: subprocess.Popen[bytes]
    log: Path

    @classmethod
    def start(cls, commands: str, directory: Path) -> Application:
        """Run *commands* in a copy of the examples in *directory*, on free ports and with directories in there."""
        examples = shutil.copytree(ROOT / "docs" / "examples", directory / "examples")
        commands = re.sub(r"\b(8000|9464)\b", "0", commands).replace("/tmp/shop", str(directory / "shop"))
        *before, last = commands.strip().splitlines()
        environment = untraced() | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(directory),  # gunicorn keeps a socket there
            "PYTHONUNBUFFERED": "1",
            "GUNICORN_CMD_ARGS": f"--timeout {SECONDS}",  # a busy machine is no reason to kill a worker
            "UVICORN_TIMEOUT_WORKER_HEALTHCHECK": f"{SECONDS}",
        }
        log = directory / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["bash", "-ec", "\n".join([*before, f"exec env {last}"])],
                cwd=examples,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return cls(process, log)

    def printed(self, pattern: str, *, times: int = 1) -> re.Match[str]:
        """Return the first match of *pattern* once it has been printed so many *times*; fail if it is not."""

        def look() -> re.Match[str] | None:
            found = list(re.finditer(pattern, self.log.read_text(encoding="utf-8")))
            assert len(found) >= times or self.process.poll() is None, self.log.read_text(encoding="utf-8")
            return found[0] if len(found) >= times else None

        return eventually(look, what=f"{times} x {pattern} in {self.log}", seconds=SECONDS)

    @property
    def url(self) -> str:
        """Where it is served, once it is."""
        return self.printed(r"http://127\.0\.0\.1:[1-9]\d*(?=\D)")[0]

    def page(self, accept: str = "text/plain") -> Page:
        """Return the metrics that it shows; a scrape that comes to nothing in time is repeated."""
        return page(f"{self.url}/metrics", accept)

    def stop(self) -> None:
        """End it as a service manager does, and whatever of it does not end."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=SECONDS)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)


def page(url: str, accept: str = "text/plain") -> Page:
    """Return the metrics at *url*; a scrape that comes to nothing in time is repeated."""

    def scrape() -> Page | None:
        try:
            text = get(url, {"Accept": accept})
        except OSError:
            return None
        return Page(text) if "oneiric_" in text else None

    return eventually(scrape, what=f"metrics at {url}", seconds=SECONDS)


def post(url: str) -> dict[str, Any]:
    """Return what *url* answers to a POST."""
    with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=SECONDS) as response:
        answer: dict[str, Any] = json.load(response)
        return answer


def take_orders(application: Application, count: int = 40) -> list[dict[str, Any]]:
    """Order tea *count* times, several at a time, and return the answers."""
    url = f"{application.url}/orders/tea"
    with ThreadPoolExecutor(8) as clients:
        return list(clients.map(post, [url] * count))
