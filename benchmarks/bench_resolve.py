"""How long a resolution takes: with many candidates against one, and with an observer against none."""

from __future__ import annotations

import timeit
from typing import TYPE_CHECKING

from oneiric.core.observers import Observers
from oneiric.core.resolution import Candidate, Resolver

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.core.events import Event
    from oneiric.core.observers import Receiver

MANY = 10_000
CALLS = 20_000
REPEATS = 15


class Trivial:
    """An observer that takes every event and does nothing with it."""

    def receiver(self, event_type: type[Event]) -> Receiver:
        """Want everything."""
        del event_type
        return lambda event: None  # noqa: ARG005 - what is measured is the dispatch


def resolver_of(count: int, observers: Observers | None = None) -> Resolver:
    """Return a resolver with *count* candidates of one key."""
    resolver = Resolver(observers=observers)
    for number in range(count):
        resolver.register(Candidate(domain="adapter", key="cache", provider=f"p{number}", factory=dict))
    return resolver


def observed() -> Resolver:
    """Return a resolver of one candidate that tells a trivial observer."""
    observers = Observers()
    observers.add(Trivial())
    return resolver_of(1, observers)


def side_by_side(*calls: Callable[[], object]) -> list[float]:
    """Return the best time of each call, in seconds; measured in turns, so that a disturbance meets all."""
    timers = [timeit.Timer(call) for call in calls]
    rounds = [[timer.timeit(CALLS) / CALLS for timer in timers] for _ in range(REPEATS)]
    return [min(times) for times in zip(*rounds, strict=True)]


def main() -> None:
    """Measure and print."""
    one, watched = resolver_of(1), observed()
    registering = min(timeit.repeat(lambda: resolver_of(1000), number=1, repeat=3))
    many = resolver_of(MANY)
    alone, crowd, provider, told = side_by_side(
        lambda: one.resolve("adapter", "cache"),
        lambda: many.resolve("adapter", "cache"),
        lambda: many.resolve("adapter", "cache", provider="p5"),
        lambda: watched.resolve("adapter", "cache"),
    )
    print(f"resolve, 1 candidate, nothing attached    {alone * 1e6:8.3f} us")
    print(f"resolve, {MANY} candidates                {crowd * 1e6:8.3f} us   ratio {crowd / alone:.2f}")
    print(f"resolve, {MANY} candidates, by provider   {provider * 1e6:8.3f} us   ratio {provider / alone:.2f}")
    print(f"resolve, 1 candidate, trivial observer    {told * 1e6:8.3f} us   ratio {told / alone:.2f}")
    print(f"register 1000 candidates of one key       {registering * 1e3:8.1f} ms")


if __name__ == "__main__":
    main()
