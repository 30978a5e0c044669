"""Grafana Alloy's configurations: lines from files, from systemd's journal, from containers and from pods, to Loki."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.bundle.loki.blocks import Block, Reference, written
from oneiric.monitoring.bundle.loki.shipping import FIELDS, METADATA, push_url, timestamp
from oneiric.monitoring.bundle.output import NOTICE
from oneiric.monitoring.bundle.scraping import POD_LABEL
from oneiric.monitoring.logql import STREAM_LABELS

if TYPE_CHECKING:
    from oneiric.monitoring.bundle.loki.blocks import Value
    from oneiric.monitoring.config import BundleConfig

LABEL = "oneiric"
"""The label of every component."""
HOSTNAME = Reference("constants.hostname")
DOCKER = "unix:///var/run/docker.sock"


def files(config: BundleConfig) -> dict[str, str]:
    """Return the text of each configuration for *config*, by its path."""
    return {
        "alloy/file.alloy": _text(config, *_file(config), stages=(_labels(config),), timed=False),
        "alloy/journal.alloy": _text(config, _journal(config), timed=True),
        "alloy/docker.alloy": _text(config, *_docker(config), timed=True),
        "alloy/kubernetes.alloy": _text(config, *_kubernetes(config), timed=True),
    }


def _text(config: BundleConfig, *sources: Block, stages: tuple[Block, ...] = (), timed: bool) -> str:
    blocks = (*sources, _process(*stages, timed=timed), _write(config))
    return NOTICE.replace("#", "//", 1) + "\n" + "\n".join(written(block) for block in blocks)


def _process(*first: Block, timed: bool) -> Block:
    """Return the stages of each line: its own time, a few fields beside it, and no labels but those of the stream.

    With *timed*, lines come with a time already. The stages *first* come before all others.
    """
    stages = (
        *first,
        Block("stage.json", attributes={"expressions": dict(FIELDS)}),
        Block("stage.timestamp", attributes=timestamp(timed=timed)),
        Block("stage.structured_metadata", attributes={"values": {field: field for field in METADATA}}),
        Block("stage.label_keep", attributes={"values": list(STREAM_LABELS)}),
    )
    return Block(_PROCESS.name, _PROCESS.label, {"forward_to": [_WRITE.export("receiver")]}, stages)


def _write(config: BundleConfig) -> Block:
    token: dict[str, Value] = {"bearer_token_file": config.loki_token_file} if config.loki_token_file else {}
    endpoint = Block("endpoint", attributes={"url": push_url(config), **token})
    return Block(_WRITE.name, _WRITE.label, blocks=(endpoint,))


_PROCESS = Block("loki.process", LABEL)
_WRITE = Block("loki.write", LABEL)
_FORWARD: list[Value] = [_PROCESS.export("receiver")]


def _stream(config: BundleConfig) -> dict[str, Value]:
    return {"app": config.app, "env": config.environment, "host": HOSTNAME}


def _file(config: BundleConfig) -> tuple[Block, Block]:
    """Return how files are found and read; their labels come later, see :func:`_labels`."""
    match = Block("local.file_match", LABEL, {"path_targets": [{"__path__": config.log_files}]})
    former: dict[str, Value] = (
        {"legacy_positions_file": config.legacy_positions_file} if config.legacy_positions_file else {}
    )
    source = Block("loki.source.file", LABEL, {"targets": match.export("targets"), "forward_to": _FORWARD, **former})
    return match, source


def _labels(config: BundleConfig) -> Block:
    """Return the stage that labels lines of files: Promtail's positions are of use only to targets without labels."""
    return Block("stage.static_labels", attributes={"values": _stream(config)})


def _journal(config: BundleConfig) -> Block:
    attributes: dict[str, Value] = {
        "matches": f"_SYSTEMD_UNIT={config.systemd_unit}",
        "max_age": "12h",
        "labels": _stream(config),
        "forward_to": _FORWARD,
    }
    return Block("loki.source.journal", LABEL, attributes)


def _docker(config: BundleConfig) -> tuple[Block, ...]:
    """Return how containers of this machine are found by the label that pods have, too."""
    chosen = Block("filter", attributes={"name": "label", "values": [f"{POD_LABEL}={config.app}"]})
    containers = Block("discovery.docker", LABEL, {"host": DOCKER, "refresh_interval": "5s"}, (chosen,))
    # Docker writes a name with a slash before it.
    named = _named(config, containers, source_labels=["__meta_docker_container_name"], regex="/(.*)")
    source = Block(
        "loki.source.docker", LABEL, {"host": DOCKER, "targets": named.export("output"), "forward_to": _FORWARD}
    )
    return containers, named, source


def _kubernetes(config: BundleConfig) -> tuple[Block, ...]:
    """Return how pods are found by the application's label."""
    selectors = Block("selectors", attributes={"role": "pod", "label": f"{POD_LABEL}={config.app}"})
    pods = Block("discovery.kubernetes", LABEL, {"role": "pod"}, (selectors,))
    named = _named(config, pods, source_labels=["__meta_kubernetes_pod_name"])
    source = Block("loki.source.kubernetes", LABEL, {"targets": named.export("output"), "forward_to": _FORWARD})
    return pods, named, source


def _named(config: BundleConfig, found: Block, **host: Value) -> Block:
    """Return what labels the targets that are *found*; *host* says whose name is their host's."""
    rules = (
        _rule(target_label="app", replacement=config.app),
        _rule(target_label="env", replacement=config.environment),
        _rule(**host, target_label="host"),
    )
    return Block("discovery.relabel", LABEL, {"targets": found.export("targets")}, rules)


def _rule(**attributes: Value) -> Block:
    return Block("rule", attributes=attributes)
