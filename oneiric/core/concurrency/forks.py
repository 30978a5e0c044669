"""Make what a forked child inherits fit for use there: locks that nobody holds, buffers that are empty."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING
from weakref import WeakMethod

if TYPE_CHECKING:
    from collections.abc import Callable

_renewals: list[WeakMethod[Callable[[], object]]] = []
_PURGED_AT = [64]  # how many there may be before those of objects that are gone are taken out


def renew_after_fork(renew: Callable[[], object]) -> None:
    """Call *renew*, a bound method, in every child forked from now on, for as long as its object lives.

    A child has one thread, and whatever lock another one held at the fork stays held there for good: *renew* replaces
    locks by new ones and forgets what only the parent may do. It is called in the order of registration, must not
    raise, wait or start threads. Thread-safe; the object is not kept alive.
    """
    if len(_renewals) >= _PURGED_AT[0]:
        _purge()
    _install()
    _renewals.append(WeakMethod(renew))


def _purge() -> None:
    for reference in [reference for reference in _renewals.copy() if reference() is None]:
        try:
            _renewals.remove(reference)
        except ValueError:
            continue  # another thread took it out
    _PURGED_AT[0] = max(64, 2 * len(_renewals))


def _renew() -> None:
    for reference in _renewals.copy():
        if (renew := reference()) is not None:
            renew()


@functools.cache
def _install() -> None:
    os.register_at_fork(after_in_child=_renew)
