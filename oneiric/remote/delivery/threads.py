"""Work in threads that is never left behind."""

from __future__ import annotations

import asyncio
import contextvars
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")


async def to_its_end(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what *work* does in a thread; a cancellation, which cannot break it off, is raised once it is over."""
    # A future and no task: what cancels all tasks of a loop would take a task for ended while its thread runs on.
    call = partial(contextvars.copy_context().run, work, *args, **kwargs)
    future = asyncio.get_running_loop().run_in_executor(None, call)
    cancellation: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancellation = error
    if cancellation is not None:
        future.exception()  # looked at, so that nobody warns of it
        raise cancellation
    return future.result()
