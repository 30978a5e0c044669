"""Files that start the service: a command, option or variable that is not there is found where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from drift_seeds import MARK, found, marked

if TYPE_CHECKING:
    from pathlib import Path

POD = """apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      initContainers:
      - image: postgres:17
        command: [sh, -c, "until pg_isready; do sleep 1; done"]
      containers:
      - name: shop
        image: {image}
        command: {command}
        args: {args}
        env:
        - name: {name}
          value: x
        livenessProbe:
          exec:
            command: {probe}
"""
COMPOSE = """services:
  prometheus:
    image: prom/prometheus
    command: [--config.file=/etc/prometheus.yml]
  shop:
    image: {image}
    command: {command}
    environment: {environment}
    healthcheck:
      test: {test}
"""
DOCKERFILE = """FROM python:3.13-slim AS builder
ARG ONEIRIC_VERSION
RUN pip install "oneiric==$ONEIRIC_VERSION" \\
    && {run}
FROM python:3.13-slim
ENV {name}=/etc/oneiric/oneiric.yaml \\
    PATH=/venv/bin:$PATH
HEALTHCHECK --interval=10s CMD {health}
ENTRYPOINT ["oneiric"]
CMD {command}
"""
UNIT = """[Unit]
Description=Oneiric
# Environment=ONEIRIC_NOTHING=1
[Service]
Type=notify
Environment=MALLOC_ARENA_MAX=2 "{name}=/etc/oneiric/oneiric.yaml"
ExecStartPre=-/usr/bin/mkdir -p /run/x
ExecStart=/usr/lib/oneiric/bin/oneiric {start}
ExecReload={reload}
"""


def pod(**given: str) -> str:
    """Return a workload that is right but for what is *given*."""
    usual = {"image": "oneiric:1", "command": "[]", "args": "[orchestrate]", "name": "ONEIRIC_CONFIG"}
    return POD.format(**usual | {"probe": "[oneiric, health]"} | given)


def compose(**given: str) -> str:
    """Return a Compose file that is right but for what is *given*."""
    usual = {"image": "oneiric:1", "command": "--import shop orchestrate", "environment": "{ONEIRIC_CONFIG: /x}"}
    return COMPOSE.format(**usual | {"test": "[CMD, oneiric, health]"} | given)


def dockerfile(**given: str) -> str:
    """Return a Dockerfile that is right but for what is *given*."""
    usual = {"run": "oneiric --version", "name": "ONEIRIC_CONFIG", "health": '["oneiric", "health"]'}
    return DOCKERFILE.format(**usual | {"command": '["orchestrate", "--no-remote"]'} | given)


def unit(**given: str) -> str:
    """Return a unit that is right but for what is *given*."""
    usual = {"name": "ONEIRIC_CONFIG", "start": "--import shop orchestrate", "reload": "/usr/bin/oneiric reload"}
    return UNIT.format(**usual | given)


CLEAN = {
    "deployment.yaml": pod(),
    "application.yaml": pod(image="registry.example:5000/shop@sha256:0", args="[--import, shop, orchestrate]"),
    "embedded.yaml": pod(image="shop", args="[gunicorn, 'shop:app']", name="ONEIRIC_LIFECYCLE__HEALTH_TIMEOUT"),
    "other.yaml": pod(image="redis", args="[orchestrat, --nothing]", name="REDIS"),
    "shell.yaml": pod(command="[/bin/sh, -c]", args="[exec oneiric orchestrate]"),
    "compose.yaml": compose(),
    "list.yaml": compose(environment="['ONEIRIC_METRICS_ADDRESS=0.0.0.0:${ONEIRIC_PORT}']"),
    "Dockerfile": dockerfile(),
    "shop.Dockerfile": "FROM shop\nCMD oneiric orchestrate\n",
    "oneiric.service": unit(),
}
SEEDS = [
    ("ON131", "deployment.yaml", pod(args="[«orchestrat]")),
    ("ON132", "deployment.yaml", pod(args="[orchestrate, «--no-remotes]")),
    ("ON132", "deployment.yaml", pod(args="['«--imports', shop, orchestrate]")),
    ("ON131", "deployment.yaml", pod(image="shop:1", args="[--import, shop, «orchestrates]")),
    ("ON132", "deployment.yaml", pod(command="[/venv/bin/oneiric]", args="[orchestrate, «--nothing]")),
    ("ON131", "deployment.yaml", pod(command="[sh, -c]", args="['exec oneiric «orchestrat']")),
    ("ON131", "deployment.yaml", pod(probe="[oneiric, «healthy]")),
    ("ON135", "deployment.yaml", pod(name="«ONEIRIC_METRIC_ADDRESS")),
    ("ON131", "compose.yaml", compose(command="--import shop «orchestrat")),
    ("ON132", "compose.yaml", compose(command="[orchestrate, «--remote]")),
    ("ON135", "compose.yaml", compose(environment="{«ONEIRIC_STATE_DIRECTORY: /x}")),
    ("ON135", "compose.yaml", compose(environment="['«ONEIRIC_CONF=/x']")),
    ("ON132", "compose.yaml", compose(test="[CMD, oneiric, health, «--probes]")),
    ("ON131", "compose.yaml", compose(test="[CMD-SHELL, 'oneiric «heath || exit 1']")),
    ("ON131", "compose.yaml", compose(test="oneiric «heath")),
    ("ON132", "Dockerfile", dockerfile(run="oneiric «--versions")),
    ("ON135", "Dockerfile", dockerfile(name="«ONEIRIC_CONFIGS")),
    ("ON131", "Dockerfile", dockerfile(health='["oneiric", "«heath"]')),
    ("ON131", "Dockerfile", dockerfile(health="oneiric «heath || exit 1")),
    ("ON132", "Dockerfile", dockerfile(command='["orchestrate", "«--no-remotes"]')),
    ("ON131", "Containerfile", "FROM shop\nCMD oneiric «orchestrat\n"),
    ("ON131", "oneiric.service", unit(start="--import shop «orchestrates")),
    ("ON132", "oneiric.service", unit(start="orchestrate \\\n  «--imports shop")),
    ("ON131", "oneiric.service", unit(reload="/usr/bin/oneiric «reloads")),
    ("ON135", "oneiric.service", unit(name="«ONEIRIC_CONFIGURATION")),
    (
        "ON101",
        "scaler.yaml",
        "kind: ScaledObject\nspec:\n  triggers:\n  - metadata: {query: 'sum(«oneiric_resolutions_total)'}\n",
    ),
]


def test_right_files_are_clean(tmp_path: Path) -> None:
    """Nothing is found where all is right, nor in what starts other programs."""
    for name, text in CLEAN.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert found(tmp_path) == []


@pytest.mark.parametrize(("code", "name", "text"), SEEDS)
def test_a_misspelling_is_found_where_it_is(tmp_path: Path, code: str, name: str, text: str) -> None:
    """One misspelling, one finding, in its line and column."""
    assert MARK in text
    right, line, column = marked(text)
    (tmp_path / name).write_text(right, encoding="utf-8")
    assert found(tmp_path) == [(name, line, column, code)]
