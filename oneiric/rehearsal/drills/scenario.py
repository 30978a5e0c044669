"""What an incident is: how it is brought about in a sandbox, and taken back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from oneiric.rehearsal.drills.world import DOMAIN, KEY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from oneiric.rehearsal.drills.sandbox import Sandbox

Step: TypeAlias = "Callable[[Sandbox], Awaitable[None]]"

NEVER = 1_000_000_000
"""A threshold that is not reached, for an alert that another rehearsal is about."""


class DrillError(Exception):
    """An incident cannot be rehearsed here; the text is a sentence for whoever asked for it."""


async def nothing(_sandbox: Sandbox) -> None:
    """Change nothing."""


async def work(sandbox: Sandbox) -> None:
    """Do what the runtime does all day."""
    resolve(sandbox)
    await sandbox.use()


def resolve(sandbox: Sandbox) -> None:
    """Resolve the key that is provided for."""
    sandbox.runtime.resolver.resolve(DOMAIN, KEY)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """An incident.

    Attributes:
        name: What it is asked for by.
        title: What happens, in one sentence.
        alerts: The alerts that fire.
        also: Alerts that may fire too, because the fault is theirs as well.
        begin: Brings the fault about.
        fault: A step of the work while the fault lasts.
        end: Takes the fault back.
        normal: A step of the work while all is well.
        settings: Settings of the sandbox's runtime, by section.
        quick: Settings of the bundle under which the fault shows within seconds.
        restarts: Whether the runtime is stopped and started anew, which a service that goes on running cannot do.
        alone: Settings of the bundle under which no critical alert on the same fault makes its notice needless.
    """

    name: str
    title: str
    alerts: tuple[str, ...]
    also: tuple[str, ...] = ()
    begin: Step = nothing
    fault: Step = work
    end: Step = nothing
    normal: Step = work
    settings: Mapping[str, Any] = field(default_factory=dict)
    quick: tuple[str, ...] = ()
    restarts: bool = False
    alone: tuple[str, ...] = ()
