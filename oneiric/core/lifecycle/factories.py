"""From what a candidate names as its factory to what can be called."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from oneiric.core.errors import LifecycleError
from oneiric.core.security import load_factory_allowlist, validate_factory_module, validate_factory_string

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.core.resolution import FactoryType


def resolve_factory(factory: FactoryType) -> Callable[..., Any]:
    """Return *factory* if it is callable, else import what its "module:attribute" names.

    Blanks around the colon are tolerated. LifecycleError if the allowlist refuses it, if it cannot be imported, if it
    cannot be called, or if it only stands there and was defined in a blocked module.
    """
    if callable(factory):
        return factory
    place = ":".join(part.strip() for part in str(factory).split(":"))
    _require(*validate_factory_string(place, load_factory_allowlist()))
    found = _imported(place)
    _require(*validate_factory_module(getattr(found, "__module__", None)))
    return found


def make(factory: FactoryType) -> Any:
    """Call what :func:`resolve_factory` returns."""
    return resolve_factory(factory)()


def _require(ok: bool, reason: str | None) -> None:  # noqa: FBT001 - a validation as it is
    if not ok:
        raise LifecycleError(f"Security validation failed: {reason}")


def _imported(place: str) -> Callable[..., Any]:
    module, _, attribute = place.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # a module may raise anything while it is imported
        raise LifecycleError(f"Failed to load factory '{place}': {error}") from error
    if not callable(found):
        raise LifecycleError(f"Failed to load factory '{place}': {type(found).__name__} is not callable")
    return found  # type: ignore[no-any-return]  # narrowed from Any
