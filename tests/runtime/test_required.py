"""The components that must run: activated side by side, as many at a time as the settings say."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from lifecycle_support import until

from oneiric.core.config import OneiricSettings
from oneiric.core.resolution import Candidate
from oneiric.runtime.orchestrator import RuntimeOrchestrator

if TYPE_CHECKING:
    from pathlib import Path

COMPONENTS = 4
TURNS = 50


class Starting:
    """Factories that wait until they may go on, and count how many do."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.may_end = asyncio.Event()

    async def make(self) -> object:
        """Wait."""
        self.now += 1
        self.most = max(self.most, self.now)
        await self.may_end.wait()
        self.now -= 1
        return object()


@pytest.mark.parametrize("parallel", [1, COMPONENTS - 1, COMPONENTS, COMPONENTS + 1])
async def test_as_many_are_activated_at_a_time_as_may_be(tmp_path: Path, parallel: int) -> None:
    """Up to `runtime.start_parallel` components start side by side, never more, and in the end all are active."""
    keys = [f"c{number}" for number in range(COMPONENTS)]
    settings = OneiricSettings.exactly(
        cache_dir=str(tmp_path),
        observability={"enabled": False},
        runtime={"start": [f"adapter/{key}" for key in keys], "start_parallel": parallel},
    )
    runtime, starting = RuntimeOrchestrator(settings), Starting()
    for key in keys:
        runtime.resolver.register(Candidate(domain="adapter", key=key, provider="p", factory=starting.make))
    start = asyncio.create_task(runtime.start())
    await until(lambda: starting.now >= min(parallel, COMPONENTS))
    for _ in range(TURNS):
        await asyncio.sleep(0)
    assert (starting.now, runtime.required.missing_count) == (min(parallel, COMPONENTS), COMPONENTS)
    starting.may_end.set()
    await start
    missing = runtime.required.missing_count
    await runtime.stop()
    assert (starting.most, missing) == (min(parallel, COMPONENTS), 0)


@pytest.mark.parametrize("parallel", [0, 1001])
def test_a_number_beyond_its_bounds_is_refused(parallel: int) -> None:
    """At least one component is activated at a time, and at most a thousand."""
    with pytest.raises(ValueError, match=r"start_parallel"):
        OneiricSettings.exactly(runtime={"start_parallel": parallel})
