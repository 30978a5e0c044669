"""Pauses and drains."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from oneiric.core.activity import ActivityStoreError
from oneiric.runtime.commands.command import Command, domain_of, flag, required, text
from oneiric.runtime.commands.summaries import activity_of
from oneiric.runtime.control.errors import ControlError
from oneiric.runtime.control.protocol import FAILED

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.core.activity import DomainActivity
    from oneiric.runtime.commands.command import Fields
    from oneiric.runtime.orchestrator import RuntimeOrchestrator

T = TypeVar("T")


def commands(runtime: RuntimeOrchestrator) -> dict[str, Command]:
    """Return the commands about pauses and drains."""
    activity = _Activity(runtime)
    return {
        "activity": Command("read", activity.show),
        "pause": Command("change", activity.pause),
        "resume": Command("change", activity.resume),
        "drain": Command("change", activity.drain),
    }


class _Activity:
    def __init__(self, runtime: RuntimeOrchestrator) -> None:
        self._runtime = runtime

    async def show(self, _: Fields) -> dict[str, Any]:
        snapshot = await _in_thread(self._runtime.activity_store.snapshot)
        return {
            "domains": {
                domain: {key: state.as_dict() for key, state in keys.items()} for domain, keys in snapshot.items()
            },
            "totals": activity_of(state for keys in snapshot.values() for state in keys.values()),
        }

    async def pause(self, fields: Fields) -> dict[str, Any]:
        return await self._pause(fields, paused=not flag(fields, "resume"))

    async def resume(self, fields: Fields) -> dict[str, Any]:
        return await self._pause(fields, paused=False)

    async def drain(self, fields: Fields) -> dict[str, Any]:
        draining = not flag(fields, "clear")
        domain, key, note = _subject(fields, ends=not draining)
        bridge = self._runtime.bridges[domain]
        return _answer(domain, key, await _in_thread(lambda: bridge.set_draining(key, draining, note=note)))

    async def _pause(self, fields: Fields, *, paused: bool) -> dict[str, Any]:
        domain, key, note = _subject(fields, ends=not paused)
        bridge = self._runtime.bridges[domain]
        return _answer(domain, key, await _in_thread(lambda: bridge.set_paused(key, paused, note=note)))


def _subject(fields: Fields, *, ends: bool) -> tuple[str, str, str | None]:
    """Return domain, key and note; where a pause or drain *ends*, its note ends with it."""
    return domain_of(fields), required(fields, "key"), text(fields, "note", "" if ends else None)


async def _in_thread(work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)  # the store may have to wait for a lock
    except (ActivityStoreError, ValueError) as error:
        raise ControlError(FAILED, str(error)) from error


def _answer(domain: str, key: str, state: DomainActivity) -> dict[str, Any]:
    return {"domain": domain, "key": key, **state.as_dict()}
