"""The service killed at random moments, at work and while it starts: what was acknowledged is there afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import TYPE_CHECKING

import pytest
from processes import PROGRAMS
from services import PATIENCE, Service

from oneiric.runtime.control.client import ServiceClient, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KILLS = 100
"""In each of the batches that run side by side."""
BATCHES = 2
CLIENTS = 2
KEYS = 4
"""Components that each client pauses and resumes."""
AT_WORK = 0.1
"""Longest time at work before the kill, in seconds."""
STARTING = 0.3
"""Longest time since the fork before a kill while it starts, in seconds."""


class Victim:
    """A service in *directory* that is killed, and what it acknowledged.

    Attributes:
        known: Whether each component was paused when that was acknowledged last.
        asked: What was asked for each and not acknowledged: it may or may not have happened.
        named: The process that the health file named after the last kill, None where there was none.
    """

    def __init__(self, directory: Path, seed: int) -> None:
        self.random = Random(seed)
        self.service = Service(directory, {"runtime": {"start": ["adapter/cache"]}})
        self.known = {f"c{client}-{number}": False for client in range(CLIENTS) for number in range(KEYS)}
        self.asked: dict[str, bool] = {}
        self.killed: list[int] = []
        self.named: int | None = None
        self.recoveries = 0
        command = [sys.executable, str(PROGRAMS / "killable.py"), str(self.service.config), str(self.service.log)]
        self.starter = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=directory,
            env=self.service.environment,
        )

    def start(self) -> int:
        """Start it, and return its process."""
        assert self.starter.stdin is not None
        assert self.starter.stdout is not None
        self.starter.stdin.write("start\n")
        self.starter.stdin.flush()
        return int(self.starter.stdout.readline())

    def kill(self, process: int) -> None:
        """Kill it, and wait until it is gone; what is in its files then is whole."""
        assert self.starter.stdout is not None
        os.kill(process, signal.SIGKILL)
        assert self.starter.stdout.readline() == "ended\n"
        self.killed.append(process)
        files = [self.service.state / name for name in ("lifecycle_status.json", "runtime_health.json")]
        _, health = [json.loads(path.read_text(encoding="utf-8")) if path.exists() else {} for path in files]
        self.named = health.get("orchestrator_pid")

    def end(self) -> None:
        """End what starts it."""
        self.starter.kill()
        self.starter.communicate()

    def kill_at_work(self) -> None:
        """Kill it while the clients pause, resume and swap, after what it took over was looked at."""
        process = self.start()
        self.soon(self.service.answers, "it answers")
        self.look()
        stopped = threading.Event()
        with ThreadPoolExecutor(CLIENTS) as clients:
            working = [clients.submit(self.work, number, stopped) for number in range(CLIENTS)]
            stopped.wait(self.random.uniform(0, AT_WORK))
            self.kill(process)
            stopped.set()
            for each in working:
                each.result()

    def kill_starting(self) -> None:
        """Kill it while it starts."""
        process = self.start()
        threading.Event().wait(self.random.uniform(0, STARTING))
        self.kill(process)

    def look(self) -> None:
        """Whatever was acknowledged is so, and the service says what it took over from whom."""
        paused = {
            key for key, state in self.service.client.read("activity")["domains"].get("adapter", {}).items()
            if state["paused"]
        }  # fmt: skip
        for key, known in self.known.items():
            assert (key in paused) in {known, self.asked.get(key, known)}, key
            self.known[key] = key in paused
        self.asked.clear()
        if self.named is not None:  # else it was killed before it had written anything
            self.soon(lambda: len(self.recovered()) > self.recoveries, "it says what it recovered")
            *_, last = recovered = self.recovered()
            self.recoveries = len(recovered)
            assert last["previous_pid"] in self.killed
            assert last["paused"] == len(paused)

    def recovered(self) -> list[dict[str, object]]:
        """Return what its runs said of what they recovered."""
        return self.service.events("runtime-recovered")

    def work(self, client: int, stopped: threading.Event) -> None:
        """Pause and resume components of this client's own, and swap, until it is killed."""
        random, control = Random(client), ServiceClient(self.service.socket, silence=PATIENCE)
        while not stopped.is_set():
            key, paused = f"c{client}-{random.randrange(KEYS)}", random.random() < 0.5
            self.asked[key] = paused
            try:
                control.change("pause", key=key, resume=not paused)
                self.known[key] = paused
                del self.asked[key]
                control.change("swap", key="cache", force=True)
            except ServiceError:
                return

    def soon(self, look: Callable[[], bool], what: str) -> None:
        """Wait until *look* finds what is awaited."""
        deadline = time.monotonic() + PATIENCE
        while not look():
            assert time.monotonic() < deadline, f"{what}\n{self.service.log.read_text(encoding='utf-8')[-2000:]}"
            time.sleep(0.01)  # between looks at another process


def batter(directory: Path, seed: int) -> int:
    """Kill a service in *directory* again and again, one time in four while it starts, and return how often."""
    directory.mkdir()
    victim = Victim(directory, seed)
    try:
        for _ in range(KILLS):
            if victim.random.random() < 0.25:
                victim.kill_starting()
            else:
                victim.kill_at_work()
        process = victim.start()
        victim.soon(victim.service.answers, "it answers")
        victim.look()
        victim.kill(process)
        return len(victim.killed)
    finally:
        victim.end()


@pytest.mark.slow
def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    """After each of 200 kills the next start has every acknowledged pause, whole files, and says what it recovered."""
    with ThreadPoolExecutor(BATCHES) as batches:
        killed = list(batches.map(lambda seed: batter(tmp_path / str(seed), seed), range(BATCHES)))
    assert sum(killed) >= BATCHES * KILLS
