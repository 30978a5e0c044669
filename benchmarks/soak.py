"""Swap at a steady rate for a long time, and see that memory, threads and descriptors stay what they are.

python -m benchmarks.soak --minutes 60

A whole runtime starts with all its components required, each with several candidates, and is swapped from one provider
to another from then on, with metrics, one INFO line a swap to the null device, status file and a scrape every ten
seconds. A line of the table is a twentieth of the time. The first quarter warms up; what grows from then on ends the
program with exit code 1.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import os
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks._logged import logging_to_nowhere
from benchmarks._report import surroundings
from oneiric.core.config import OneiricSettings
from oneiric.core.resolution import Candidate
from oneiric.runtime.orchestrator import RuntimeOrchestrator

if TYPE_CHECKING:
    from collections.abc import Sequence

DOMAIN = "adapter"
SAMPLES = 20
WARM_UP = SAMPLES // 4
ROOM = 8 * 1024 * 1024
"""Bytes by which memory may have grown after the warm-up, whatever its size."""
SHARE = 1 / 50
"""Share of the memory after the warm-up by which it may have grown."""
TURN = 0.05
"""Seconds between bursts of swaps."""
LONGEST_TURN = 1.0
"""Longest burst, in seconds."""
SCRAPE_SECONDS = 10.0
_M_ARENA_MAX = -8  # mallopt(3)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the command line asks for.

    Attributes:
        minutes: How long to swap.
        rate: Swaps a second.
        components: Components that must run.
        candidates: Candidates of all of them.
    """

    minutes: float
    rate: float
    components: int
    candidates: int


class Sample(NamedTuple):
    """What the process had at a moment, in seconds, swaps, bytes and numbers."""

    seconds: float
    swaps: int
    memory: int
    threads: int
    descriptors: int
    slowest_ms: float

    @classmethod
    def now(cls, started: float, swaps: int, slowest: float) -> Sample:
        """Look."""
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return cls(
            time.perf_counter() - started,
            swaps,
            pages * os.sysconf("SC_PAGE_SIZE"),
            threading.active_count(),
            len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - as often as a sample
            slowest * 1000,
        )


class Part:
    """An instance with a health check and a cleanup."""

    async def health(self) -> bool:
        """Say that all is well."""
        return True

    async def close(self) -> None:
        """Let go of nothing."""


async def part() -> Part:
    """Make an instance."""
    return Part()


def grown(samples: Sequence[Sample]) -> list[str]:
    """Return what was larger in the last quarter of *samples* than at the end of the first, the warm-up."""
    before, after = samples[: WARM_UP + 1], samples[-WARM_UP:]
    memory = max(sample.memory for sample in before)
    most = memory + max(ROOM, memory * SHARE)
    found = []
    if (least := min(sample.memory for sample in after)) > most:
        found.append(f"memory: {_mib(memory)} after the warm-up, at least {_mib(least)} at the end")
    for name in ("threads", "descriptors"):
        known, now = max(getattr(one, name) for one in before), min(getattr(one, name) for one in after)
        if now > known:
            found.append(f"{name}: {known} after the warm-up, at least {now} at the end")
    return found


async def soak(options: Options) -> list[Sample]:
    """Start, swap, and return the samples."""
    keys = [f"component-{number}" for number in range(options.components)]
    each = max(options.candidates // options.components, 2)
    with tempfile.TemporaryDirectory() as directory:
        settings = OneiricSettings(
            cache_dir=directory,
            runtime={"start": [f"{DOMAIN}/{key}" for key in keys]},
            observability={"metrics_address": "127.0.0.1:0", "series_budget": 1_000_000, "probe_interval": None},
        )
        runtime = RuntimeOrchestrator(settings)
        began = time.perf_counter()
        for key in keys:
            for number in range(each):
                provider = f"provider-{number}"
                runtime.resolver.register(Candidate(domain=DOMAIN, key=key, provider=provider, factory=part))
        print(f"registered  {each * len(keys):,} candidates in {time.perf_counter() - began:.1f} s")
        async with AsyncExitStack() as stack:
            await _start(runtime, stack)
            return await _swap_on(runtime, keys, options)


async def _start(runtime: RuntimeOrchestrator, stack: AsyncExitStack) -> None:
    began = time.perf_counter()
    stack.push_async_callback(runtime.stop)
    start = asyncio.create_task(runtime.start())
    while not start.done():
        await asyncio.wait([start], timeout=1)
        active = len(runtime.required) - runtime.required.missing_count
        print(f"starting    {active:,} of {len(runtime.required):,} active after {time.perf_counter() - began:.1f} s")
    start.result()


async def _swap_on(runtime: RuntimeOrchestrator, keys: list[str], options: Options) -> list[Sample]:
    seconds = options.minutes * 60
    await asyncio.to_thread(_scrape, runtime)
    started, swaps, slowest, scraped = time.perf_counter(), 0, 0.0, 0.0
    samples = [Sample.now(started, 0, 0)]
    print(f"\n{'seconds':>8} {'swaps/s':>8} {'slowest':>9} {'memory':>10} {'threads':>8} {'descriptors':>12}")
    while len(samples) <= SAMPLES:
        turn = time.perf_counter()
        due = int(options.rate * (turn - started)) - swaps
        for number in range(swaps, swaps + due):
            begun = time.perf_counter()
            if begun - turn > LONGEST_TURN:
                break  # it cannot keep up, as the table shows
            await runtime.lifecycle.swap(DOMAIN, keys[number % len(keys)], f"provider-{number // len(keys) % 2}")
            slowest = max(slowest, time.perf_counter() - begun)
            swaps += 1
        now = time.perf_counter() - started
        if now - scraped > SCRAPE_SECONDS:
            scraped = now
            await asyncio.to_thread(_scrape, runtime)
        if now >= seconds * len(samples) / SAMPLES:
            samples.append(Sample.now(started, swaps, slowest))
            slowest = 0.0
            _show(samples[-2], samples[-1])
        await asyncio.sleep(TURN)
    return samples


def _scrape(runtime: RuntimeOrchestrator) -> None:
    if (server := runtime.metrics_server) is not None:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=60) as response:
            response.read()


def _show(before: Sample, now: Sample) -> None:
    rate = (now.swaps - before.swaps) / (now.seconds - before.seconds)
    print(
        f"{now.seconds:8.0f} {rate:8.0f} {now.slowest_ms:6.1f} ms {_mib(now.memory):>10} {now.threads:8} "
        f"{now.descriptors:12}",
        flush=True,
    )


def _mib(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MiB"


def _share_one_arena() -> None:
    """Have all threads take their memory from one arena, where the C library is glibc.

    Otherwise each keeps an arena of its own, which has to have made a page before memory stops growing.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="how long to swap [10]")
    parser.add_argument("--rate", type=float, default=1000.0, help="swaps a second [1000]")
    parser.add_argument("--components", type=int, default=10_000, help="components that must run [10000]")
    parser.add_argument("--candidates", type=int, default=100_000, help="candidates of all of them [100000]")
    options = Options(**vars(parser.parse_args(arguments)))
    for name, value in surroundings().items():
        print(f"{name}: {value}")
    _share_one_arena()
    with logging_to_nowhere():
        samples = asyncio.run(soak(options))
    found = grown(samples)
    reached = samples[-1].swaps / samples[-1].seconds
    print(f"\n{reached:.0f} swaps/s of {options.rate:.0f}; {'; '.join(found) or 'nothing grew'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
