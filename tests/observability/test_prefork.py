"""Several processes of one service: whoever is scraped shows the exact totals of all, the killed ones included."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from processes import run_script

if TYPE_CHECKING:
    from pathlib import Path

SET_UP = """
    import json, mmap, os, pathlib, random, signal, sys, time
    from oneiric.core import events
    from oneiric.core.resolution import Candidate, Resolver
    from oneiric.observability import attach, clear_shared_directory

    directory = sys.argv[1]

    def runtime(key, shared_dir=directory, **options):
        resolver = Resolver()
        resolver.register(Candidate(domain="adapter", key=key, provider="redis", factory=dict))
        return resolver, attach(resolver, shared_dir=shared_dir, **options)

    def fork(work):
        pid = os.fork()
        if not pid:
            signal.alarm(100)
            status = 1
            try:
                work()
                status = 0
            except BaseException:
                import traceback; traceback.print_exc()
            finally:
                os._exit(status)
        return pid

    def wait(pid):
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def scrape(shared_dir=directory):
        # in a process of its own, so that this one has no thread when it forks
        reading, writing = os.pipe()
        def work():
            resolver, telemetry = runtime("scraped", shared_dir)
            os.write(writing, json.dumps(telemetry.samples()).encode())
        pid = fork(work)
        os.close(writing)
        with open(reading, "rb") as pipe:
            text = pipe.read()
        assert wait(pid) == 0
        return json.loads(text)

    def by_key(samples, name, **labels):
        found = {}
        for own, value in samples.get(name, []):
            if labels.items() <= own.items() and value:
                found[own["key"]] = found.get(own["key"], 0) + value
        return found
"""


def in_processes(code: str, directory: Path, *, timeout: float = 120.0) -> Any:
    """Run *code* after the set-up and return what it printed as JSON."""
    ended = run_script(SET_UP + code, str(directory), timeout=timeout)
    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), ended.stderr[-3000:]
    return json.loads(ended.stdout)


@pytest.mark.slow
def test_totals_are_exact_after_a_worker_is_killed_while_it_writes(tmp_path: Path) -> None:
    """20 times, one of four workers is killed in a loop of resolutions: nothing that it acknowledged is lost.

    It may have counted one resolution more than it acknowledged. The others' counts are exact, and in every series
    buckets, count and counter agree but for the one in flight.
    """
    rounds = in_processes(
        """
    counts = mmap.mmap(-1, 8 * 4)
    acknowledged = memoryview(counts).cast("Q")

    def worker(place, times):
        resolver, telemetry = runtime(f"w{place}")
        for number in range(1, times + 1):
            resolver.resolve("adapter", f"w{place}")
            acknowledged[place] = number
    rounds = []
    for number in range(20):
        clear_shared_directory(directory)
        acknowledged[0] = acknowledged[1] = acknowledged[2] = acknowledged[3] = 0
        pids = [fork(lambda: worker(place, 10**9 if place == 3 else 300 + place)) for place in range(4)]
        victim = pids.pop()
        while acknowledged[3] < 200:
            time.sleep(0.001)
        time.sleep(random.random() / 50)
        os.kill(victim, signal.SIGKILL)
        assert wait(victim) == -signal.SIGKILL
        assert [wait(pid) for pid in pids] == [0, 0, 0]
        samples = scrape()
        name = "oneiric_resolution_duration_seconds"
        rounds.append({
            "acknowledged": acknowledged.tolist(),
            "total": by_key(samples, "oneiric_resolution_total"),
            "count": by_key(samples, f"{name}_count"),
            "bucket": by_key(samples, f"{name}_bucket", le="+Inf"),
            "errors": samples.get("oneiric_observability_scrape_errors_total", []),
        })
    print(json.dumps(rounds))
    """,
        tmp_path,
    )
    for found in rounds:
        assert found["errors"] == []
        killed, total, count = found["acknowledged"][3], found["total"], found["count"]
        assert {key: total[key] for key in ("w0", "w1", "w2")} == {"w0": 300, "w1": 301, "w2": 302}
        assert killed <= count["w3"] <= total["w3"] <= killed + 1
        assert {key: count[key] for key in ("w0", "w1", "w2")} == {"w0": 300, "w1": 301, "w2": 302}
        assert found["bucket"] == count
    assert len(rounds) == 20


def test_a_forked_child_counts_in_a_file_of_its_own(tmp_path: Path) -> None:
    """A child that inherits a telemetry starts from zero, and its parent's file is as it was."""
    found = in_processes(
        """
    resolver, telemetry = runtime("cache")
    for _ in range(5):
        resolver.resolve("adapter", "cache")
    parents, = pathlib.Path(directory).glob("counts-*")
    before = parents.read_bytes()
    def work():
        for _ in range(3):
            resolver.resolve("adapter", "cache")
        assert by_key(telemetry.samples(), "oneiric_resolution_total") == {"cache": 8}
    assert wait(fork(work)) == 0
    print(json.dumps([
        by_key(telemetry.samples(), "oneiric_resolution_total"),
        len(list(pathlib.Path(directory).glob("counts-*"))),
    ]))
    """,
        tmp_path,
    )
    assert found == [{"cache": 8}, 2]


def test_a_child_that_counts_nothing_leaves_no_file(tmp_path: Path) -> None:
    """Forking alone makes no file."""
    found = in_processes(
        """
    resolver, telemetry = runtime("cache")
    assert wait(fork(lambda: None)) == 0
    print(len(list(pathlib.Path(directory).glob("counts-*"))))
    """,
        tmp_path,
    )
    assert found == 1


def test_a_corrupt_file_is_reported_and_skipped(tmp_path: Path) -> None:
    """With two damaged files the counts of all others are exact, and each scrape reports each of them once."""
    found = in_processes(
        """
    def worker(place):
        resolver, telemetry = runtime(f"w{place}")
        for _ in range(10 + place):
            resolver.resolve("adapter", f"w{place}")
    for place in range(3):
        assert wait(fork(lambda: worker(place))) == 0
    first, second, third = sorted(pathlib.Path(directory).glob("counts-*"))
    second.write_bytes(second.read_bytes()[:-50])
    (second.parent / "counts-1-2-3.oneiric").write_bytes(b"garbage" * 1000)
    (second.parent / "notes.txt").write_text("somebody else's")
    resolver, telemetry = runtime("scraped")
    first = telemetry.samples()
    second = telemetry.samples()
    print(json.dumps([
        by_key(first, "oneiric_resolution_total"),
        first.get("oneiric_observability_scrape_errors_total", []),
        second["oneiric_observability_scrape_errors_total"],
    ]))
    """,
        tmp_path,
    )
    assert found == [{"w0": 10, "w2": 12}, [], [[{"collector": "shared_dir"}, 2.0]]]


def test_a_living_worker_survives_whatever_is_done_to_its_file(tmp_path: Path) -> None:
    """A worker whose file is cut short, overwritten or removed goes on, and its whole count is there again soon."""
    found = in_processes(
        """
    resolver, telemetry = runtime("cache", shared_interval=0.05)
    resolver.resolve("adapter", "cache")
    path, = pathlib.Path(directory).glob("counts-*")
    seen = []
    def shown():
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            count = by_key(scrape(), "oneiric_resolution_total").get("cache")
            if count is not None:
                return count
    for damage in (lambda: path.write_bytes(b""), lambda: path.write_bytes(b"x" * 300), path.unlink):
        damage()
        resolver.resolve("adapter", "cache")
        seen.append(shown())
    print(json.dumps(seen))
    """,
        tmp_path,
    )
    assert found == [2, 3, 4]


def test_gauges_of_living_processes_are_merged(tmp_path: Path) -> None:
    """Sums, extremes and infos of the processes that live are shown, those of ended ones are not."""
    found = in_processes(
        """
    class Source:
        def __init__(self, instances, healthy, checked_at):
            self.given = instances, healthy, checked_at
        def states(self):
            instances, healthy, checked_at = self.given
            yield events.LifecycleCount(
                domain="adapter", swaps_in_progress=0, instances=instances, ready=1, activating=0, failed=0)
            yield events.ComponentState(
                domain="adapter", key="cache", provider="redis", healthy=healthy, checked_at=checked_at)
    def start(instances, healthy, checked_at):
        ready, told = os.pipe()
        def work():
            resolver, telemetry = runtime("cache")
            telemetry.add(Source(instances, healthy, checked_at))
            telemetry._sink._sharing.publish()
            os.write(told, b".")
            signal.pause()
        pid = fork(work)
        os.read(ready, 1)
        return pid
    pids = [start(2, True, 100.0), start(3, False, 300.0), start(5, True, 200.0)]
    names = ("oneiric_lifecycle_instances", "oneiric_lifecycle_health_status",
             "oneiric_lifecycle_last_health_check_timestamp_seconds", "oneiric_lifecycle_active_info")
    def gauges():
        samples = scrape()
        return [[value for labels, value in samples.get(name, [])] for name in names]
    living = gauges()
    for pid in pids[:2]:
        os.kill(pid, signal.SIGKILL); wait(pid)
    one = gauges()
    os.kill(pids[2], signal.SIGKILL); wait(pids[2])
    print(json.dumps([living, one, gauges()]))
    """,
        tmp_path,
    )
    assert found == [
        [[10.0], [0.0], [300.0], [1.0]],
        [[5.0], [1.0], [200.0], [1.0]],
        [[], [], [], []],
    ]


def test_ended_processes_are_archived_exactly_once_under_scrapes(tmp_path: Path) -> None:
    """While 60 workers come and go and three processes scrape, no total ever falls, and few files are left."""
    found = in_processes(
        """
    counts = mmap.mmap(-1, 8)
    done = memoryview(counts).cast("Q")
    def scraper():
        resolver, telemetry = runtime("scraped")
        last = 0
        while True:
            at_least = done[0]
            total = by_key(telemetry.samples(), "oneiric_resolution_total").get("cache", 0)
            assert total >= max(last, at_least), (total, last, at_least)
            last = total
            if at_least == 60 * 7:
                assert total == at_least
                return
    def worker():
        resolver, telemetry = runtime("cache")
        for _ in range(7):
            resolver.resolve("adapter", "cache")
    scrapers = [fork(scraper) for _ in range(3)]
    for _ in range(60):
        assert wait(fork(worker)) == 0
        done[0] += 7
    assert [wait(pid) for pid in scrapers] == [0, 0, 0]
    print(json.dumps([
        by_key(scrape(), "oneiric_resolution_total"),
        len(os.listdir(directory)) < 30,
        os.path.exists(os.path.join(directory, "archive.oneiric")),
    ]))
    """,
        tmp_path,
    )
    assert found == [{"cache": 420}, True, True]


@pytest.mark.slow
def test_whoever_archives_may_be_killed_at_any_step(tmp_path: Path) -> None:
    """Killed at its first, second, ... last operation on the directory, it has lost no count, and doubled none."""
    found = in_processes(
        """
    import shutil
    template = os.path.join(directory, "template")
    def worker():
        resolver, telemetry = runtime("cache", template)
        for _ in range(3):
            resolver.resolve("adapter", "cache")
    for _ in range(20):
        assert wait(fork(worker)) == 0

    def archive(place, steps):
        resolver, telemetry = runtime("scraped", place)
        left = steps
        def step(event, arguments):
            nonlocal left
            if event in ("open", "os.rename", "os.remove") and str(arguments[0]).startswith(place):
                left -= 1
                if not left:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(step)
        telemetry.samples()

    steps, killed, wrong = 0, 0, []
    while True:
        steps += 1
        place = os.path.join(directory, f"killed-after-{steps}")
        shutil.copytree(template, place)
        status = wait(fork(lambda: archive(place, steps)))
        totals = [by_key(scrape(place), "oneiric_resolution_total") for _ in range(2)]
        if totals != [{"cache": 60}] * 2:
            wrong.append((steps, totals))
        if not status:
            break
        killed += 1
    print(json.dumps([wrong, killed > 60, len(os.listdir(place)) <= 5]))
    """,
        tmp_path,
    )
    assert found == [[], True, True]


def test_a_service_begins_anew_where_it_says_so(tmp_path: Path) -> None:
    """Counts of an earlier run are kept, until the directory is cleared; what lives, and is not ours, stays."""
    found = in_processes(
        """
    def worker():
        resolver, telemetry = runtime("cache")
        resolver.resolve("adapter", "cache")
    for _ in range(20):
        wait(fork(worker))
    living, told = os.pipe()
    def live():
        worker(); os.write(told, b"."); signal.pause()
    pid = fork(live)
    os.read(living, 1)
    pathlib.Path(directory, "notes.txt").write_text("somebody else's")
    before = by_key(scrape(), "oneiric_resolution_total")
    clear_shared_directory(directory)
    after = by_key(scrape(), "oneiric_resolution_total")
    os.kill(pid, signal.SIGKILL); wait(pid)
    clear_shared_directory(directory)
    print(json.dumps([before, after, sorted(os.listdir(directory))]))
    """,
        tmp_path,
    )
    assert found == [{"cache": 21}, {"cache": 1}, [".lock", "notes.txt"]]


def test_a_removed_component_is_shown_while_another_process_has_it(tmp_path: Path) -> None:
    """Unregistering removes the series of this process only."""
    found = in_processes(
        """
    def worker():
        resolver, telemetry = runtime("cache")
        resolver.resolve("adapter", "cache")
    resolver, telemetry = runtime("cache")
    resolver.resolve("adapter", "cache")
    wait(fork(worker))
    both = by_key(telemetry.samples(), "oneiric_resolution_total")
    resolver.unregister("adapter", "cache")
    print(json.dumps([both, by_key(telemetry.samples(), "oneiric_resolution_total"),
                      by_key(scrape(), "oneiric_resolution_total")]))
    """,
        tmp_path,
    )
    assert found == [{"cache": 2}, {"cache": 1}, {"cache": 1}]


def test_sum_and_buckets_agree_in_every_scrape(tmp_path: Path) -> None:
    """While a worker counts as fast as it can, what another process reads of a histogram is of one instant."""
    found = in_processes(
        """
    counts = mmap.mmap(-1, 8)
    told = memoryview(counts).cast("Q")
    def worker():
        resolver, telemetry = runtime("cache")
        while True:
            resolver.observers.notify(events.Resolved(
                domain="adapter", key="cache", provider="redis", duration=0.25, candidates=1, shadowed=0))
            told[0] += 1
    pid = fork(worker)
    while told[0] < 100:
        time.sleep(0.001)
    resolver, telemetry = runtime("scraped")
    name = "oneiric_resolution_duration_seconds"
    wrong, last = 0, 0
    for _ in range(150):
        at_least = told[0]
        samples = telemetry.samples()
        count, total = by_key(samples, f"{name}_count")["cache"], by_key(samples, f"{name}_sum")["cache"]
        wrong += total != 0.25 * count or not max(last, at_least) <= count <= told[0] + 1
        last = count
    os.kill(pid, signal.SIGKILL); wait(pid)
    print(json.dumps([wrong, samples.get("oneiric_observability_scrape_errors_total", [])]))
    """,
        tmp_path,
    )
    assert found == [0, []]


def test_handlers_and_finalisers_may_count(tmp_path: Path) -> None:
    """What interrupts counting counts too, new label sets included, and is in the directory soon."""
    found = in_processes(
        """
    resolver, telemetry = runtime("cache")
    handled = done = 0
    class Recording:
        def __init__(self):
            self.cycle = self
        def __del__(self):
            resolver.resolve("adapter", "cache")
    def handle(*_):
        global handled
        handled += 1
        resolver.observers.notify(events.RetryScheduled(source=f"source-{handled}", operation="manifest"))
        Recording()
    signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
    while handled < 300:
        resolver.resolve("adapter", "cache")
        done += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    import gc; gc.collect()
    resolver.resolve("adapter", "cache")
    samples = scrape()
    retries = sum(value for _, value in samples["oneiric_remote_retries_total"])
    print(json.dumps([by_key(samples, "oneiric_resolution_total")["cache"] - done - handled - 1, retries - handled]))
    """,
        tmp_path,
    )
    assert found == [0, 0]


def test_threads_lose_nothing(tmp_path: Path) -> None:
    """Eight threads that are switched after every microsecond are counted exactly."""
    found = in_processes(
        """
    import threading
    sys.setswitchinterval(1e-6)
    resolver, telemetry = runtime("cache")
    def work():
        for _ in range(500):
            resolver.resolve("adapter", "cache")
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    print(json.dumps(by_key(scrape(), "oneiric_resolution_total")))
    """,
        tmp_path,
    )
    assert found == {"cache": 4000}
