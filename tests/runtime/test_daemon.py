"""The service as a process: its start, what it says to its service manager, and its end."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from processes import eventually
from services import PATIENCE, running, service

from oneiric.runtime.control.client import NotRunningError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from services import Service

pytestmark = pytest.mark.slow  # each starts processes

CACHE = {"start": ["adapter/cache"]}


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """Return a socket that takes what a service says to its manager."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as taking:
        taking.bind(str(tmp_path / "notify"))
        taking.settimeout(PATIENCE)
        yield taking


@contextmanager
def managed(directory: Path, manager: socket.socket, **environment: str) -> Iterator[Service]:
    """Yield a service that is ready, whose manager is *manager*."""
    with service(directory, runtime=CACHE) as one:
        one.start(environment={"NOTIFY_SOCKET": str(manager.getsockname()), **environment})
        yield one


def said(manager: socket.socket, word: str) -> str:
    """Return the next message that has *word*."""
    while word not in (message := manager.recv(4096).decode()):
        pass
    return message


def test_what_must_run_is_active_once_it_is_ready(tmp_path: Path) -> None:
    """The components of ``runtime.start`` are active when the service says that it is ready."""
    with running(tmp_path, runtime={"start": ["adapter/cache", "service/payments"]}) as one:
        ready = one.event("runtime-ready")
        swaps = {(line["domain"], line["provider"]) for line in one.events("swap-complete")}
    assert (ready["required"], ready["active"], swaps) == (2, 2, {("adapter", "first"), ("service", "only")})


def test_a_component_that_fails_is_tried_again(tmp_path: Path) -> None:
    """A required component whose health check fails is missing, by name, until it is well; the others run."""
    with service(tmp_path, runtime={"start": ["adapter/cache", "service/payments"], "retry_interval": 0.1}) as one:
        (one.faults / "sick").touch()
        one.start()
        first = one.event("runtime-ready")
        missing = one.event("component-missing")
        (one.faults / "sick").unlink()
        eventually(lambda: [e for e in one.events("swap-complete") if e["domain"] == "service"], what="it is active")
    assert (first["required"], first["active"]) == (2, 1)
    assert (missing["domain"], missing["key"]) == ("service", "payments")


def test_a_long_start_shows_how_far_it_is(tmp_path: Path) -> None:
    """While a component takes its time, the log has how many of those that must run are active, again and again."""
    with service(tmp_path, runtime={"start": ["adapter/cache", "service/payments"]}) as one:
        (one.faults / "slow").touch()
        one.launch()
        starting = one.event("runtime-starting", count=2)
        (one.faults / "slow").unlink()
        one.event("runtime-ready")
    assert (starting["required"], starting["active"]) == (2, 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(tmp_path: Path, number: int) -> None:
    """SIGTERM and SIGINT stop it with exit code 0, and leave no socket and nobody in the health file."""
    with running(tmp_path, runtime=CACHE) as one:
        code = one.stop(number)
        reason = one.event("runtime-stopping")["reason"]
        with pytest.raises(NotRunningError):
            one.client.read("list")
        assert (code, reason, one.socket.exists()) == (0, signal.Signals(number).name, False)
        assert '"orchestrator_pid": null' in (one.state / "runtime_health.json").read_text()


def test_a_signal_ends_a_start(tmp_path: Path) -> None:
    """SIGTERM during the start ends it, and nothing is left as activating."""
    with service(tmp_path, runtime={"start": ["service/payments"]}) as one:
        (one.faults / "slow").touch()
        one.launch()
        eventually(one.answers, what="the control socket answers during the start")
        assert one.process is not None
        one.process.send_signal(signal.SIGTERM)
        one.event("runtime-stopping")
        (one.faults / "slow").unlink()
        assert one.process.wait(PATIENCE) == 0
        assert "activating" not in (one.state / "lifecycle_status.json").read_text()


def test_an_end_that_takes_too_long_is_cut_off(tmp_path: Path) -> None:
    """What is not closed within ``runtime.stop_timeout`` is abandoned, with exit code 1 and the stacks in the log."""
    settings = {"runtime": {**CACHE, "stop_timeout": 0.2}, "lifecycle": {"cleanup_timeout": 0}}
    with running(tmp_path, **settings) as one:
        (one.faults / "unclosable").touch()
        assert one.stop() == 1
        assert "most recent call first" in one.log.read_text()


def test_it_says_what_a_service_manager_wants_to_know(tmp_path: Path, manager: socket.socket) -> None:
    """READY, RELOADING with its time in the same message, READY again and STOPPING arrive, with a status each."""
    with managed(tmp_path, manager) as one:
        assert "STATUS=running: 1 of 1 required components active" in said(manager, "READY=1")
        assert one.process is not None
        one.process.send_signal(signal.SIGHUP)
        assert "MONOTONIC_USEC=" in said(manager, "RELOADING=1")
        assert said(manager, "READY=1")
        one.process.send_signal(signal.SIGTERM)
        assert "STATUS=" in said(manager, "STOPPING=1")
        one.process.wait(PATIENCE)


def test_it_gives_signs_of_life(tmp_path: Path, manager: socket.socket) -> None:
    """With WATCHDOG_USEC it sends WATCHDOG=1 from its loop, again and again."""
    with managed(tmp_path, manager, WATCHDOG_USEC="200000"):
        said(manager, "READY=1")
        assert said(manager, "WATCHDOG=1")
        assert said(manager, "WATCHDOG=1")


def test_the_watchdog_of_another_process_is_not_ours(tmp_path: Path, manager: socket.socket) -> None:
    """WATCHDOG_PID of another process means that no sign of life is wanted."""
    with managed(tmp_path, manager, WATCHDOG_USEC="1000", WATCHDOG_PID=str(os.getpid())) as one:
        said(manager, "READY=1")
        one.stop()
        manager.setblocking(False)
        messages = []
        while True:
            try:
                messages.append(manager.recv(4096).decode())
            except BlockingIOError:
                break
    assert not [message for message in messages if "WATCHDOG" in message]
