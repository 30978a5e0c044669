"""Every incident for real: sandboxes, a Prometheus that scrapes them, an Alertmanager, and who is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from processes import Alertmanager, Prometheus, eventually, free_port, untraced

from oneiric.monitoring.bundle import alertmanager as routing
from oneiric.monitoring.bundle import prometheus, scraping, write
from oneiric.monitoring.config import configured
from oneiric.rehearsal.drills import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.monitoring.config import BundleConfig

ROOT = Path(__file__).parents[1]
VICTIM = "target-down"
MOST_SECONDS = 5
"""The longest interval between two scrapes, on a machine that has very much else to do."""
Notice = dict[str, Any]


class Desk:
    """A web server with the documents of this repository, which takes the notices of an Alertmanager.

    Attributes:
        url: Its address.
        notices: Every notice so far, with ``receiver`` and ``at``, the time it came.
    """

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        handler = partial(_DeskHandler, self.notices)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop it."""
        self._server.shutdown()
        self._server.server_close()

    def told(self, name: str, job: str, *, status: str, since: float) -> Notice | None:
        """Return the first notice since then with that *status* about the alert *name* of *job*, or None."""
        for notice in self.notices:
            labels = notice["labels"]
            found = (labels["alertname"], labels.get("job"), notice["status"]) == (name, job, status)
            if found and notice["at"] >= since:
                return notice
        return None

    def last(self, name: str, job: str, *, since: float) -> Notice | None:
        """Return the newest notice since then about the alert *name* of *job*, or None."""
        for notice in reversed(self.notices):
            labels = notice["labels"]
            if (labels["alertname"], labels.get("job")) == (name, job):
                return notice if notice["at"] >= since else None
        return None


class _DeskHandler(SimpleHTTPRequestHandler):
    def __init__(self, notices: list[Notice], *arguments: Any, **options: Any) -> None:
        self._notices = notices
        super().__init__(*arguments, directory=str(ROOT), **options)

    def do_POST(self) -> None:
        """Take a notice."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        at = time.time()
        self._notices.extend(alert | {"receiver": body["receiver"], "at": at} for alert in body["alerts"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_arguments: Any) -> None:
        """Keep silent."""


@dataclass
class Sandboxes:
    """A process with sandboxes.

    Attributes:
        ports: Where each serves its metrics, by the name of the scenario.
    """

    process: subprocess.Popen[str]
    ports: dict[str, int]

    @classmethod
    def start(cls, directory: Path, *names: str, port: int = 0) -> Sandboxes:
        """Start it, and return once all of its sandboxes run."""
        directory.mkdir()
        command = [sys.executable, str(ROOT / "tests" / "sandboxes.py"), str(directory), str(port), *names]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=untraced())
        assert process.stdout is not None
        return cls(process, json.loads(process.stdout.readline()))

    def tell(self, word: str) -> None:
        """Have the sandboxes do *word*, and wait until they did."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline().strip() == word

    def kill(self) -> None:
        """Kill it, as if its memory had run out."""
        self.process.kill()
        self.process.communicate()


@dataclass
class Incidents:
    """All incidents, in the same Prometheus and Alertmanager; each is a job of its own.

    The process of the one that is about a process that is gone is killed and started again; the others share two.

    Attributes:
        desk: Who is told.
        interval: Seconds between two scrapes.
        began: When the faults were put in.
        ended: When they were taken out.
    """

    directory: Path
    desk: Desk
    sandboxes: list[Sandboxes]
    victim: Sandboxes
    prometheus: Prometheus
    alertmanager: Alertmanager
    interval: int
    began: float = 0.0
    ended: float = 0.0

    @classmethod
    def start(cls, directory: Path) -> Incidents:
        """Start everything below *directory*, and return once every sandbox was scraped."""
        with ExitStack() as started:  # whatever is missing, nothing of what was started runs on
            desk = Desk()
            started.callback(desk.close)
            names = sorted(SCENARIOS.keys() - {VICTIM})
            groups = {"victim": [VICTIM], "even": names[::2], "odd": names[1::2]}
            with ThreadPoolExecutor() as pool:
                starting = [pool.submit(Sandboxes.start, directory / name, *group) for name, group in groups.items()]
            victim, *sandboxes = processes = [future.result() for future in starting]
            for process in processes:
                started.callback(process.kill)
            address = f"127.0.0.1:{free_port()}"
            ports = {name: port for process in processes for name, port in process.ports.items()}
            seconds = interval()
            config = export(directory, ports, desk.url, address, seconds)
            alertmanager = Alertmanager.listening(directory, routes(directory, desk.url), address)
            started.callback(alertmanager.stop)
            prometheus = Prometheus.configured(directory, config)
            started.callback(prometheus.stop)
            eventually(partial(scraped, prometheus), what="every sandbox is scraped", seconds=90)
            started.pop_all()
        return cls(directory, desk, sandboxes, victim, prometheus, alertmanager, seconds)

    def begin(self) -> None:
        """Put all faults in."""
        self.began = time.time()
        for process in self.sandboxes:
            process.tell("begin")
        self.victim.kill()

    def end(self) -> None:
        """Take all faults out."""
        self.ended = time.time()
        for process in self.sandboxes:
            process.tell("end")
        self.victim = Sandboxes.start(self.directory / "successor", VICTIM, port=self.victim.ports[VICTIM])

    def stop(self) -> None:
        """Stop everything."""
        for server in (self.prometheus, self.alertmanager):
            server.stop()
        for process in (*self.sandboxes, self.victim):
            process.kill()
        self.desk.close()


def scraped(prometheus: Prometheus) -> bool:
    """Return whether *prometheus* scrapes the sandbox of every scenario."""
    return len(prometheus.query("up == 1")) == len(SCENARIOS)


def routes(directory: Path, desk: str) -> Path:
    """Export a bundle that tells *desk* of everything, and return its configuration of Alertmanager."""
    write(routing.files(configured((f"webhook_url={desk}/notices", "time_scale=0.002"))), directory / "bundle")
    return directory / "bundle" / "alertmanager" / "alertmanager.yml"


def interval() -> int:
    """Return the seconds between two scrapes, and two evaluations, that this machine keeps up with now."""
    return min(max(1, round(os.getloadavg()[0] / (2 * (os.cpu_count() or 1)))), MOST_SECONDS)


def pace(seconds: int) -> tuple[str, ...]:
    """Return what of the bundle's own settings makes minutes fractions of a second, with *seconds* between scrapes."""
    return (
        f"time_scale={0.0002 * seconds:g}",
        f"scrape_interval_seconds={seconds}",
        f"evaluation_interval_seconds={seconds}",
    )


def export(directory: Path, ports: Mapping[str, int], desk: str, alertmanager: str, seconds: int) -> Path:
    """Export a bundle for every scenario, and return a configuration with the jobs and rule files of all of them."""
    scrapes, rules, document = [], [], {}
    for name, scenario in SCENARIOS.items():
        settings = (
            f"job={name}",
            f"targets=127.0.0.1:{ports[name]}",
            f"docs_url={desk}/docs",
            f"alertmanager_url=http://{alertmanager}",
            *pace(seconds),
            *scenario.quick,
            *scenario.alone,
        )
        place = directory / f"{name}-bundle"
        write(exported(configured(settings)), place)
        document = yaml.safe_load((place / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
        scrapes += document["scrape_configs"]
        rules.append(str(place / "prometheus" / "rules" / "oneiric-alerts.yml"))
    config = directory / "prometheus.yml"
    config.write_text(yaml.safe_dump(document | {"scrape_configs": scrapes, "rule_files": rules}), encoding="utf-8")
    return config


def exported(config: BundleConfig) -> dict[str, str]:
    """Return the files of the bundle that Prometheus reads."""
    return scraping.files(config) | prometheus.files(config)


def page(url: str) -> str:
    """Return the text at *url*."""
    with urllib.request.urlopen(url, timeout=60) as response:
        text: str = response.read().decode()
        return text
