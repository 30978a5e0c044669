"""A registry after any sequence of changes, against a naive model of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from offers import offer

from oneiric.core.events import CandidateCount
from oneiric.core.names import DOMAINS
from oneiric.core.resolution import Candidate, CandidateSource, Resolver, ResolverSettings

KEYS = ("cache", "queue")
PROVIDERS = ("a", "b", "c")
CAPABILITIES = ("read", "write", "lock")

candidates = st.builds(
    offer,
    st.sampled_from((None, *PROVIDERS)),
    key=st.sampled_from(KEYS),
    priority=st.sampled_from((None, -1, 0, 1)),
    stack_level=st.sampled_from((None, -1, 0, 1)),
    source=st.sampled_from((CandidateSource.LOCAL_PKG, CandidateSource.MANUAL)),
    metadata=st.builds(
        lambda names: {"capabilities": sorted(names)}, st.sets(st.sampled_from(CAPABILITIES))
    ),
)  # fmt: skip
selections = st.dictionaries(st.sampled_from(KEYS), st.sampled_from((*PROVIDERS, "absent")))


@dataclass
class Item:
    """A candidate in the model: nothing is kept sorted, everything is computed when it is asked for."""

    candidate: Candidate
    sequence: int
    priority: int
    owner: str | None = None

    def likeness(self) -> dict[str, Any]:
        """Return what a refresh compares."""
        return self.candidate.model_dump(exclude={"registered_at", "priority"}) | {"priority": self.priority}


class RegistryMachine(RuleBasedStateMachine):
    """Changes both the resolver and the model, and compares what they answer."""

    def __init__(self) -> None:
        super().__init__()
        self.resolver = Resolver()
        self.items: list[Item] = []
        self.selected: dict[str, str] = {}
        self.default = 0
        self.sequence = 0

    def add(self, candidate: Candidate, owner: str | None = None) -> None:
        """Register in the model."""
        self.sequence += 1
        priority = self.default if candidate.priority is None else candidate.priority
        self.items.append(Item(candidate, self.sequence, priority, owner))

    @rule(candidate=candidates)
    def register(self, candidate: Candidate) -> None:
        """Register one."""
        self.resolver.register(candidate)
        self.add(candidate)

    @rule(
        key=st.sampled_from(KEYS),
        provider=st.sampled_from((None, *PROVIDERS)),
        source=st.sampled_from((None, CandidateSource.MANUAL)),
    )
    def unregister(self, key: str, provider: str | None, source: CandidateSource | None) -> None:
        """Remove some."""
        gone = [
            item
            for item in self.items
            if item.candidate.key == key
            and (provider is None or item.candidate.provider == provider)
            and (source is None or item.candidate.source == source)
        ]
        self.items = [item for item in self.items if item not in gone]
        assert self.resolver.unregister("adapter", key, provider, source=source) == len(gone)

    @rule(key=st.sampled_from(KEYS), provider=st.sampled_from((None, *PROVIDERS, "absent")))
    def select(self, key: str, provider: str | None) -> None:
        """Prefer somebody."""
        self.resolver.select("adapter", key, provider)
        self.selected.pop(key, None)
        if provider is not None:
            self.selected[key] = provider

    @rule(selected=selections, default=st.sampled_from((-1, 0, 1)))
    def reselect(self, selected: dict[str, str], default: int) -> None:
        """Change the settings."""
        self.resolver.reselect(ResolverSettings(default_priority=default, selections={"adapter": selected}))
        self.selected, self.default = dict(selected), default

    @rule(owner=st.sampled_from(("one", "two")), offered=st.lists(candidates, max_size=6))
    def replace(self, owner: str, offered: list[Candidate]) -> None:
        """Refresh what an owner registered."""
        owned = [item for item in self.items if item.owner == owner]
        before = len(owned)
        added = []
        for candidate in offered:
            probe = Item(candidate, 0, self.default if candidate.priority is None else candidate.priority)
            alike = [item for item in owned if item.likeness() == probe.likeness()]
            if alike:
                owned.remove(max(alike, key=lambda item: item.sequence))
            else:
                added.append(candidate)
        self.items = [item for item in self.items if item not in owned]
        for candidate in added:
            self.add(candidate, owner)
        result = self.resolver.replace(owner, offered)
        assert (result.added, result.removed, result.kept) == (len(added), len(owned), before - len(owned))

    def ranked(self, key: str, wanted: frozenset[str] = frozenset(), *, every: bool = True) -> list[int]:
        """Return the sequences of the candidates of *key*, the winner first, by sorting them all."""
        scored = []
        for item in self.items:
            matched = len(wanted & set(item.candidate.metadata["capabilities"]))
            fits = not wanted or (matched == len(wanted) if every else matched > 0)
            if item.candidate.key == key and fits:
                override = self.selected.get(key, "") == item.candidate.provider
                scored.append((override, matched, item.priority, item.candidate.stack_level or 0, item.sequence))
        return [score[-1] for score in sorted(scored, reverse=True)]

    @rule(key=st.sampled_from(KEYS), wanted=st.sets(st.sampled_from((*CAPABILITIES, "fly"))), every=st.booleans())
    def ask_for_capabilities(self, key: str, wanted: set[str], every: bool) -> None:
        """Those that fit rank as the model says, and the first is resolved."""
        expected = self.ranked(key, frozenset(wanted), every=every)
        explained = self.resolver.explain("adapter", key, capabilities=wanted, require_all=every).ordered
        found = self.resolver.resolve("adapter", key, capabilities=wanted, require_all=every)
        assert [rank.candidate.registry_sequence for rank in explained] == expected
        assert (found and found.registry_sequence) == (expected[0] if expected else None)

    @invariant()
    def ranking_is_the_model_sorted(self) -> None:
        """Every key is in the order of the naive sort, its scores strictly falling, its winner resolved."""
        for key in KEYS:
            ordered = self.resolver.explain("adapter", key).ordered
            scores = [rank.score for rank in ordered]
            found = self.resolver.resolve("adapter", key)
            assert [rank.candidate.registry_sequence for rank in ordered] == self.ranked(key)
            assert scores == sorted(set(scores), reverse=True)
            assert found is (ordered[0].candidate if ordered else None)

    @invariant()
    def provider_gets_its_best(self) -> None:
        """Asking for a provider gives the first of its candidates in the ranking."""
        for key in KEYS:
            ordered = [rank.candidate for rank in self.resolver.explain("adapter", key).ordered]
            for provider in PROVIDERS:
                best = next((candidate for candidate in ordered if candidate.provider == provider), None)
                assert self.resolver.resolve("adapter", key, provider) is best

    @invariant()
    def lists_partition_the_candidates(self) -> None:
        """Every candidate is either active or shadowed, once, and the active ones are the winners."""
        active, shadowed = self.resolver.list_active("adapter"), self.resolver.list_shadowed("adapter")
        listed = sorted(candidate.registry_sequence or 0 for candidate in (*active, *shadowed))
        winners = {ranked[0] for key in KEYS if (ranked := self.ranked(key))}
        assert listed == sorted(item.sequence for item in self.items)
        assert {candidate.registry_sequence for candidate in active} == winners

    @invariant()
    def counts_equal_a_recount(self) -> None:
        """The counts kept on the way are those of counting anew."""
        counts = [
            CandidateCount(
                domain=domain,
                active=len(self.resolver.list_active(domain)),
                shadowed=len(self.resolver.list_shadowed(domain)),
            )
            for domain in DOMAINS
        ]
        assert self.resolver.states() == counts


TestRegistry = RegistryMachine.TestCase
TestRegistry.settings = settings(deadline=None, max_examples=60, stateful_step_count=25)
