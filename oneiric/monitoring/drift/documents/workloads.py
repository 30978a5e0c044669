"""Containers, in the workloads of Kubernetes and in Compose files, and the queries that scale them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.drift.documents.launches import Launch, judge_launch, judge_started
from oneiric.monitoring.drift.documents.shell import judge_command_line
from oneiric.monitoring.drift.queries import judge_promql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oneiric.monitoring.drift.documents.commands import Surface
    from oneiric.monitoring.drift.queries import Context
    from oneiric.monitoring.notation.nodes import Node
    from oneiric.monitoring.notation.text import Piece

_TEMPLATE = ("spec", "template", "spec")
_PODS = {
    "CronJob": ("spec", "jobTemplate", *_TEMPLATE),
    "DaemonSet": _TEMPLATE,
    "Deployment": _TEMPLATE,
    "Job": _TEMPLATE,
    "Pod": ("spec",),
    "ReplicaSet": _TEMPLATE,
    "StatefulSet": _TEMPLATE,
}
"""Where each workload has the specification of its pods."""
_SCALER = "ScaledObject"


def is_workload(node: Node) -> bool:
    """Whether *node* is an object of Kubernetes that starts containers, or scales by queries."""
    kind = node.word("kind")
    return bool(node.get(*_PODS[kind], "containers")) if kind in _PODS else kind == _SCALER


def is_compose(node: Node) -> bool:
    """Whether *node* is a Compose file."""
    return any(service.get("image") or service.get("build") for _, service in node.get("services").pairs)


def judge_workload(node: Node, context: Context, surface: Surface) -> None:
    """Report what the containers of *node* are started with, or its scaler asks for, that is not there."""
    for trigger in node.get("spec", "triggers").items:
        if node.word("kind") == _SCALER and (query := trigger.string("metadata", "query")) is not None:
            judge_promql(query, context, "document")
    pod = node.get(*_PODS.get(node.word("kind"), ("none",)))
    for key in ("initContainers", "containers"):
        for container in pod.get(key).items:
            image, variables = container.word("image"), [one.get("name").text for one in container.get("env").items]
            launch = Launch(image, _texts(container.get("command")), _texts(container.get("args")), variables)
            judge_launch(launch, context, surface)
            for inner in container.walk():
                judge_started(_texts(inner.get("exec", "command")), context, surface)


def judge_compose(node: Node, context: Context, surface: Surface) -> None:
    """Report what the services of the Compose file *node* are started with that is not there."""
    for _, service in node.get("services").pairs:
        image, variables = service.word("image"), list(_settings(service.get("environment")))
        command, entry = service.get("command"), service.get("entrypoint")
        launch = Launch(image, _words(entry), _words(command), variables)
        judge_launch(launch, context, surface)
        test = service.get("healthcheck", "test")
        if test.kind == "string":
            judge_command_line(test.text, context, surface)
        elif test.items and test.items[0].text.text == "CMD-SHELL":
            judge_command_line(test.items[-1].text, context, surface)
        else:
            judge_started(_texts(test)[1:], context, surface)


def _settings(environment: Node) -> Iterator[Piece]:
    yield from (name.text for name, _ in environment.pairs)
    yield from _texts(environment)


def _words(node: Node) -> list[Piece]:
    """Return the words of a command, which is a list, or a text as a shell has it."""
    if node.kind != "string":
        return _texts(node)
    words, at = [], 0
    for text in node.text.text.split():
        at = node.text.text.index(text, at)
        words.append(node.text[at : at + len(text)])
        at += len(text)
    return words


def _texts(node: Node) -> list[Piece]:
    return [one.text for one in node.items]
