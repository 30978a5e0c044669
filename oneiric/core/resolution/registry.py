"""The registry of candidates: rankings kept sorted as they change, so that resolving only looks one up."""

from __future__ import annotations

import copy
import re
from collections import defaultdict
from typing import TYPE_CHECKING

from oneiric.core.concurrency import ForkSafeLock, InOrder
from oneiric.core.events import CandidateCount, ResolutionFailed, Resolved
from oneiric.core.names import DOMAINS, validate_name
from oneiric.core.observers import Observers
from oneiric.core.resolution.candidates import (
    Candidate,
    CandidateSource,
    ReplaceResult,
    ResolverSettings,
    equal,
    flatten,
)
from oneiric.core.resolution.ranking import Entry, Ranking, ResolutionExplanation, requested
from oneiric.core.resolution.records import INVALID_KEY, OTHER, Attempt, registered, resolved, unregistered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oneiric.core.events import Event, Miss

MAX_GONE_REPORTED = 10_000
"""So many keys that have no candidate any more are still reported by their names."""

MAX_UNREGISTERED_REPORTED = 100
"""So many keys that were asked for and never registered are reported by their names."""

_PLAIN_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
_EMPTY = Ranking()
_NO_KEYS: Mapping[str, Ranking] = {}


class CandidateRegistry:
    """Candidates, ranked by domain and key.

    Thread-safe: resolving and explaining take no lock, whatever changes the registry takes one, and none is held
    while observers are called. Registrations and removals are reported in the order in which they happen: what happens
    while another one is reported, in another thread or in a receiver, is reported after it by whoever is at it. The
    selections are those of *settings* when they were given: use :meth:`select` and :meth:`reselect` to change them; a
    change made inside the settings object need not be seen.

    Attributes:
        settings: What ranks now; replaced, never changed.
        observers: Whom resolutions, registrations and removals are reported to.
    """

    def __init__(self, settings: ResolverSettings | None = None, *, observers: Observers | None = None) -> None:
        self.settings = ResolverSettings() if settings is None else settings
        self.observers = Observers() if observers is None else observers
        self._lock = ForkSafeLock()  # guards what follows; never held while observers are called
        self._changes: InOrder[Event] = InOrder()
        self._domains: dict[str, dict[str, Ranking]] = {domain: {} for domain in DOMAINS}
        self._totals: defaultdict[str, int] = defaultdict(int)
        self._gone: dict[tuple[str, str], None] = {}
        self._unregistered: set[tuple[str, str]] = set()
        self._sequence = 0
        self._selections = flatten(self.settings)

    def register_candidate(self, candidate: Candidate) -> None:
        """Register a copy of *candidate*; an equal one registered before stays, shadowed."""
        stored = self._copy(candidate)
        with self._lock.held:
            entry = self._enter(stored, owner=None)
            self._publish(entry.domain, entry.key, self._ranking(entry.domain, entry.key).with_entry(entry))
            self._changes.put([registered(entry)])
        self._changes.hand_on(self.observers.notify)

    def unregister(
        self, domain: str, key: str, provider: str | None = None, *, source: CandidateSource | None = None
    ) -> int:
        """Remove the candidates of the key, only those of *provider* and *source* where given; return how many."""
        with self._lock.held:
            entries = self._ranking(domain, key).entries
            gone = [e for e in entries if provider in {None, e.provider} and source in {None, e.candidate.source}]
            self._change(gone, [])
        self._changes.hand_on(self.observers.notify)
        return len(gone)

    def replace(self, owner: str, candidates: Iterable[Candidate]) -> ReplaceResult:
        """Make *candidates* all that is registered for *owner*: all of them, or, if one is invalid, nothing changes.

        Candidates that equal (but for the time of their making) ones of the last call stay untouched, with their
        place in the order of registration. A key that has candidates before and after is never seen without one.
        """
        validate_name(owner, field="owner")
        offered = [self._copy(candidate) for candidate in candidates]
        with self._lock.held:
            gone, new = self._difference(owner, offered)
            self._change(gone, [self._enter(candidate, owner=owner) for candidate in new])
        self._changes.hand_on(self.observers.notify)
        return ReplaceResult(added=len(new), removed=len(gone), kept=len(offered) - len(new))

    def select(self, domain: str, key: str, provider: str | None) -> None:
        """Prefer *provider* for the key from now on, registered or not; None prefers nobody."""
        validate_name(domain, field="domain")
        validate_name(key, field="key")
        with self._lock.held:
            selections = {name: dict(keys) for name, keys in self.settings.selections.items()}
            if provider is None:
                selections.get(domain, {}).pop(key, None)
            else:
                selections.setdefault(domain, {})[key] = validate_name(provider, field="provider")
            self.settings = self.settings.model_copy(update={"selections": selections})
            self._prefer(domain, key, provider)

    def reselect(self, settings: ResolverSettings) -> None:
        """Rank by *settings* from now on; a priority that was defaulted at registration stays."""
        with self._lock.held:
            self.settings = settings
            selections = flatten(settings)
            for domain, key in self._selections.keys() | selections.keys():
                self._prefer(domain, key, selections.get((domain, key)))

    def resolve(
        self,
        domain: str,
        key: str,
        provider: str | None = None,
        capabilities: Iterable[str] | None = None,
        *,
        require_all: bool = True,
    ) -> Candidate | None:
        """Return the best-ranked candidate of the key, or None.

        Of *provider* only, where it is given; only of those that have all (or any, without *require_all*) of the
        *capabilities*, more of them before fewer. Never raises for a name that is not registered, valid or not. What
        is returned is the registered candidate itself: do not change it.
        """
        observers = self.observers
        started = 0.0 if observers.silent else observers.clock()
        try:
            ranking = self._domains.get(domain, _NO_KEYS).get(key, _EMPTY)
            if provider is None and capabilities is None and ranking.entries:
                chosen: Entry | Miss = ranking.entries[0]
            else:
                chosen = ranking.choose(provider, requested(capabilities), require_all=require_all)
        except Exception as error:
            attempt = Attempt(domain, key, provider, 0, observers.clock() - started)
            observers.notify(attempt.broken(error, self.reported(domain, key)))
            raise
        if not isinstance(chosen, Entry):
            if observers.wants(ResolutionFailed):
                attempt = Attempt(domain, key, provider, len(ranking.entries), observers.clock() - started)
                observers.notify(attempt.missed(chosen, self.reported(domain, key)))
            return None
        if observers.silent:
            return chosen.candidate
        duration = observers.clock() - started
        if not chosen.handle.record(duration):
            self._notify(chosen, len(ranking.entries), duration)
        return chosen.candidate

    def explain(
        self, domain: str, key: str, *, capabilities: Iterable[str] | None = None, require_all: bool = True
    ) -> ResolutionExplanation:
        """Return how the candidates of the key rank, those without the *capabilities* left out."""
        ranking = self._domains.get(domain, {}).get(key, _EMPTY)
        ranks = ranking.explain(requested(capabilities), require_all=require_all)
        return ResolutionExplanation(domain, key, ranks)

    def list_active(self, domain: str) -> list[Candidate]:
        """Return the winner of every key of *domain*, in the order in which the keys came to be."""
        return [ranking.entries[0].candidate for ranking in self._rankings(domain)]

    def list_shadowed(self, domain: str) -> list[Candidate]:
        """Return the candidates of *domain* that do not win their key, by key, best first."""
        return [entry.candidate for ranking in self._rankings(domain) for entry in ranking.entries[1:]]

    def reported(self, domain: object, key: object) -> tuple[str, str]:
        """Return what records say for a domain and a key that may be anything: few and harmless names, fit for labels.

        A domain is itself if it is one of the six or has had a candidate, else "_other". A key is itself if it has had
        a candidate or has a selection. Of others, the first 100 that are made of ASCII letters, digits and "_.:-", and
        are no longer than 64, are themselves, "_other" stands for the rest of these, and "_invalid" for all else.
        """
        known = domain if isinstance(domain, str) and domain in self._domains else OTHER
        if not isinstance(key, str):
            return known, INVALID_KEY
        if isinstance(domain, str) and (
            key in self._domains.get(domain, _NO_KEYS)
            or (domain, key) in self._gone
            or (domain, key) in self._selections
        ):
            return known, key
        if not _PLAIN_KEY.fullmatch(key):
            return known, INVALID_KEY
        return known, key if self._is_among_first(known, key) else OTHER

    def states(self) -> list[CandidateCount]:
        """Return how many candidates every domain has; a custom domain counts once it has had one."""
        with self._lock.held:
            return [
                CandidateCount(domain=domain, active=len(keys), shadowed=self._totals[domain] - len(keys))
                for domain, keys in self._domains.items()
            ]

    def replay(self) -> list[Event]:
        """Return the registrations of all that is registered now, by domain and key."""
        with self._lock.held:
            rankings = [ranking for keys in self._domains.values() for ranking in keys.values()]
        return [registered(entry) for ranking in rankings for entry in ranking.entries]

    def _notify(self, entry: Entry, candidates: int, duration: float) -> None:
        """Report a selection in full, and see to it that the next one need not be, if that can be."""
        observers = self.observers
        if not observers.wants(Resolved):
            return
        event = resolved(entry, candidates, duration)
        observers.notify(event)
        if not entry.handle.is_current():
            entry.handle = observers.handle(event)

    def _copy(self, candidate: Candidate) -> Candidate:
        if not isinstance(candidate, Candidate):
            raise TypeError(f"a candidate must be a Candidate, got {type(candidate).__name__}")
        try:
            metadata = copy.deepcopy(candidate.metadata)
        except Exception as error:
            raise TypeError(f"metadata of {candidate.domain}:{candidate.key} cannot be copied: {error}") from error
        priority = self.settings.default_priority if candidate.priority is None else candidate.priority
        return candidate.model_copy(update={"metadata": metadata, "priority": priority})

    def _enter(self, stored: Candidate, *, owner: str | None) -> Entry:
        self._sequence += 1
        stored.registry_sequence = self._sequence
        return Entry.of(stored, owner=owner, selection=self._selections.get((stored.domain, stored.key)))

    def _ranking(self, domain: str, key: str) -> Ranking:
        known = self._domains.get(domain, {}).get(key)
        return Ranking(self._selections.get((domain, key))) if known is None else known

    def _rankings(self, domain: str) -> list[Ranking]:
        with self._lock.held:
            return list(self._domains.get(domain, _NO_KEYS).values())

    def _publish(self, domain: str, key: str, ranking: Ranking) -> None:
        keys = self._domains.setdefault(domain, {})
        if ranking.entries:
            self._gone.pop((domain, key), None)
            self._unregistered.discard((domain, key))
        elif key in keys:
            self._gone[domain, key] = None
            if len(self._gone) > MAX_GONE_REPORTED:
                del self._gone[next(iter(self._gone))]
        self._totals[domain] += len(ranking.entries) - len(keys.get(key, _EMPTY).entries)
        if ranking.entries:
            keys[key] = ranking  # one assignment: a reader sees all of the change or nothing of it
        else:
            keys.pop(key, None)

    def _change(self, gone: list[Entry], new: list[Entry]) -> None:
        lost, joined = set(gone), defaultdict(list)
        for entry in new:
            joined[entry.domain, entry.key].append(entry)
        for domain, key in dict.fromkeys((entry.domain, entry.key) for entry in (*gone, *new)):
            ranking = self._ranking(domain, key)
            kept = [entry for entry in ranking.entries if entry not in lost]
            self._publish(domain, key, Ranking.of(ranking.selection, [*kept, *joined[domain, key]]))
        removals = [unregistered(entry, self._ranking(entry.domain, entry.key)) for entry in gone]
        self._changes.put([*removals, *(registered(entry) for entry in new)])

    def _difference(self, owner: str, offered: list[Candidate]) -> tuple[list[Entry], list[Candidate]]:
        owned = defaultdict(list)
        for keys in self._domains.values():
            for entry in (entry for ranking in keys.values() for entry in ranking.entries if entry.owner == owner):
                owned[entry.domain, entry.key, entry.provider].append(entry)
        new = []
        for candidate in offered:
            alike = owned[candidate.domain, candidate.key, candidate.provider]
            same = next((entry for entry in alike if equal(entry.candidate, candidate)), None)
            if same is None:
                new.append(candidate)
            else:
                alike.remove(same)
        return [entry for alike in owned.values() for entry in alike], new

    def _prefer(self, domain: str, key: str, provider: str | None) -> None:
        if provider is None:
            self._selections.pop((domain, key), None)
        else:
            self._selections[domain, key] = provider
        ranking = self._domains.get(domain, _NO_KEYS).get(key)
        if ranking is not None and ranking.selection != provider:
            self._publish(domain, key, ranking.under(provider))

    def _is_among_first(self, domain: str, key: str) -> bool:
        if (domain, key) not in self._unregistered and len(self._unregistered) < MAX_UNREGISTERED_REPORTED:
            with self._lock.held:
                if len(self._unregistered) < MAX_UNREGISTERED_REPORTED:
                    self._unregistered.add((domain, key))
        return (domain, key) in self._unregistered
