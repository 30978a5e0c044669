"""Several processes of one service: one of them serves and keeps the files, the others join, and one takes over."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from processes import eventually, free_port, get

from oneiric.core.config import OneiricSettings
from oneiric.runtime.orchestrator import RuntimeOrchestrator
from oneiric.runtime.workers import Leadership

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = Path(__file__).parent.parent / "programs" / "workers.py"
ERRORS = {"HookFailed", "MetricsServerFailed"}
SWAPS = 'oneiric_lifecycle_swap_total{domain="adapter",key="cache",outcome="success"} '
PATIENCE = 120.0


class Service:
    """Workers with one cache directory and one port."""

    def __init__(self, directory: Path, *, port: int, shared: bool) -> None:
        self.cache = directory / "cache"
        self.log = directory / "log"
        self.port = port
        options: dict[str, Any] = {"metrics_address": f"127.0.0.1:{port}"}
        if shared:
            options["shared"] = {"directory": str(directory / "shared")}
        self.settings = json.dumps({"cache_dir": str(self.cache), "observability": options})
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, *counts: int) -> None:
        """Start a process for each of *counts*, which is one worker, or forks as many."""
        for count in counts:
            command = [sys.executable, str(PROGRAM), str(count), self.settings, str(self.log)]
            self._processes.append(subprocess.Popen(command, start_new_session=True))
        eventually(lambda: len(self.pids("ready")) == sum(counts), what="all workers are ready", seconds=PATIENCE)

    def stop(self) -> None:
        """Terminate all that are left."""
        for pid in self.pids("ready"):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(PATIENCE)
            finally:  # whoever never was ready was not terminated
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def pids(self, *events: str) -> list[int]:
        """Return the processes that wrote down one of *events*, once for each time."""
        with suppress(FileNotFoundError):
            lines = map(json.loads, self.log.read_text().splitlines())
            return [line["pid"] for line in lines if line["event"] in events]
        return []

    def errors(self) -> list[str]:
        """Return the failures that were written down."""
        return [line for line in self.log.read_text().splitlines() if json.loads(line)["event"] in ERRORS]

    def owner(self) -> int | None:
        """Return the process that wrote the health file."""
        found: int | None = json.loads((self.cache / "runtime_health.json").read_text())["orchestrator_pid"]
        return found

    def page(self) -> str:
        """Return the metrics; "" while nobody serves them."""
        with suppress(OSError):
            return get(f"http://127.0.0.1:{self.port}/metrics")
        return ""


@pytest.fixture
def service(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Service]:
    """A service whose workers share their counts, unless the test says otherwise."""
    made = Service(tmp_path, port=free_port(), shared=getattr(request, "param", True))
    yield made
    made.stop()


@pytest.mark.slow
@pytest.mark.parametrize("counts", [(1, 1, 1, 1), (4,)], ids=["spawned", "forked"])
def test_one_worker_serves_and_the_others_join(service: Service, counts: tuple[int, ...]) -> None:
    """Four workers that start at once report no error; one of them has the page, with all counts, and the files."""
    service.start(*counts)
    (server,) = service.pids("MetricsServerStarted")
    assert (service.errors(), len(service.pids("MetricsServerJoined"))) == ([], 3)
    assert service.owner() == server
    assert SWAPS + "4.0" in service.page().splitlines()
    status = service.cache / "lifecycle_status.json"
    (entry,) = eventually(lambda: json.loads(status.read_text()), what="the status is written", seconds=PATIENCE)
    assert (entry["key"], entry["state"]) == ("cache", "ready")


@pytest.mark.slow
def test_an_owner_that_is_killed_is_replaced(service: Service) -> None:
    """When the worker that serves is killed another one serves, and owns the files, without an error."""
    service.start(4)
    (killed,) = service.pids("MetricsServerStarted")
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: len(service.pids("MetricsServerStarted")) == 2, what="another one serves", seconds=PATIENCE)
    eventually(lambda: service.owner() not in {killed, None}, what="another one owns the files", seconds=PATIENCE)
    successor = service.pids("MetricsServerStarted")[1]
    assert (service.errors(), service.owner(), service.page() != "") == ([], successor, True)
    service.stop()
    assert service.errors() == []


@pytest.mark.slow
@pytest.mark.parametrize("service", [False], indirect=True)
def test_a_worker_whose_counts_nobody_shows_says_so(service: Service) -> None:
    """Without a shared directory each worker that joins says once what to set."""
    service.start(2)
    (joined,) = [line for line in service.log.read_text().splitlines() if "MetricsServerJoined" in line]
    assert "observability.shared.directory (ONEIRIC_METRICS_DIR)" in joined


async def test_a_port_that_another_program_has_is_an_error(tmp_path: Path) -> None:
    """Only workers with the same cache directory are of one service."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        settings = OneiricSettings.model_validate(
            {"cache_dir": str(tmp_path), "observability": {"metrics_address": address}}
        )
        async with RuntimeOrchestrator(settings) as runtime:
            assert runtime.metrics_server is None
            assert runtime.telemetry is not None
            errors = {"sink": "metrics_server"}
            assert runtime.telemetry.registry.get_sample_value("oneiric_observability_hook_errors_total", errors) == 1.0


@pytest.mark.parametrize("address", ["127.0.0.1:0", ""])
async def test_a_worker_with_an_address_of_its_own_serves_there(tmp_path: Path, address: str) -> None:
    """Who joins leaves to the leader only what there is room for once: any free port is enough for all."""
    settings = OneiricSettings.model_validate(
        {"cache_dir": str(tmp_path), "observability": {"metrics_address": address or f"127.0.0.1:{free_port()}"}}
    )
    first = settings.model_copy(deep=True)
    first.observability.metrics_address = "127.0.0.1:0"
    async with RuntimeOrchestrator(first) as leader, RuntimeOrchestrator(settings) as other:
        assert leader.metrics_server is not None
        assert other.metrics_server is not None


def test_one_process_leads_at_a_time(tmp_path: Path) -> None:
    """Whoever leads does so until it lets go, and asking again changes nothing."""
    first, second = (Leadership(tmp_path / "cache", address=f"127.0.0.1:{port}") for port in (1, 2))
    assert not first.is_served_elsewhere()
    assert (first.take(), second.take(), first.take()) == (True, False, True)
    assert (first.is_served_elsewhere(), second.is_served_elsewhere()) == (False, True)
    first.forget()
    assert (second.take(), first.take(), first.is_served_elsewhere()) == (True, False, True)
    second.forget()


def test_a_forked_child_does_not_lead(tmp_path: Path) -> None:
    """The child of a leader is one of the others, and the parent leads on when it has ended."""
    leader = Leadership(tmp_path, address="")
    assert leader.take()
    child = os.fork()
    if child == 0:
        os._exit(leader.take())
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not Leadership(tmp_path, address="").take()


def test_a_full_disk_ends_no_leadership(tmp_path: Path) -> None:
    """Where the leader cannot write down its address, it has the lock all the same, now and at the next look."""
    leadership, other = Leadership(tmp_path, address="a:1"), Leadership(tmp_path, address="b:1")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            leadership.take()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    leads = (leadership.take(), other.take())
    leadership.forget()
    assert leads == (True, False)
