"""The Compose file, brought up by tests with what runs here: the service, Prometheus and Alertmanager."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from containers import BASE, SECONDS
from documents import ROOT
from processes import PROGRAMS, executable

from oneiric.monitoring.bundle import write
from oneiric.monitoring.bundle.files import bundle
from oneiric.monitoring.config import configured

if TYPE_CHECKING:
    from collections.abc import Iterator

    from containers import Done, Engine

COMPOSE = ROOT / "deploy" / "docker" / "compose.yaml"
NAMES = (
    "targets=oneiric:9464",
    "scrape_token_file=/run/secrets/metrics-token",
    "alertmanager_url=http://alertmanager:9093",
    "prometheus_url=http://prometheus:9090",
    "secrets_dir=/run/secrets/alertmanager",
    "loki_url=http://loki:3100",
    "loki_dir=/loki",
    "grafana_dashboards_dir=/etc/oneiric-dashboards",
)
"""What the guide exports the bundle with; a test compares."""
PACE = ("time_scale=0.0002", "scrape_interval_seconds=1", "evaluation_interval_seconds=1")
RECEIVER = {
    "image": BASE,
    "command": ["python3", "/notice_taker.py"],
    "volumes": [f"{PROGRAMS}/notice_taker.py:/notice_taker.py:ro"],
}
PROGRAMS_OF = {
    "prometheus": ("prometheus", "promtool"),
    "alertmanager": ("prometheus-alertmanager", "amtool"),
}
"""The programs of Debian that stand for those in the images that the Compose file names."""
SHARED = Path("/usr/share/prometheus")
"""What Debian's programs read at their start; the published ones have it within."""
CONTAINER_OWNER = 10001


def composition() -> dict[str, Any]:
    """Return the Compose file as it is written."""
    document: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    return document


class Stack:
    """The services of the Compose file in *directory*, run by *engine*."""

    def __init__(self, engine: Engine, directory: Path) -> None:
        self._engine = engine
        self.directory = directory
        self._environment = engine.environment | dict.fromkeys(
            ("METRICS_PORT", "PROMETHEUS_PORT", "ALERTMANAGER_PORT"), "0"
        )

    def compose(self, *arguments: str, check: bool = True) -> Done:
        """Run a command of Compose."""
        files = ("--file=compose.yaml", "--file=receiver.yaml")
        return self._engine.docker(
            "compose", *files, *arguments, check=check, env=self._environment, cwd=self.directory, timeout=SECONDS
        )

    def address(self, service: str, port: int) -> str:
        """Return where *port* of *service* is published."""
        return self.compose("port", service, str(port)).stdout.strip()


def prepare(directory: Path) -> None:
    """Write the Compose file, a receiver, the secrets and the bundle below *directory*, as the guide does."""
    shutil.copy(COMPOSE, directory)
    (directory / "receiver.yaml").write_text(yaml.safe_dump({"services": {"receiver": RECEIVER}}), encoding="utf-8")
    settings = (*NAMES, *PACE, "webhook_url=http://receiver:9095")
    write(bundle(configured(settings)), directory / "monitoring")
    (directory / "secrets" / "alertmanager").mkdir(parents=True)
    for name in composition()["secrets"]:
        path = directory / "secrets" / name
        path.write_text("a-secret-of-the-tests", encoding="utf-8")
        path.chmod(0o440)
        os.chown(path, CONTAINER_OWNER, CONTAINER_OWNER)


def imitate(engine: Engine, service: str, directory: Path) -> None:
    """Make the image that the Compose file names for *service* of Debian's programs, with the user it really has."""
    directory.mkdir()
    program, tool = PROGRAMS_OF[service]
    for name, target in ((program, service), (tool, tool)):
        shutil.copy(executable(name, package=program), directory / target)
    shutil.copytree(SHARED, directory / "shared")
    lines = (
        f"FROM {BASE}",
        f"COPY {service} {tool} /bin/",
        f"COPY shared {SHARED}",
        f"RUN install -d -o 65534 -g 65534 /{service}",
        "USER 65534:65534",
        f'ENTRYPOINT ["/bin/{service}"]',
    )
    (directory / "Dockerfile").write_text("\n".join(lines), encoding="utf-8")
    image = composition()["services"][service]["image"].partition(":-")[2].rstrip("}")
    engine.build(image, context=str(directory))


@contextmanager
def stack(engine: Engine, directory: Path) -> Iterator[Stack]:
    """Yield the services, not yet started, with images for those that can be had; they end with the tests."""
    for service in PROGRAMS_OF:
        imitate(engine, service, directory / service)
    place = directory / "stack"
    place.mkdir(mode=0o755)
    prepare(place)
    made = Stack(engine, place)
    try:
        yield made
    finally:
        made.compose("down", "--volumes", "--timeout=5", check=False)
