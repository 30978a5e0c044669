"""What hostile clients cannot do to the metrics server, its host and those who scrape it as usual."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attackers import ATTACKS
from besieged import DESCRIPTORS
from certificates import make_identity
from processes import untraced

from benchmarks._crowd import Scrapers
from oneiric.observability import ServerLimits

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).parents[2]
ATTACK_SECONDS = 2.5
SCRAPE_INTERVAL = 0.5
LOOK_INTERVAL = 0.05
MAX_THREADS = 8
MAX_GROWTH = 20 * 1024 * 1024
SPARE_DESCRIPTORS = 8
DEADLINE = 120.0  # seconds after which what is waited for has failed
SERIES = 3000
CROWD_SERIES = 2000
BYTES_A_SERIES = 30


@dataclass(frozen=True)
class Usage:
    """What a process holds."""

    descriptors: int
    threads: int
    memory: int

    @classmethod
    def of(cls, pid: int) -> Usage:
        """Look at process *pid*."""
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        return cls(descriptors, int(status["Threads"]), int(status["VmRSS"].split()[0]) * 1024)


@dataclass
class Scraper:
    """A scraper that makes a fresh connection each half second, and looks at the server's process meanwhile."""

    port: int
    pid: int
    tls: ssl.SSLContext | None
    scraped: int = 0
    wrong: list[str] = field(default_factory=list)
    usages: list[Usage] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def scrape(self) -> None:
        """Scrape once, and note what went wrong."""
        try:
            with closing(self._connection()) as connection:
                connection.request("GET", "/metrics")
                response = connection.getresponse()
                size = len(response.read())
            if response.status != 200 or size < SERIES * BYTES_A_SERIES:
                self.wrong.append(f"{response.status}, {size} bytes")
        except OSError as error:
            self.wrong.append(repr(error))
        self.scraped += 1

    def begin(self) -> None:
        """Forget the scrapes so far."""
        self.scraped = 0
        self.wrong.clear()
        self._over.clear()

    def run(self) -> None:
        """Scrape until told that it is over."""
        due = time.monotonic()
        while not self._over.is_set():
            self.scrape()
            due = max(due + SCRAPE_INTERVAL, time.monotonic())
            while True:
                self.usages.append(Usage.of(self.pid))
                if self._over.wait(LOOK_INTERVAL) or time.monotonic() >= due:
                    break

    def stop(self) -> None:
        """Have :meth:`run` return."""
        self._over.set()

    def _connection(self) -> http.client.HTTPConnection:
        if self.tls is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=DEADLINE, context=self.tls)


@dataclass(frozen=True)
class Host:
    """What kind of host is attacked."""

    series: int = SERIES
    connections: int = ServerLimits().max_connections
    tls: bool = False


@pytest.fixture
def besieged(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scraper]:
    """A server in a process of its own, as the parameter describes it, and its scraper."""
    host: Host = request.param
    tls = None
    arguments = ["600", str(host.series), str(host.connections)]
    if host.tls:
        certificate = tmp_path / "server.pem"
        make_identity().write(certificate, certificate)
        tls = ssl.create_default_context(cafile=certificate)
        arguments.append(str(certificate))
    command = [sys.executable, str(TESTS / "besieged.py"), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=untraced())
    try:
        assert process.stdout is not None
        scraper = Scraper(int(process.stdout.readline()), process.pid, tls)
        yield scraper
        assert process.poll() is None
    finally:
        process.terminate()
        _, complaints = process.communicate(timeout=DEADLINE)
    assert complaints == ""


def attack(name: str, scraper: Scraper) -> dict[str, int]:
    """Attack while *scraper* scrapes; return how often which status was answered to the attacker."""
    thread = threading.Thread(target=scraper.run)
    thread.start()
    try:
        done = subprocess.run(
            [sys.executable, str(TESTS / "attackers.py"), name, str(scraper.port), str(ATTACK_SECONDS)],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
            env=untraced(),
        )
    finally:
        scraper.stop()
        thread.join()
    assert (done.returncode, done.stderr) == (0, "")
    statuses: dict[str, int] = json.loads(done.stdout)["statuses"]
    return statuses


def settled(pid: int) -> Usage:
    """Return what process *pid* holds once that does not change any more."""
    before = Usage.of(pid)
    for _ in range(100):
        time.sleep(LOOK_INTERVAL)  # between looks at another process
        now = Usage.of(pid)
        if (now.descriptors, now.threads) == (before.descriptors, before.threads):
            return now
        before = now
    pytest.fail("the server does not settle")


def is_back(before: Usage, scraper: Scraper) -> bool:
    """Whether descriptors and threads are what they were, in the end."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        now = Usage.of(scraper.pid)
        if (now.descriptors, now.threads) == (before.descriptors, before.threads):
            return True
    return False


WITH_TLS = {"silent_handshake"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("besieged", "name"),
    [
        *(pytest.param(Host(tls=name in WITH_TLS), name, id=name) for name in ATTACKS),
        pytest.param(Host(connections=100_000), "idle", id="idle, and more allowed than there are descriptors"),
    ],
    indirect=["besieged"],
)
def test_an_attack_is_withstood(besieged: Scraper, name: str) -> None:
    """Every scrape has its page, memory, threads and descriptors stay bounded, and are given back afterwards.

    There are three attacks at most, of which one must be withstood: a busy machine may make a scraper look like one of
    the attackers.
    """
    for _ in range(5):
        besieged.scrape()
    before = settled(besieged.pid)
    statuses: dict[str, int] = {}
    for _ in range(3):
        besieged.begin()
        statuses = attack(name, besieged)
        assert is_back(before, besieged), (before, Usage.of(besieged.pid))
        if not besieged.wrong:
            break
    assert (besieged.wrong, besieged.scraped > 0) == ([], True)
    assert max(usage.threads for usage in besieged.usages) <= MAX_THREADS
    assert max(usage.descriptors for usage in besieged.usages) <= DESCRIPTORS - SPARE_DESCRIPTORS
    assert max(usage.memory for usage in besieged.usages) - before.memory < MAX_GROWTH
    assert [status for status in statuses if status.startswith("5")] == []


@pytest.mark.slow
@pytest.mark.parametrize("besieged", [Host(series=CROWD_SERIES)], indirect=True)
def test_fifty_scrapers_at_once_share_a_rendering(besieged: Scraper) -> None:
    """Each of them has whole pages only, and all of the series in each."""
    scrapers = Scrapers(besieged.port, 50)
    scrapers.run(1.5, pages=100)
    assert (scrapers.broken, len(scrapers.seconds) >= 100) == (0, True)
    assert scrapers.smallest > CROWD_SERIES * BYTES_A_SERIES
