"""Which candidate serves a key, and why."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from offers import offer, resolver_of, winner_of
from pydantic import ValidationError

from oneiric.core.resolution import Candidate, CandidateSource, Resolver, ResolverSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


def offer_with(field: str, value: Any) -> Candidate:
    """Return a candidate with one field set."""
    fields: dict[str, Any] = {field: value}
    return offer(**fields)


def test_candidate_has_the_published_defaults() -> None:
    """What a candidate does not say is None, empty, local and now."""
    candidate = Candidate(domain="adapter", key="cache", factory="oneiric.demo:DemoAdapter")
    assert candidate.model_dump(exclude={"registered_at"}) == {
        "domain": "adapter",
        "key": "cache",
        "provider": None,
        "priority": None,
        "stack_level": None,
        "factory": "oneiric.demo:DemoAdapter",
        "metadata": {},
        "source": CandidateSource.LOCAL_PKG,
        "health": None,
    }
    assert (candidate.registered_at.tzinfo, candidate.registry_sequence) == (UTC, None)


def test_candidate_ignores_unknown_arguments() -> None:
    """An argument that is no field is left out."""
    assert not hasattr(offer(colour="red"), "colour")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("domain", 5), ("domain", ""), ("domain", "d" * 257), ("domain", "a\nb"),
        ("key", None), ("key", ""), ("key", "k" * 257), ("key", "a\x00"),
        ("provider", 5), ("provider", ""), ("provider", "p" * 257), ("provider", "a\u2028"), ("provider", "\ud800"),
        ("priority", "high"), ("priority", 1.5), ("priority", 2**63), ("priority", -(2**63)),
        ("stack_level", []), ("stack_level", 2**63), ("factory", 5), ("factory", None), ("metadata", []),
        ("source", "elsewhere"), ("registered_at", "yesterday"), ("registered_at", datetime(2026, 1, 1)),  # noqa: DTZ001 - naive on purpose
        ("health", True),
    ],
)  # fmt: skip
def test_candidate_refuses_a_bad_field(field: str, value: Any) -> None:
    """A field of a wrong type, out of bounds or an invalid name is a ValidationError that names the field."""
    with pytest.raises(ValidationError) as caught:
        offer_with(field, value)
    assert {error["loc"][0] for error in caught.value.errors()} == {field}


@pytest.mark.parametrize("field", ["domain", "key", "provider"])
def test_candidate_takes_the_longest_name(field: str) -> None:
    """A name of 256 characters is a name."""
    assert getattr(offer_with(field, "n" * 256), field) == "n" * 256


@pytest.mark.parametrize("field", ["priority", "stack_level"])
def test_candidate_takes_the_largest_rank(field: str) -> None:
    """Ranks reach to the largest signed 64-bit integer and its negative."""
    largest = 2**63 - 1
    assert [getattr(offer_with(field, value), field) for value in (largest, -largest)] == [largest, -largest]


def test_candidate_refuses_a_bad_assignment() -> None:
    """A candidate stays valid after it was made."""
    candidate = offer()
    with pytest.raises(ValidationError):
        candidate.key = ""


def test_with_priority_leaves_the_original_alone() -> None:
    """The copy has the priority, the original keeps its own and its metadata."""
    original = offer(priority=1)
    changed = original.with_priority(7)
    changed.metadata["more"] = True
    assert (original.priority, original.metadata, changed.priority) == (1, {}, 7)


def test_settings_refuse_a_bad_selection() -> None:
    """A selection that could never be registered is a configuration error."""
    with pytest.raises(ValidationError, match="provider '' is not a valid name"):
        ResolverSettings(selections={"adapter": {"cache": ""}})


def test_settings_tell_the_selection_of_a_key() -> None:
    """A key without a selection has None."""
    settings = ResolverSettings(selections={"adapter": {"cache": "redis"}})
    looked_up = [
        settings.selection_for(*place) for place in (("adapter", "cache"), ("adapter", "x"), ("task", "cache"))
    ]
    assert looked_up == ["redis", None, None]


def test_nothing_registered_resolves_to_none() -> None:
    """A key nobody serves has no winner and an empty explanation."""
    resolver = Resolver()
    assert (winner_of(resolver), resolver.explain("adapter", "cache").winner) == (None, None)


@pytest.mark.parametrize(
    ("loser", "winner"),
    [
        ({"priority": 1}, {"priority": 2}),
        ({"priority": -1}, {"priority": None}),
        ({"priority": None}, {"priority": 0}),
        ({"priority": 1, "stack_level": 9}, {"priority": 2}),
        ({"stack_level": 1}, {"stack_level": 2}),
        ({"stack_level": -1}, {"stack_level": None}),
        ({}, {}),
    ],
)
def test_larger_priority_then_stack_level_then_later_registration_wins(
    loser: dict[str, Any], winner: dict[str, Any]
) -> None:
    """Priority decides before the stack level, the latest registration last of all."""
    assert winner_of(resolver_of(offer("loser", **loser), offer("winner", **winner))) == "winner"


def test_larger_priority_wins_though_registered_first() -> None:
    """A later registration does not beat a better one."""
    assert winner_of(resolver_of(offer("winner", priority=2), offer("loser", priority=1))) == "winner"


def test_selection_beats_priority() -> None:
    """The provider the configuration names wins, whatever the others bring."""
    assert winner_of(resolver_of(offer("own"), offer("strong", priority=99, stack_level=9), selected="own")) == "own"


def test_selection_of_an_unregistered_provider_changes_nothing() -> None:
    """A preference that cannot be met leaves the ranking of the others alone."""
    assert winner_of(resolver_of(offer("weak"), offer("strong", priority=9), selected="absent")) == "strong"


def test_missing_priority_takes_the_default_of_the_settings() -> None:
    """None becomes the default when the candidate is registered; 0 stays 0."""
    resolver = Resolver(ResolverSettings(default_priority=5))
    for candidate in (offer("none"), offer("zero", priority=0)):
        resolver.register(candidate)
    ranked = [
        (rank.candidate.provider, rank.candidate.priority) for rank in resolver.explain("adapter", "cache").ordered
    ]
    assert ranked == [("none", 5), ("zero", 0)]


def test_equal_registration_stays_as_shadowed() -> None:
    """Registering an equal candidate again shadows the earlier one and raises the counter."""
    candidate = offer()
    resolver = resolver_of(candidate, candidate)
    listed = (resolver.list_active("adapter"), resolver.list_shadowed("adapter"))
    assert [[entry.registry_sequence for entry in entries] for entries in listed] == [[2], [1]]


def test_provider_asked_for_gets_its_best_ranked_candidate() -> None:
    """Of one provider, the newest of the best candidates is given, though another provider wins the key."""
    resolver = resolver_of(
        offer("redis", metadata={"v": 1}), offer("redis", metadata={"v": 2}), offer("redis", priority=-1),
        offer("memory", priority=9),
    )  # fmt: skip
    found = resolver.resolve("adapter", "cache", provider="redis")
    assert found is not None
    assert found.metadata == {"v": 2}


def test_provider_that_is_not_registered_resolves_to_none() -> None:
    """No other provider stands in for the one asked for."""
    assert winner_of(resolver_of(offer("redis")), "memory") is None


def test_registration_copies_deeply() -> None:
    """What the caller changes afterwards, nested metadata included, is not seen."""
    candidate = offer(metadata={"nested": [1]})
    resolver = resolver_of(candidate)
    candidate.metadata["nested"].append(2)
    candidate.priority = 99
    found = resolver.resolve("adapter", "cache")
    assert found is not None
    assert (found.metadata, found.priority, candidate.registry_sequence) == ({"nested": [1]}, 0, None)


def test_factory_is_not_copied() -> None:
    """A callable object stays the one that was given, with its state."""

    class Factory:
        def __call__(self) -> None:
            """Make nothing."""

    factory = Factory()
    found = resolver_of(offer(factory=factory)).resolve("adapter", "cache")
    assert found is not None
    assert found.factory is factory


def test_metadata_that_cannot_be_copied_is_refused() -> None:
    """The error names the component instead of only what cannot be pickled."""
    with pytest.raises(TypeError, match=r"^metadata of adapter:cache cannot be copied: "):
        resolver_of(offer(metadata={"module": sys}))


def test_register_refuses_what_is_no_candidate() -> None:
    """The error tells what was given instead."""
    with pytest.raises(TypeError, match="a candidate must be a Candidate, got dict"):
        Resolver().register({"domain": "adapter"})  # type: ignore[arg-type]


def test_changing_a_resolved_candidate_does_not_disturb_the_ranking() -> None:
    """The registry ranks by what was registered."""
    resolver = resolver_of(offer("old"), offer("new"))
    found = resolver.resolve("adapter", "cache")
    assert found is not None
    found.provider, found.priority = "changed", -5
    resolver.register(offer("last", priority=-1))
    assert (resolver.resolve("adapter", "cache"), resolver.unregister("adapter", "cache", "new")) == (found, 1)


@pytest.mark.parametrize("name", ["", "k" * 257, "a\nb", "absent", None, 5])
def test_resolving_a_name_that_cannot_be_registered_gives_none(name: Any) -> None:
    """A bad name in a question is answered, not raised for."""
    resolver = resolver_of(offer())
    answers = [resolver.resolve(name, "cache"), resolver.resolve("adapter", name), resolver.explain(name, name).winner]
    assert answers == [None, None, None]


CAPABLE = (
    offer("both", metadata={"capabilities": ["read", "write"]}),
    offer("one", metadata={"capabilities": " write "}, priority=1),
    offer("told", metadata={"capability_descriptors": [{"name": "lock"}, {"name": 5}, {}, "read"]}, priority=2),
    offer("none", metadata={"capabilities": 5, "capability_descriptors": None}, priority=3),
)


@pytest.mark.parametrize(
    ("wanted", "require_all", "winner"),
    [
        (None, True, "none"),
        ([], True, "none"),
        (["", "  "], True, "none"),
        (["write"], True, "one"),
        ("write", True, "one"),
        ([" write", "read "], True, "both"),
        (["write", "read"], False, "both"),
        (["write", "lock"], False, "told"),
        (["write", "lock"], True, None),
        (["lock", "lock"], True, "told"),
        (["read", "lock"], False, "told"),
        (["fly"], False, None),
    ],
)
def test_capabilities_filter_and_rank(wanted: Any, require_all: bool, winner: str | None) -> None:
    """All of them (or any) must match; more matches beat a larger priority."""
    assert winner_of(resolver_of(*CAPABLE), capabilities=wanted, require_all=require_all) == winner


def test_selection_beats_capability_count_but_must_match() -> None:
    """A preferred provider with one match beats one with two, and loses without any."""
    resolver = resolver_of(*CAPABLE, selected="one")
    winners = [winner_of(resolver, capabilities=wanted, require_all=False) for wanted in (["read", "write"], ["lock"])]
    assert winners == ["one", "told"]


def test_provider_asked_for_must_have_the_capabilities() -> None:
    """The provider and its capabilities both count."""
    resolver = resolver_of(*CAPABLE)
    assert [winner_of(resolver, "both", capabilities=[name]) for name in ("read", "lock")] == ["both", None]


@pytest.mark.parametrize("wanted", [[5], 5])
def test_capabilities_of_another_type_raise(wanted: Any) -> None:
    """A question that makes no sense is a TypeError."""
    with pytest.raises(TypeError):
        resolver_of(offer()).resolve("adapter", "cache", capabilities=wanted)


def test_explanation_tells_scores_and_reasons() -> None:
    """Every rank tells its score and its reasons, in a fixed order; the first is the only selected one."""
    resolver = resolver_of(*CAPABLE, selected="one")
    assert resolver.explain("adapter", "cache", capabilities=["write", "lock"], require_all=False).as_dict() == {
        "domain": "adapter",
        "key": "cache",
        "ordered": [
            {
                "provider": "one",
                "score": (1, 1, 1, 0, 2),
                "selected": True,
                "reasons": [
                    "matched selection override one",
                    "priority=1",
                    "capability_match=1/2",
                    "stack_level=0",
                    "registration_order=2",
                ],
            },
            {
                "provider": "told",
                "score": (0, 1, 2, 0, 3),
                "selected": False,
                "reasons": [
                    "selection override prefers one",
                    "priority=2",
                    "capability_match=1/2",
                    "stack_level=0",
                    "registration_order=3",
                ],
            },
            {
                "provider": "both",
                "score": (0, 1, 0, 0, 1),
                "selected": False,
                "reasons": [
                    "selection override prefers one",
                    "priority=0",
                    "capability_match=1/2",
                    "stack_level=0",
                    "registration_order=1",
                ],
            },
        ],
    }


def test_explanation_leaves_out_what_does_not_apply() -> None:
    """Without a selection and capabilities, nothing is said of them."""
    ranks = resolver_of(offer(priority=3, stack_level=2)).explain("adapter", "cache").ordered
    assert [rank.reasons for rank in ranks] == [["priority=3", "stack_level=2", "registration_order=1"]]


def test_explanation_is_serialisable() -> None:
    """JSON knows all of it, a candidate without provider included."""
    document = json.loads(json.dumps(resolver_of(offer(None)).explain("adapter", "cache").as_dict()))
    assert document["ordered"][0]["provider"] is None


def test_explanation_agrees_with_the_resolution() -> None:
    """The winner explained is the candidate resolved, the very object."""
    resolver = resolver_of(*CAPABLE)
    winner = resolver.explain("adapter", "cache").winner
    assert winner is not None
    assert winner is resolver.resolve("adapter", "cache")


def test_lists_tell_active_and_shadowed_of_one_domain() -> None:
    """Every key has one active candidate; the others are shadowed, best first; other domains are not listed."""
    resolver = resolver_of(
        offer("a", priority=1), offer("b", priority=3), offer("c", priority=2), offer("q", key="queue"),
        offer("s", domain="service"),
    )  # fmt: skip
    active, shadowed = resolver.list_active("adapter"), resolver.list_shadowed("adapter")
    listed = [[entry.provider for entry in entries] for entries in (active, shadowed, resolver.list_active("absent"))]
    assert listed == [["b", "q"], ["c", "a"], []]


def calls_of(action: Callable[[], object]) -> int:
    """Return how many calls, of Python and of C, *action* makes."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        del frame, argument
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        action()
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("provider", [None, "p0"])
def test_resolution_does_the_same_work_for_10000_candidates_as_for_one(provider: str | None) -> None:
    """The number of candidates of a key does not change how many calls a resolution makes."""
    one, many = (resolver_of(*(offer(f"p{number}") for number in range(count))) for count in (1, 10_000))
    assert calls_of(lambda: winner_of(many, provider)) == calls_of(lambda: winner_of(one, provider)) < 30


def test_registration_makes_logarithmically_many_comparisons() -> None:
    """Registering the 4097th candidate of a key looks at a dozen of the others, not at all of them."""
    few, many = (resolver_of(*(offer(f"p{number}") for number in range(count))) for count in (1, 4096))
    candidate = offer("last", priority=-1)
    assert 0 < calls_of(lambda: many.register(candidate)) - calls_of(lambda: few.register(candidate)) <= 12
