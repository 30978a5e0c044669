"""A command without a service: in a process of its own, on the files of the service."""

from __future__ import annotations

import asyncio
import concurrent.futures.thread  # noqa: F401 - imported when first used, which the owner of the state may not be able to
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from oneiric.core.activity import ActivityStoreError
from oneiric.core.config import state_place
from oneiric.core.logging import configure_logging
from oneiric.core.redaction import describe
from oneiric.observability.catalogue import CATALOGUE
from oneiric.observability.logs import LogSink
from oneiric.runtime.commands import commands_of
from oneiric.runtime.control.errors import ControlError
from oneiric.runtime.control.protocol import FAILED
from oneiric.runtime.owner import act_as_owner

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oneiric.core.config import OneiricSettings
    from oneiric.core.observers import Observers
    from oneiric.runtime.program import Program

LOGGED = frozenset({"activity-recover"})
"""What is logged also where no service does it: whoever asks later why something runs must find who decided."""


def run_offline(program: Program, name: str, fields: Mapping[str, Any]) -> Any:
    """Return the answer of the command *name* to *fields*; ControlError or SettingsError where it is not done.

    A process of root goes on as the owner of the state from here on.
    """
    settings = program.settings()
    settings.observability.enabled = False  # nobody scrapes a process that ends at once
    act_as_owner(state_place(settings))
    try:
        return asyncio.run(_run(program, settings, name, fields))
    except (OSError, ActivityStoreError) as error:
        raise ControlError(FAILED, f"{name} failed: {describe(error)[1]}") from error


@contextmanager
def _logged(settings: OneiricSettings, observers: Observers) -> Iterator[None]:
    """Log what is reported through *observers* as the service would."""
    handle = configure_logging(settings.logging)
    remove = observers.add(LogSink(CATALOGUE, observers))
    try:
        yield
    finally:
        remove()
        handle.close()


async def _run(program: Program, settings: OneiricSettings, name: str, fields: Mapping[str, Any]) -> Any:
    runtime = program.runtime(settings)
    try:
        with _logged(settings, runtime.observers) if name in LOGGED else nullcontext():
            return await commands_of(runtime, offline=True)[name].run(fields)
    finally:
        await runtime.stop()
