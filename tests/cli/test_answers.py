"""What the commands say of a running service: the texts that are specified, and the shape of their JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, get_args

import pytest
from shapes import compare

from oneiric.core.config import OneiricSettings
from oneiric.core.events import ControlCommand
from oneiric.runtime.commands import commands_of
from oneiric.runtime.orchestrator import RuntimeOrchestrator

if TYPE_CHECKING:
    from collections.abc import Callable

    from services import Service

TEXTS = [
    (("list",), "Active adapters:\n  - cache/first (priority=2 stack=None source=local_pkg)\n"),
    (("list", "--domain", "TASK"), "Active tasks:\n  (none)\n"),
    (("list", "--shadowed"), "Shadowed adapters:\n  - cache/second (priority=1 stack=None source=local_pkg)\n"),
    (("list", "--all"), "Active services:\n  - payments/only (priority=0 stack=None source=local_pkg)\n"),
    (("explain", "cache"), '"provider": "first"'),
    (("explain", "--key", "cache"), '"provider": "first"'),
    (("explain", "payments", "--domain", "service"), '"provider": "only"'),
    (("swap", "cache"), "Swapped adapter:cache -> auto; instance=Cache\n"),
    (
        ("swap", "--key", "cache", "--provider", "second", "--force"),
        "Swapped adapter:cache -> second; instance=Second\n",
    ),
    (("swap", "cache", "-p", "first"), "Swapped adapter:cache -> first; instance=Cache\n"),
    (("activity",), "No paused or draining keys recorded.\n"),
    (("pause", "--key", "cache", "--resume"), "Resumed adapter:cache (note=none)\n"),
    (("resume", "cache"), "Resumed adapter:cache (note=none)\n"),
    (("drain", "cache", "--note", "moves"), "Marked draining for adapter:cache (note=moves)\n"),
    (("drain", "cache", "--clear"), "Cleared draining for adapter:cache (note=none)\n"),
    (("status",), "Domain: adapter\nService: process "),
    (("status", "cache", "--shadowed"), "shadowed: second (priority=1 stack=None source=local_pkg)"),
    (("status", "--key", "payments", "--domain", "service"), "payments/only: active, served by nobody"),
    (("health",), "healthy\n"),
    (
        ("health", "--probe", "--domain", "adapter", "--key", "cache"),
        "adapter/cache: ready, served by first, probe passed",
    ),
    (("health",), "Swap latency: samples="),
    (("health",), "Runtime health cache: orchestrator_pid="),
    (("health",), "Profile: name=default"),
    (("health",), "Secrets: domain=adapter"),
    (("remote-status",), "Manifest URL: not set (disabled)\n"),
    (("remote-status",), "Remote latency budget=5000ms"),
    (("reload",), "Nothing changed.\n"),
    (("action-invoke", "echo", "--payload", '{"a": 1}'), '{\n  "echo": {\n    "a": 1\n  }\n}\n'),
    (("metrics", "swap_total"), 'oneiric_lifecycle_swap_total{domain="adapter",key="cache",outcome="success"} '),
    (("plugins",), "Registered plugin candidates: 0\n"),
    (("cache", "status"), "artifacts: 0 artifacts, 0 B of 5.0 GiB\n"),
    (("cache", "clean", "--all", "--dry-run"), "Would remove 0 artifacts, 0 B, from "),
    (("signals", "swap_total"), "oneiric_lifecycle_swap_total (counter) {domain, key, outcome}\n"),
    (("settings", "check"), "The settings are right; read: "),
    (("settings", "show", "runtime.start"), "runtime.start = ['adapter/cache']  # "),
]
SHAPES: dict[str, tuple[str, ...]] = {
    "list": ("list", "--shadowed"),
    "explain": ("explain", "cache"),
    "swap": ("swap", "cache", "--provider", "first"),
    "pause": ("pause", "cache", "--note", "x"),
    "activity": ("activity",),
    "resume": ("resume", "cache"),
    "drain": ("drain", "cache"),
    "drain-clear": ("drain", "cache", "--clear"),
    "activity-none": ("activity",),
    "status": ("status", "--shadowed"),
    "health": ("health", "--probe", "--key", "cache"),
    "remote-status": ("remote-status",),
    "remote-sync-skipped": ("remote-sync",),
    "reload": ("reload",),
    "action-invoke": ("action-invoke", "echo", "--payload", '{"a": 1}'),
    "metrics": ("metrics", "runtime_ready"),
    "plugins": ("plugins",),
    "cache-status": ("cache", "status"),
    "cache-clean": ("cache", "clean"),
    "signals": ("signals", "oneiric_runtime_ready"),
    "settings-check": ("settings", "check"),
    "settings-show": ("settings", "show", "control."),
}
ERRORS: dict[str, tuple[str, ...]] = {
    "error-unknown-key": ("explain", "cahce"),
    "error-unknown-domain": ("list", "--domain", "adaptr"),
    "error-unknown-provider": ("swap", "cache", "--provider", "secnd"),
    "error-no-key": ("pause",),
    "error-action": ("action-invoke", "broken"),
}


@pytest.mark.parametrize(
    ("arguments", "said"), TEXTS, ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_what_a_command_says(oneiric: Callable[..., Any], arguments: tuple[str, ...], said: str) -> None:
    """Each command does its work in the service and says so in the specified words, within 80 columns."""
    done = oneiric(*arguments)
    assert (done.exit_code, done.stderr) == (0, "")
    assert said in done.stdout


def test_who_is_paused_is_shown(oneiric: Callable[..., Any]) -> None:
    """A pause with its note is in the answer, in the activity and in the status, until it is resumed."""
    said = [
        oneiric(*arguments).stdout
        for arguments in (("pause", "cache", "--note", "maintenance"), ("activity",), ("status",), ("resume", "cache"))
    ]
    assert said[0] == "Paused adapter:cache (note=maintenance)\n"
    assert said[1].startswith("Total activity: paused=1 draining=0 note-only=0\nadapter activity: paused=1 draining=0")
    assert "cache/first: active, served by first, paused (maintenance)" in said[2]
    assert said[3] == "Resumed adapter:cache (note=none)\n"


@pytest.mark.parametrize("name", SHAPES)
def test_the_shape_of_json(oneiric: Callable[..., Any], name: str) -> None:
    """With --json a command prints one document and nothing else, of the shape that its golden file has."""
    done = oneiric(*SHAPES[name], "--json")
    assert done.stderr == ""
    compare(name, json.loads(done.stdout))


@pytest.mark.parametrize("name", ERRORS)
def test_the_shape_of_errors(oneiric: Callable[..., Any], name: str) -> None:
    """With --json an error is one object on standard error, with its exit code, and standard output is empty."""
    done, plain = oneiric(*ERRORS[name], "--json"), oneiric(*ERRORS[name])
    error = json.loads(done.stderr)
    assert (done.stdout, done.exit_code, error["error"]["exit_code"]) == ("", plain.exit_code, plain.exit_code)
    assert len(plain.stderr.splitlines()) == 1
    compare(name, error)


def test_the_table_is_in_the_label(shared: Service) -> None:
    """The label of the commands that are counted has every command of the socket, and no other."""
    settings = OneiricSettings.exactly(cache_dir=str(shared.directory / "other"))
    assert {*commands_of(RuntimeOrchestrator(settings)), "reload"} == set(get_args(ControlCommand))
