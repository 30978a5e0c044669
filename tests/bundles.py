"""Bundles that several tests of a process look at: making one takes a moment, and it is the same each time."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from oneiric.monitoring.bundle import bundle
from oneiric.monitoring.config import configured

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def exported(settings: Sequence[str] = ()) -> Mapping[str, str]:
    """Return the files of the bundle for *settings*."""
    return _made(tuple(settings))


@cache
def _made(settings: tuple[str, ...]) -> Mapping[str, str]:
    return MappingProxyType(bundle(configured(settings)))
