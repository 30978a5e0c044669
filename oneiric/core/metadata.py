"""Metadata of components: what a package says of what it offers, as candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from oneiric.core.resolution import Candidate, Resolver


class DescribesCandidate(Protocol):
    """What a package says of one component that it offers."""

    def to_candidate(self) -> Candidate:
        """Return the candidate."""


class InfoLogger(Protocol):
    """A logger that takes fields by name."""

    def info(self, event: str, /, **fields: Any) -> object:
        """Log *event* with *fields*."""


def settings_model_path(model: type | str | None) -> str | None:
    """Return where the settings model of a component is, as ``module.Class``; a string or None as it is."""
    return f"{model.__module__}.{model.__qualname__}" if isinstance(model, type) else model


def build_metadata(base: Mapping[str, Any], extras: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return *base* with *extras*, which win, without what is None or an empty list or mapping; False stays."""
    return {key: value for key, value in {**base, **(extras or {})}.items() if value not in (None, [], {})}


def register_metadata(  # noqa: PLR0913 - published
    resolver: Resolver,
    package: str,
    path: str | os.PathLike[str],
    items: Iterable[DescribesCandidate],
    *,
    priority: int | None = None,
    logger: InfoLogger | None = None,
    log_key: str = "",
) -> None:
    """Register what *package* at *path* offers; see :meth:`Resolver.register_from_pkg` for the *priority*.

    With a *logger*, how many there were is logged as the event *log_key*.
    """
    candidates = [item.to_candidate() for item in items]
    resolver.register_from_pkg(package, path, candidates, priority=priority)
    if logger is not None:
        logger.info(log_key, package=package, count=len(candidates))
