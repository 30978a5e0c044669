"""Plugins: candidates that installed packages offer through entry points.

An entry point of a group loads to a function without arguments, which returns a
:class:`~oneiric.core.resolution.Candidate`, an :class:`~oneiric.adapters.AdapterMetadata`, an
:class:`~oneiric.actions.ActionMetadata`, or an iterable of these, nested or not. A plugin is foreign code: whatever it
raises is recorded and stops neither the others nor the program.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import logging
import re
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias

from oneiric.actions import ActionMetadata
from oneiric.adapters import AdapterMetadata
from oneiric.core.redaction import describe
from oneiric.core.resolution import Candidate, CandidateSource, Resolver, infer_priority

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from oneiric.core.config import PluginsConfig

DEFAULT_ENTRY_POINT_GROUPS = (
    "oneiric.adapters",
    "oneiric.services",
    "oneiric.tasks",
    "oneiric.events",
    "oneiric.workflows",
)
"""The groups that ``plugins.auto_load`` loads."""

MAX_OFFERS = 10_000
"""Most candidates that one entry point may offer, the iterables that hold them counted too."""
MAX_DEPTH = 16
"""How deep what an entry point offers may be nested."""

Offer: TypeAlias = Candidate | AdapterMetadata | ActionMetadata
"""What a plugin offers."""


class PluginError(Exception):
    """What a plugin is or returns is of no use."""


@dataclass(frozen=True)
class PluginEntryRecord:
    """An entry point that was loaded, what it returned, and how many candidates of it are registered."""

    group: str
    entry_point: str
    payload_type: str
    registered_candidates: int


@dataclass(frozen=True)
class PluginErrorRecord:
    """An entry point of which something is of no use, and why."""

    group: str
    entry_point: str
    reason: str


@dataclass(frozen=True)
class PluginRegistrationReport:
    """The groups that were looked at, and what came of it; ``registered`` counts candidates."""

    groups: list[str] = field(default_factory=list)
    registered: int = 0
    entries: list[PluginEntryRecord] = field(default_factory=list)
    errors: list[PluginErrorRecord] = field(default_factory=list)

    @classmethod
    def empty(cls) -> PluginRegistrationReport:
        """Return the report of a registration that looked at nothing."""
        return cls()

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, fit for JSON."""
        return asdict(self)


_lock = threading.Lock()
_reports: weakref.WeakKeyDictionary[Resolver, PluginRegistrationReport] = weakref.WeakKeyDictionary()


def iter_entry_points(group: str) -> Iterator[EntryPoint]:
    """Yield the entry points of *group* in the installed packages, by name."""
    yield from sorted(importlib.metadata.entry_points(group=group), key=lambda point: (point.name, point.value))


def load_callables(group: str) -> list[Callable[[], Any]]:
    """Return what the entry points of *group* load to; one of no use is left out and logged as a warning."""
    found = []
    for point in iter_entry_points(group):
        with _logged(group, point):
            found.append(_loaded(point))
    return found


def discover_metadata(group: str) -> list[Offer]:
    """Return what the plugins of *group* offer; what is of no use is left out and logged as a warning."""
    found: list[Offer] = []
    for point in iter_entry_points(group):
        with _logged(group, point):
            found.extend(_flattened(_loaded(point)()))
    return found


def register_entrypoint_plugins(
    resolver: Resolver, config: PluginsConfig, *, skip_if_loaded: bool = True
) -> PluginRegistrationReport:
    """Register what the plugins offer that *config* names, and return what came of it.

    A later call for the same *resolver* returns the first report, unless *skip_if_loaded* is false: then the plugins
    are asked again, and what they offer now takes the place of what they offered before. A candidate that does not say
    where it was found comes from an entry point. What is of no use is reported to the resolver's observers too.
    Thread-safe. Raises nothing that a plugin raises, but KeyboardInterrupt.
    """
    with _lock:
        if skip_if_loaded and (known := _reports.get(resolver)) is not None:
            return known
        registration = _Registration(resolver)
        groups = [*(DEFAULT_ENTRY_POINT_GROUPS if config.auto_load else ()), *config.entry_points]
        for group in dict.fromkeys(groups):
            registration.add_group(group)
        _reports[resolver] = registration.report()
        return _reports[resolver]


class _Registration:
    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._groups: list[str] = []
        self._entries: list[PluginEntryRecord] = []
        self._errors: list[PluginErrorRecord] = []

    def report(self) -> PluginRegistrationReport:
        registered = sum(entry.registered_candidates for entry in self._entries)
        return PluginRegistrationReport(self._groups, registered, self._entries, self._errors)

    def add_group(self, group: str) -> None:
        self._groups.append(group)
        for point in iter_entry_points(group):
            try:
                self._add(group, point)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - a plugin may raise anything, and end nothing
                self._failed(group, point, error)

    def _add(self, group: str, point: EntryPoint) -> None:
        payload = _loaded(point)()
        offers: list[Candidate] = []
        try:
            for offer in _flattened(payload):
                offers.append(_candidate(offer, point))  # noqa: PERF401 - what came before an error stays
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - likewise
            self._failed(group, point, error)
        self._resolver.replace(f"entry point {group}:{point.name}={_place(point)}", offers)
        self._entries.append(PluginEntryRecord(group, point.name, type(payload).__name__, len(offers)))

    def _failed(self, group: str, point: EntryPoint, error: BaseException) -> None:
        self._errors.append(PluginErrorRecord(group, point.name, _reason(error)))
        self._resolver.observers.hook_failed("plugins", PluginError(f"{group}: {point.name}: {_reason(error)}"))


def _loaded(point: EntryPoint) -> Callable[[], Any]:
    found = point.load()
    if not callable(found):
        raise PluginError(f"not-callable:{type(found).__name__}")
    return found  # type: ignore[no-any-return]  # narrowed from Any


def _flattened(payload: Any, depth: int = 0, numbers: Iterator[int] | None = None) -> Iterator[Offer]:
    """Yield what *payload* holds; PluginError for anything that is no offer, or for too many."""
    numbers = count() if numbers is None else numbers
    if next(numbers) > MAX_OFFERS:
        raise PluginError(f"more than {MAX_OFFERS} candidates")
    if isinstance(payload, Candidate | AdapterMetadata | ActionMetadata):
        yield payload
        return
    if inspect.iscoroutine(payload):
        payload.close()
    if not isinstance(payload, Iterable) or isinstance(payload, str | bytes | dict):
        raise PluginError(f"unsupported payload {type(payload).__name__}")
    if depth == MAX_DEPTH:
        raise PluginError(f"nested deeper than {MAX_DEPTH} levels")
    for item in payload:
        yield from _flattened(item, depth + 1, numbers)


def _candidate(offer: Offer, point: EntryPoint) -> Candidate:
    candidate = offer if isinstance(offer, Candidate) else offer.to_candidate()
    place, installed = _place(point), getattr(point, "dist", None)
    package = re.split(r"[.:]", place, maxsplit=1)[0] if installed is None else installed.name
    changes: dict[str, Any] = {"metadata": {"package": package, "path": place} | candidate.metadata}
    if "source" not in offer.model_fields_set:
        changes["source"] = CandidateSource.ENTRY_POINT
    if candidate.priority is None and (priority := infer_priority(package, None)):
        changes["priority"] = priority
    return candidate.model_copy(update=changes)


def _place(point: EntryPoint) -> str:
    return str(getattr(point, "value", point.name))  # whoever offers entry points of another make may have a name only


def _reason(error: BaseException) -> str:
    error_type, text = describe(error)
    return text if text and isinstance(error, Exception) else f"{error_type}: {text}".removesuffix(": ")


@contextmanager
def _logged(group: str, point: EntryPoint) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a plugin may raise anything, and end nothing
        logging.getLogger(__name__).warning("plugin %s of %s: %s", point.name, group, _reason(error))
