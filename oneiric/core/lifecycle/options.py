"""What an application may add to a swap, and the limits of what its callables may do."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeAlias

from oneiric.core import limits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from oneiric.core.resolution import Candidate

SwapHook: TypeAlias = "Callable[[Candidate, Any, Any], Awaitable[None] | None]"
"""Called with the candidate, the new instance, and the old one or None."""

CleanupHook: TypeAlias = "Callable[[Any], Awaitable[None] | None]"
"""Called with an instance that has been closed."""


@dataclass
class LifecycleHooks:
    """What the application wants to do around a swap; synchronous hooks run on the loop's thread.

    A failing ``pre_swap`` hook stops the swap. Whatever fails later is reported and undoes nothing.
    """

    pre_swap: list[SwapHook] = field(default_factory=list)
    post_swap: list[SwapHook] = field(default_factory=list)
    on_cleanup: list[CleanupHook] = field(default_factory=list)

    def add_pre_swap(self, hook: SwapHook) -> None:
        """Call *hook* before an instance that passed its checks begins to serve."""
        self.pre_swap.append(hook)

    def add_post_swap(self, hook: SwapHook) -> None:
        """Call *hook* once the new instance serves, while the old one is still open."""
        self.post_swap.append(hook)

    def add_cleanup(self, hook: CleanupHook) -> None:
        """Call *hook* after an instance was closed, a rejected one too."""
        self.on_cleanup.append(hook)


@dataclass
class LifecycleSafetyOptions:
    """Limits of what an application's callables may do; ValueError for one that makes no sense.

    Attributes:
        activation_timeout: Seconds for a factory; 0, here and below, for no limit.
        health_timeout: Seconds for one health check.
        cleanup_timeout: Seconds for closing one instance.
        hook_timeout: Seconds for one asynchronous hook.
        shield_tasks: Let an asynchronous factory or cleanup that timed out go on, and close what it returns.
        max_swap_samples: So many durations are kept for each component.
        sync_in_thread: Run synchronous factories, checks and cleanups in threads, where they can hang without blocking
            the loop; False for providers that must stay in the loop's thread, whose calls then have no time limit.
        max_hanging_calls: So many synchronous factories and checks run in threads at a time; further ones wait for
            these, and are refused while so many threads are stuck in calls that timed out. Those that a factory asks
            for in its turn are counted apart. Closing an instance is never refused.
    """

    activation_timeout: float = limits.ACTIVATION_TIMEOUT
    health_timeout: float = limits.HEALTH_TIMEOUT
    cleanup_timeout: float = limits.CLEANUP_TIMEOUT
    hook_timeout: float = limits.HOOK_TIMEOUT
    shield_tasks: bool = True
    max_swap_samples: int = limits.MAX_SWAP_SAMPLES
    sync_in_thread: bool = True
    max_hanging_calls: int = limits.MAX_HANGING_CALLS

    def __post_init__(self) -> None:
        for option in fields(self):
            value = getattr(self, option.name)
            if option.name in {"shield_tasks", "sync_in_thread"}:
                _require(isinstance(value, bool), option.name, value, "a bool")
            elif option.name == "max_hanging_calls":
                _require(_is_int(value) and value >= 1, option.name, value, "an integer of at least 1")
            elif option.name == "max_swap_samples":
                _require(_is_int(value) and value >= 0, option.name, value, "an integer of at least 0")
            else:
                _require(_is_seconds(value), option.name, value, "a finite number of seconds, at least 0")


def _require(condition: bool, name: str, value: object, allowed: str) -> None:  # noqa: FBT001 - the condition itself
    if not condition:
        raise ValueError(f"{name} must be {allowed}, not {value!r}")


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf
