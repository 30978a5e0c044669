"""How many connections there may be so that the host keeps descriptors for itself."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import pytest

from oneiric.observability.server.descriptors import RESERVE, SPARE, Allowance, descriptor_limit

if TYPE_CHECKING:
    from support import Clock


@pytest.mark.parametrize(
    ("limit", "used", "held", "allowed"),
    [
        (1024, 20, 0, 512),
        (1024, 720, 700, 512),
        (1024, 600, 0, 1024 - 600 - RESERVE),
        (1024, 900, 300, 1024 - 600 - RESERVE),
        (1024, 1024 - RESERVE - 1, 0, 1),
        (1024, 1024 - RESERVE, 0, 1),
        (1024, 1024 - SPARE - 1, 0, 1),
        (1024, 1024 - SPARE, 0, 0),
        (1024, 1024, 0, 0),
        (64, 100, 10, 0),
        (None, 100_000, 0, 512),
        (1024, None, 0, 512),
    ],
)
def test_connections_leave_descriptors_to_the_host(
    clock: Clock, limit: int | None, used: int | None, held: int, allowed: int
) -> None:
    """A reserve stays free; at its limit a host is looked at by one at a time, and never below the bare minimum."""
    allowance = Allowance(512, count=lambda: used, limit=lambda: limit, clock=clock)
    assert allowance.connections(held) == allowed


def test_it_counts_anew_after_a_while(clock: Clock) -> None:
    """What the host opens is noticed within a tenth of a second, and counting takes a hundredth of the time at most."""
    used, counted = 20, 0

    def count() -> int:
        nonlocal counted
        counted += 1
        clock.advance(0.01)
        return used

    allowance = Allowance(512, count=count, limit=lambda: 1024, clock=clock)
    assert allowance.connections(0) == 512
    used = 900
    clock.advance(0.98)
    assert (allowance.connections(0), counted) == (512, 1)
    clock.advance(0.02)
    assert (allowance.connections(0), counted) == (1024 - 900 - RESERVE, 2)


def test_the_limit_is_the_operating_systems() -> None:
    """The soft limit is what counts."""
    assert descriptor_limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
