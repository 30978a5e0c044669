"""Pauses and drains."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args

from oneiric.core.activity import Account, ActivityStoreError
from oneiric.runtime.commands.command import Command, domain_of, flag, required, text
from oneiric.runtime.commands.summaries import activity_of
from oneiric.runtime.control.errors import ControlError, wrong_use
from oneiric.runtime.control.protocol import FAILED

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.core.activity import DomainActivity, Rows, Suspicion
    from oneiric.runtime.commands.command import Fields
    from oneiric.runtime.orchestrator import RuntimeOrchestrator

T = TypeVar("T")

ACCOUNTS: tuple[str, ...] = get_args(Account)
"""Whose account of a suspect state can be kept."""


def commands(runtime: RuntimeOrchestrator) -> dict[str, Command]:
    """Return the commands about pauses and drains."""
    activity = _Activity(runtime)
    return {
        "activity": Command("read", activity.show),
        "activity-recover": Command("change", activity.recover),
        "pause": Command("change", activity.pause),
        "resume": Command("change", activity.resume),
        "drain": Command("change", activity.drain),
    }


class _Activity:
    def __init__(self, runtime: RuntimeOrchestrator) -> None:
        self._runtime = runtime

    async def show(self, _: Fields) -> dict[str, Any]:
        store = self._runtime.activity_store
        snapshot = await _in_thread(store.snapshot)
        return {
            "domains": {
                domain: {key: state.as_dict() for key, state in keys.items()} for domain, keys in snapshot.items()
            },
            "totals": activity_of(state for keys in snapshot.values() for state in keys.values()),
            "unreachable": store.problem,
            "suspect": _suspect(await _in_thread(lambda: store.suspicion)),
        }

    async def recover(self, fields: Fields) -> dict[str, Any]:
        account = required(fields, "account")
        if account not in ACCOUNTS:
            raise wrong_use(f"the account must be one of {', '.join(ACCOUNTS)}, not {account!r:.80}")
        await _in_thread(lambda: self._runtime.activity_store.recover(cast("Account", account)))
        return {"account": account, **await self.show(fields)}

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


def _suspect(suspicion: Suspicion | None) -> dict[str, Any] | None:
    if suspicion is None:
        return None
    accounts = {"database": suspicion.database, "witness": suspicion.witness}
    return {
        "reason": suspicion.reason,
        "since": datetime.fromtimestamp(suspicion.since, UTC).isoformat(timespec="seconds"),
        "quarantine": suspicion.quarantine,
        "accounts": {name: None if rows is None else _listed(rows) for name, rows in accounts.items()},
    }


def _listed(rows: Rows) -> list[dict[str, Any]]:
    return [
        {"domain": domain, "key": key, "paused": row.paused, "draining": row.draining, "note": row.note}
        for (domain, key), row in sorted(rows.items())
    ]


async def _in_thread(work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)  # the store may have to wait for a lock
    except (ActivityStoreError, ValueError) as error:
        raise ControlError(FAILED, str(error)) from error


def _answer(domain: str, key: str, state: DomainActivity) -> dict[str, Any]:
    return {"domain": domain, "key": key, **state.as_dict()}
