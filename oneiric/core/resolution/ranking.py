"""The ranking of the candidates of one key, and its explanation."""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from oneiric.core.batches import NO_HANDLE, Handle
from oneiric.core.resolution.candidates import capabilities_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from oneiric.core.events import Miss
    from oneiric.core.resolution.candidates import Candidate


@dataclass
class CandidateRank:
    """Where a candidate stands, and why.

    ``score`` is what is compared, larger first: selection override, matched capabilities, priority, stack level,
    order of registration.
    """

    candidate: Candidate
    score: tuple[int, int, int, int, int]
    reasons: list[str]
    selected: bool = False


@dataclass
class ResolutionExplanation:
    """The ranked candidates of a key, the winner first."""

    domain: str
    key: str
    ordered: list[CandidateRank] = field(default_factory=list)

    @property
    def winner(self) -> Candidate | None:
        """The candidate that is selected, or None."""
        return next((rank.candidate for rank in self.ordered if rank.selected), None)

    def as_dict(self) -> dict[str, Any]:
        """Return the explanation as values that JSON knows."""
        return {
            "domain": self.domain,
            "key": self.key,
            "ordered": [
                {
                    "provider": rank.candidate.provider,
                    "score": rank.score,
                    "selected": rank.selected,
                    "reasons": list(rank.reasons),
                }
                for rank in self.ordered
            ],
        }


@dataclass(slots=True, eq=False)
class Entry:
    """A registered candidate and what ranks it, out of reach of whoever changes the candidate later.

    Nothing changes but ``handle``, by which its selections are reported. ``order`` is what is compared, smaller first:
    selection override, priority, stack level and order of registration, each negated.
    """

    candidate: Candidate
    domain: str
    key: str
    provider: str | None
    capabilities: frozenset[str]
    owner: str | None
    order: tuple[int, int, int, int]
    handle: Handle = NO_HANDLE

    @property
    def priority(self) -> int:
        """The priority it is ranked by."""
        return -self.order[1]

    @property
    def stack_level(self) -> int:
        """The stack level it is ranked by."""
        return -self.order[2]

    @classmethod
    def of(cls, candidate: Candidate, *, owner: str | None, selection: str | None) -> Entry:
        """Return the entry of *candidate*, which has its priority and its registry sequence."""
        override = selection is not None and candidate.provider == selection
        return cls(
            candidate=candidate,
            domain=candidate.domain,
            key=candidate.key,
            provider=candidate.provider,
            capabilities=capabilities_of(candidate),
            owner=owner,
            order=(
                -override,
                -(candidate.priority or 0),
                -(candidate.stack_level or 0),
                -(candidate.registry_sequence or 0),
            ),
        )

    def under(self, selection: str | None) -> Entry:
        """Return this entry as *selection* ranks it."""
        override = selection is not None and self.provider == selection
        return replace(self, order=(-override, *self.order[1:]))


@dataclass(frozen=True, slots=True)
class Ranking:
    """The entries of one key, best first; immutable, so that readers need no lock.

    ``best`` holds the best-ranked entry of each provider, ``selection`` the provider the configuration prefers.
    """

    selection: str | None = None
    entries: tuple[Entry, ...] = ()
    best: Mapping[str | None, Entry] = field(default_factory=dict)

    @classmethod
    def of(cls, selection: str | None, entries: Iterable[Entry]) -> Ranking:
        """Return the ranking of *entries*, which were made under *selection*."""
        ordered = tuple(sorted(entries, key=_order))
        return cls(selection, ordered, {entry.provider: entry for entry in reversed(ordered)})

    def with_entry(self, entry: Entry) -> Ranking:
        """Return this ranking with *entry*, found its place in a logarithmic number of comparisons."""
        place = bisect(self.entries, entry.order, key=_order)
        best = self.best
        known = best.get(entry.provider)
        if known is None or entry.order < known.order:
            best = {**best, entry.provider: entry}
        return Ranking(self.selection, (*self.entries[:place], entry, *self.entries[place:]), best)

    def under(self, selection: str | None) -> Ranking:
        """Return this ranking as *selection* makes it."""
        return Ranking.of(selection, (entry.under(selection) for entry in self.entries))

    def choose(self, provider: str | None, wanted: frozenset[str], *, require_all: bool) -> Entry | Miss:
        """Return the winner, or why there is none; without *wanted*, in a time independent of how many entries are."""
        if not self.entries:
            return "no_candidate"
        if provider is not None and provider not in self.best:
            return "provider_not_found"
        if not wanted:
            return self.entries[0] if provider is None else self.best[provider]
        fitting = (e for e in self._fitting(wanted, require_all=require_all) if provider in {None, e.provider})
        return min(fitting, key=_preference(wanted), default=None) or "capability_mismatch"

    def explain(self, wanted: frozenset[str], *, require_all: bool) -> list[CandidateRank]:
        """Return the ranks of the entries that have the *wanted* capabilities, the winner first."""
        fitting = sorted(self._fitting(wanted, require_all=require_all), key=_preference(wanted))
        ranks = [self._rank(entry, wanted) for entry in fitting]
        if ranks:
            ranks[0].selected = True
        return ranks

    def _fitting(self, wanted: frozenset[str], *, require_all: bool) -> Iterable[Entry]:
        least = len(wanted) if require_all else min(len(wanted), 1)
        return (entry for entry in self.entries if len(wanted & entry.capabilities) >= least)

    def _rank(self, entry: Entry, wanted: frozenset[str]) -> CandidateRank:
        override, priority, stack_level, sequence = (-part for part in entry.order)
        matched = len(wanted & entry.capabilities)
        reasons = [f"priority={priority}", f"stack_level={stack_level}", f"registration_order={sequence}"]
        if wanted:
            reasons.insert(1, f"capability_match={matched}/{len(wanted)}")
        if self.selection is not None:
            verb = "matched selection override" if override else "selection override prefers"
            reasons.insert(0, f"{verb} {self.selection}")
        return CandidateRank(entry.candidate, (override, matched, priority, stack_level, sequence), reasons)


def requested(capabilities: Iterable[str] | None) -> frozenset[str]:
    """Return the names in *capabilities*, stripped, without blanks; a single string is one name."""
    if capabilities is None:
        return frozenset()
    names: list[Any] = [capabilities] if isinstance(capabilities, str) else list(capabilities)
    if strange := [name for name in names if not isinstance(name, str)]:
        raise TypeError(f"a requested capability must be a str, got {type(strange[0]).__name__}")
    return frozenset(stripped for name in names if (stripped := name.strip()))


def _preference(wanted: frozenset[str]) -> Callable[[Entry], tuple[int, int]]:
    # The entries are in order already: of those that this key leaves equal, the first is the best.
    return lambda entry: (entry.order[0], -len(wanted & entry.capabilities))


def _order(entry: Entry) -> tuple[int, int, int, int]:
    return entry.order
