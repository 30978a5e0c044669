"""A program that counts in several processes of one service; its arguments name a scenario and the shared directory."""

from __future__ import annotations

import gc
import json
import mmap
import os
import random
import shutil
import signal
import sys
import threading
import time
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from oneiric.core import events
from oneiric.core.resolution import Candidate, Resolver
from oneiric.observability import attach, clear_shared_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from oneiric.observability import Telemetry

Samples: TypeAlias = "dict[str, list[list[Any]]]"
DEADLINE = 240
"""Seconds after which a forked process that hangs is ended."""
RESOLUTIONS = "oneiric_resolution_total"
DURATIONS = "oneiric_resolution_duration_seconds"
ERRORS = "oneiric_observability_scrape_errors_total"


def runtime(key: str, shared: str | Path, **options: Any) -> tuple[Resolver, Telemetry]:
    """Return a resolver of *key* and the telemetry attached to it, which counts in the directory *shared*."""
    resolver = Resolver()
    resolver.register(Candidate(domain="adapter", key=key, provider="redis", factory=dict))
    return resolver, attach(resolver, shared_dir=shared, **options)


def fork(work: Callable[[], object]) -> int:
    """Do *work* in a child, whose status is 1 if that raises, and return its process id."""
    pid = os.fork()
    if not pid:
        signal.alarm(DEADLINE)
        status = 1
        try:
            work()
            status = 0
        except BaseException:  # noqa: BLE001 - the child must end here
            traceback.print_exc()
        finally:
            os._exit(status)
    return pid


def wait(pid: int) -> int:
    """Return the exit code of the child *pid*."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def kill(pid: int) -> None:
    """Kill the child *pid*."""
    os.kill(pid, signal.SIGKILL)
    assert wait(pid) == -signal.SIGKILL


def scrape(shared: str | Path) -> Samples:
    """Return the samples that a new process shows; this one has no thread when it forks."""
    reading, writing = os.pipe()

    def work() -> None:
        _, telemetry = runtime("scraped", shared)
        os.write(writing, json.dumps(telemetry.samples()).encode())

    pid = fork(work)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        text = pipe.read()
    assert wait(pid) == 0
    samples: Samples = json.loads(text)
    return samples


def by_key(samples: Any, name: str, **labels: str) -> dict[str, float]:
    """Return the values of *name* that have *labels* and are not 0, by their key."""
    found: dict[str, float] = {}
    for own, value in samples.get(name, []):
        if labels.items() <= own.items() and value:
            found[own["key"]] = found.get(own["key"], 0) + value
    return found


def count_files(directory: Path) -> int:
    """Return how many files of counts there are."""
    return len(list(directory.glob("counts-*")))


def resolve(key: str, shared: Path, times: int) -> None:
    """Resolve *key* so many times in a runtime of its own."""
    resolver, _ = runtime(key, shared)
    for _ in range(times):
        resolver.resolve("adapter", key)


def killed_worker(directory: Path) -> list[dict[str, Any]]:
    """Twenty times, kill one of four workers while it resolves."""
    acknowledged = memoryview(mmap.mmap(-1, 8 * 4)).cast("Q")

    def worker(place: int, times: int) -> None:
        resolver, _ = runtime(f"w{place}", directory)
        for number in range(1, times + 1):
            resolver.resolve("adapter", f"w{place}")
            acknowledged[place] = number

    def one_round() -> dict[str, Any]:
        clear_shared_directory(directory)
        for place in range(4):
            acknowledged[place] = 0
        victim = fork(lambda: worker(3, 10**9))
        pids = [fork(partial(worker, place, 300 + place)) for place in range(3)]
        while acknowledged[3] < 200:
            time.sleep(0.001)
        time.sleep(random.random() / 50)  # when it is killed is what varies, not what is waited for
        kill(victim)
        assert [wait(pid) for pid in pids] == [0, 0, 0]
        samples = scrape(directory)
        return {
            "acknowledged": acknowledged.tolist(),
            "total": by_key(samples, RESOLUTIONS),
            "count": by_key(samples, f"{DURATIONS}_count"),
            "bucket": by_key(samples, f"{DURATIONS}_bucket", le="+Inf"),
            "errors": samples.get(ERRORS, []),
        }

    return [one_round() for _ in range(20)]


def forked_child(directory: Path) -> list[Any]:
    """Count, and count on in a child that inherits the telemetry."""
    resolver, telemetry = runtime("cache", directory)
    for _ in range(5):
        resolver.resolve("adapter", "cache")

    def work() -> None:
        for _ in range(3):
            resolver.resolve("adapter", "cache")
        assert by_key(telemetry.samples(), RESOLUTIONS) == {"cache": 8}

    assert wait(fork(work)) == 0
    return [by_key(telemetry.samples(), RESOLUTIONS), count_files(directory)]


def idle_child(directory: Path) -> int:
    """Fork a child that counts nothing."""
    _telemetry = runtime("cache", directory)
    assert wait(fork(lambda: None)) == 0
    return count_files(directory)


def corrupt_file(directory: Path) -> list[Any]:
    """Damage one of three files, add one of garbage, and look twice."""
    for place in range(3):
        assert wait(fork(partial(resolve, f"w{place}", directory, 10 + place))) == 0
    _, second, _ = sorted(directory.glob("counts-*"))
    second.write_bytes(second.read_bytes()[:-50])
    (directory / "counts-1-2-3.oneiric").write_bytes(b"garbage" * 1000)
    (directory / "notes.txt").write_text("somebody else's")
    _, telemetry = runtime("scraped", directory)
    before, after = telemetry.samples(), telemetry.samples()
    return [by_key(before, RESOLUTIONS), before.get(ERRORS, []), after[ERRORS]]


def damaged_file(directory: Path) -> list[float]:
    """Damage the file of a living process in three ways, and return what is shown after each."""
    resolver, _telemetry = runtime("cache", directory, shared_interval=0.05)
    resolver.resolve("adapter", "cache")
    (path,) = directory.glob("counts-*")

    def shown() -> float:
        deadline = time.monotonic() + DEADLINE / 4
        while time.monotonic() < deadline:
            if "cache" in (found := by_key(scrape(directory), RESOLUTIONS)):
                return found["cache"]
        raise TimeoutError("the counts did not come back")

    seen = []
    for damage in (lambda: path.write_bytes(b""), lambda: path.write_bytes(b"x" * 300), path.unlink):
        damage()
        resolver.resolve("adapter", "cache")
        seen.append(shown())
    return seen


class Source:
    """A source of gauges."""

    def __init__(self, instances: int, healthy: bool, checked_at: float) -> None:
        self._count = events.LifecycleCount(
            domain="adapter", swaps_in_progress=0, instances=instances, ready=1, activating=0, failed=0
        )
        self._state = events.ComponentState(
            domain="adapter", key="cache", provider="redis", healthy=healthy, checked_at=checked_at
        )

    def states(self) -> Iterator[Any]:
        """Yield the states."""
        yield self._count
        yield self._state


def merged_gauges(directory: Path) -> list[Any]:
    """Return the gauges of three living processes, of one of them, and of none."""

    def start(source: Source) -> int:
        ready, report = os.pipe()

        def work() -> None:
            _, telemetry = runtime("cache", directory)
            telemetry.add(source)
            telemetry._sink._sharing.publish()  # type: ignore[union-attr]
            os.write(report, b".")
            signal.pause()

        pid = fork(work)
        os.read(ready, 1)
        return pid

    def gauges() -> list[list[float]]:
        samples = scrape(directory)
        names = (
            "oneiric_lifecycle_instances",
            "oneiric_lifecycle_health_status",
            "oneiric_lifecycle_last_health_check_timestamp_seconds",
            "oneiric_lifecycle_active_info",
        )
        return [[value for _, value in samples.get(name, [])] for name in names]

    first, second, third = map(start, (Source(2, True, 100.0), Source(3, False, 300.0), Source(5, True, 200.0)))
    found = [gauges()]
    for pid in (first, second):
        kill(pid)
    found.append(gauges())
    kill(third)
    return [*found, gauges()]


def archived(directory: Path, *, workers: int = 20) -> list[Any]:
    """Let *workers* come and go while three processes scrape, in which no total may fall."""
    done = memoryview(mmap.mmap(-1, 8)).cast("Q")

    def scraper() -> None:
        _, telemetry = runtime("scraped", directory)
        last = 0.0
        while True:
            at_least = done[0]
            total = by_key(telemetry.samples(), RESOLUTIONS).get("cache", 0)
            assert total >= max(last, at_least), (total, last, at_least)
            last = total
            if at_least == workers * 7:
                assert total == at_least
                return

    scrapers = [fork(scraper) for _ in range(3)]
    for _ in range(workers):
        assert wait(fork(lambda: resolve("cache", directory, 7))) == 0
        done[0] += 7
    assert [wait(pid) for pid in scrapers] == [0, 0, 0]
    return [
        by_key(scrape(directory), RESOLUTIONS),
        len([*directory.iterdir()]) < 30,
        (directory / "archive.oneiric").exists(),
    ]


def archived_often(directory: Path) -> list[Any]:
    """Let three times as many come and go."""
    return archived(directory, workers=60)


def killed_archivist(directory: Path) -> list[Any]:
    """Kill who archives at its first, second, ... last operation on the directory."""
    template = directory / "template"
    for _ in range(20):
        assert wait(fork(lambda: resolve("cache", template, 3))) == 0

    def archive(place: Path, steps: int) -> None:
        _, telemetry = runtime("scraped", place)
        left = steps

        def step(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal left
            if event in ("open", "os.rename", "os.remove") and str(arguments[0]).startswith(str(place)):
                left -= 1
                if not left:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(step)
        telemetry.samples()

    steps, killed, left, wrong, status = 0, 0, 0, [], 1
    while status:
        steps += 1
        place = directory / f"killed-after-{steps}"
        shutil.copytree(template, place)
        status = wait(fork(partial(archive, place, steps)))
        totals = [by_key(scrape(place), RESOLUTIONS) for _ in range(2)]
        if totals != [{"cache": 60}] * 2:
            wrong.append((steps, totals))
        killed += status != 0
        left = len([*place.iterdir()])
    return [wrong, killed > 60, left <= 5]


def cleared(directory: Path) -> list[Any]:
    """Clear the directory while one process lives, and when none does."""
    for _ in range(20):
        wait(fork(lambda: resolve("cache", directory, 1)))
    living, report = os.pipe()

    def live() -> None:
        _kept = runtime("cache", directory)
        _kept[0].resolve("adapter", "cache")
        os.write(report, b".")
        signal.pause()

    pid = fork(live)
    os.read(living, 1)
    (directory / "notes.txt").write_text("somebody else's")
    before = by_key(scrape(directory), RESOLUTIONS)
    clear_shared_directory(directory)
    after = by_key(scrape(directory), RESOLUTIONS)
    kill(pid)
    clear_shared_directory(directory)
    return [before, after, sorted(path.name for path in directory.iterdir())]


def removed_component(directory: Path) -> list[Any]:
    """Unregister what another process has, too."""
    resolver, telemetry = runtime("cache", directory)
    resolver.resolve("adapter", "cache")
    wait(fork(lambda: resolve("cache", directory, 1)))
    both = by_key(telemetry.samples(), RESOLUTIONS)
    resolver.unregister("adapter", "cache")
    return [both, by_key(telemetry.samples(), RESOLUTIONS), by_key(scrape(directory), RESOLUTIONS)]


def busy_histogram(directory: Path) -> list[Any]:
    """Read a histogram 50 times while another process counts in it as fast as it can."""
    notified = memoryview(mmap.mmap(-1, 8)).cast("Q")
    event = events.Resolved(domain="adapter", key="cache", provider="redis", duration=0.25, candidates=1, shadowed=0)

    def worker() -> None:
        resolver, _telemetry = runtime("cache", directory)
        while True:
            resolver.observers.notify(event)
            notified[0] += 1

    pid = fork(worker)
    while notified[0] < 100:
        time.sleep(0.001)
    _, telemetry = runtime("scraped", directory)
    wrong, last = 0, 0.0
    samples: Any = {}
    for _ in range(50):
        at_least = max(last, notified[0])
        samples = telemetry.samples()
        count, total = by_key(samples, f"{DURATIONS}_count")["cache"], by_key(samples, f"{DURATIONS}_sum")["cache"]
        wrong += total != 0.25 * count or not at_least <= count <= notified[0] + 1
        last = count
    kill(pid)
    return [wrong, samples.get(ERRORS, [])]


def interrupted(directory: Path) -> list[float]:
    """Count in a signal handler and in finalisers, and return how much is missing."""
    resolver, _telemetry = runtime("cache", directory)
    handled = done = 0

    class Recording:
        def __init__(self) -> None:
            self.cycle = self

        def __del__(self) -> None:
            resolver.resolve("adapter", "cache")

    def handle(*_: object) -> None:
        nonlocal handled
        handled += 1
        resolver.observers.notify(events.RetryScheduled(source=f"source-{handled}", operation="manifest"))
        Recording()

    signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
    while handled < 300:
        resolver.resolve("adapter", "cache")
        done += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    gc.collect()
    resolver.resolve("adapter", "cache")
    samples = scrape(directory)
    retries = sum(value for _, value in samples["oneiric_remote_retries_total"])
    return [by_key(samples, RESOLUTIONS)["cache"] - done - handled - 1, retries - handled]


def hasty_threads(directory: Path) -> dict[str, float]:
    """Count in eight threads that are switched after every microsecond."""
    sys.setswitchinterval(1e-6)
    resolver, _telemetry = runtime("cache", directory)

    def work() -> None:
        for _ in range(500):
            resolver.resolve("adapter", "cache")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return by_key(scrape(directory), RESOLUTIONS)


SCENARIOS: tuple[Callable[[Path], Any], ...] = (
    killed_worker,
    forked_child,
    idle_child,
    corrupt_file,
    damaged_file,
    merged_gauges,
    archived,
    archived_often,
    killed_archivist,
    cleared,
    removed_component,
    busy_histogram,
    interrupted,
    hasty_threads,
)


def main(name: str, directory: str) -> None:
    """Run the scenario called *name* and print what it returns as JSON."""
    scenario = next(scenario for scenario in SCENARIOS if scenario.__name__ == name)
    sys.stdout.write(json.dumps(scenario(Path(directory))))


if __name__ == "__main__":
    main(*sys.argv[1:])
