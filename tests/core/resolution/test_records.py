"""What resolution tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from offers import offer, resolver_of
from support import Clock, Recorder

from oneiric.core.events import Event, Registered, ResolutionFailed, Resolved, Unregistered
from oneiric.core.observers import Observers
from oneiric.core.resolution import CandidateSource, Resolver
from oneiric.core.resolution.registry import MAX_UNREGISTERED_REPORTED

if TYPE_CHECKING:
    from oneiric.core.observers import Receiver


def failure_of(resolver: Resolver, recorder: Recorder, *arguments: Any, **options: Any) -> ResolutionFailed:
    """Return what the one failing resolution tells."""
    assert resolver.resolve(*arguments, **options) is None
    (event,) = recorder.of(ResolutionFailed)
    return event


def test_resolution_is_told_once(observers: Observers, recorder: Recorder) -> None:
    """A success is one Resolved with how many candidates the key has, and nothing else."""
    resolver = resolver_of(offer("a"), offer("b"), offer("c"), observers=observers)
    recorder.told.clear()
    resolver.resolve("adapter", "cache")
    (event,) = recorder.told
    assert isinstance(event, Resolved)
    assert (event.domain, event.key, event.provider, event.candidates, event.shadowed) == (
        "adapter", "cache", "c", 3, 2,
    )  # fmt: skip


class Ticking(Clock):
    """A clock on which every reading takes a quarter of a second."""

    def __call__(self) -> float:
        """Return the present second, and let time pass."""
        self.advance(0.25)
        return super().__call__()


@pytest.mark.parametrize("key", ["cache", "absent"])
def test_duration_is_measured_with_the_clock_of_the_seam(key: str) -> None:
    """Success and failure take what the injected clock says, in seconds."""
    observers, recorder = Observers(clock=Ticking()), Recorder()
    resolver = resolver_of(offer(), observers=observers)
    observers.add(recorder)
    resolver.resolve("adapter", key)
    (event,) = recorder.told
    assert isinstance(event, Resolved | ResolutionFailed)
    assert event.duration == 0.25


def test_candidate_without_provider_is_told_as_none(observers: Observers, recorder: Recorder) -> None:
    """Registration, resolution and removal say "none"."""
    resolver = resolver_of(offer(None), observers=observers)
    resolver.resolve("adapter", "cache")
    resolver.unregister("adapter", "cache")
    told = [(type(event), event.provider) for event in recorder.told]  # type: ignore[attr-defined]
    assert told == [(Registered, "none"), (Resolved, "none"), (Unregistered, "none")]


def test_missing_candidate_is_told(observers: Observers, recorder: Recorder) -> None:
    """A key nobody serves is no_candidate, though its name is fine."""
    event = failure_of(Resolver(observers=observers), recorder, "adapter", "cache")
    assert (event.domain, event.key, event.provider, event.reason) == ("adapter", "cache", "none", "no_candidate")
    assert (event.candidates, event.shadowed, event.error) == (0, 0, "")


def test_missing_provider_is_told(observers: Observers, recorder: Recorder) -> None:
    """A provider that is not there is provider_not_found; the record's provider is none, its error tells which."""
    event = failure_of(resolver_of(offer("a"), offer("b"), observers=observers), recorder, "adapter", "cache", "c")
    assert (event.reason, event.provider, event.candidates, event.shadowed, event.error) == (
        "provider_not_found", "none", 2, 1, "provider 'c' is not registered for the key",
    )  # fmt: skip


@pytest.mark.parametrize("provider", [None, "redis"])
def test_missing_capability_is_told(observers: Observers, recorder: Recorder, provider: str | None) -> None:
    """Candidates without the capabilities are a capability_mismatch."""
    resolver = resolver_of(offer(), observers=observers)
    event = failure_of(resolver, recorder, "adapter", "cache", provider, ["fly"])
    assert (event.reason, event.candidates, event.shadowed) == ("capability_mismatch", 1, 0)


@pytest.mark.parametrize("domain", ["planet", "", "x" * 10_000, "a\nb", None, 5])
def test_unknown_domain_is_no_label(observers: Observers, recorder: Recorder, domain: Any) -> None:
    """A domain that does not exist is told as _other, with a bounded explanation."""
    event = failure_of(Resolver(observers=observers), recorder, domain, "cache")
    assert (event.domain, event.key, event.reason) == ("_other", "cache", "no_candidate")
    assert (event.error.startswith("domain "), len(event.error) < 200) == (True, True)


@pytest.mark.parametrize("key", ["", "x" * 257, "a\nb", "\ud800", None, 5])
def test_invalid_key_is_no_label(observers: Observers, recorder: Recorder, key: Any) -> None:
    """A key that cannot exist is told as _invalid, with a bounded explanation."""
    event = failure_of(Resolver(observers=observers), recorder, "adapter", key)
    assert (event.domain, event.key, event.reason) == ("adapter", "_invalid", "no_candidate")
    assert (event.error.startswith("key "), len(event.error) < 250) == (True, True)


def test_custom_domain_is_a_label_once_it_had_a_candidate(observers: Observers, recorder: Recorder) -> None:
    """A domain stays known after its last candidate went."""
    resolver = resolver_of(offer(domain="planet"), observers=observers)
    resolver.unregister("planet", "cache")
    assert failure_of(resolver, recorder, "planet", "cache").domain == "planet"


@pytest.mark.parametrize(
    ("arguments", "labels"),
    [
        (("adapter", "cache", None, [5]), ("adapter", "cache")),
        (([], "cache"), ("_other", "cache")),
        (("adapter", {}), ("adapter", "_invalid")),
        (("adapter", "cache", []), ("adapter", "cache")),
    ],
)
def test_unexpected_error_is_told_and_raised(
    observers: Observers, recorder: Recorder, arguments: Any, labels: tuple[str, str]
) -> None:
    """What raises is told as error, with its type and text, and raised on."""
    resolver = resolver_of(offer(), observers=observers)
    with pytest.raises(TypeError) as caught:
        resolver.resolve(*arguments)
    (event,) = recorder.of(ResolutionFailed)
    assert (event.domain, event.key, event.reason) == (*labels, "error")
    assert (event.error_type, event.error) == ("TypeError", str(caught.value))


def test_secrets_do_not_pass(observers: Observers, recorder: Recorder) -> None:
    """What is asked for may be anything; its explanation is redacted."""
    event = failure_of(Resolver(observers=observers), recorder, "token=hunter2 ", "cache")
    assert "hunter2" not in event.error


def test_looking_is_not_told(observers: Observers, recorder: Recorder) -> None:
    """Explaining and listing are no resolutions."""
    resolver = resolver_of(offer(), observers=observers)
    recorder.told.clear()
    resolver.explain("adapter", "cache")
    resolver.list_active("adapter")
    resolver.list_shadowed("adapter")
    resolver.states()
    assert recorder.told == []


class Only:
    """An observer that wants one type of event."""

    def __init__(self, wanted: type[Event]) -> None:
        self.wanted = wanted
        self.told: list[Event] = []

    def receiver(self, event_type: type[Event]) -> Receiver | None:
        """Want the one type."""
        return self.told.append if event_type is self.wanted else None


def test_resolution_nobody_wants_makes_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without anybody who wants it, neither a success nor a failure reaches the dispatch."""
    resolver = resolver_of(offer())
    resolver.observers.add(Only(Registered))
    notified: list[Event] = []
    monkeypatch.setattr(resolver.observers, "notify", notified.append)
    resolver.resolve("adapter", "cache")
    resolver.resolve("adapter", "absent")
    assert notified == []


def test_registration_is_told(observers: Observers, recorder: Recorder) -> None:
    """A registration tells how the candidate is ranked and where it is from."""
    resolver_of(offer("a", priority=7, source=CandidateSource.REMOTE_MANIFEST), observers=observers)
    assert recorder.told == [
        Registered(
            domain="adapter", key="cache", provider="a", origin="remote_manifest", priority=7, stack_level=0
        )
    ]  # fmt: skip


def gone(provider: str, *, provider_gone: bool, key_gone: bool) -> Unregistered:
    """Return that a candidate of the key cache was removed."""
    return Unregistered(
        domain="adapter", key="cache", provider=provider, provider_gone=provider_gone, key_gone=key_gone
    )


def test_removal_tells_what_is_left(observers: Observers, recorder: Recorder) -> None:
    """A removal tells whether its provider, and whether the key, has candidates left."""
    resolver = resolver_of(
        offer("a"), offer("a", source=CandidateSource.MANUAL), offer("b"), observers=observers
    )  # fmt: skip
    resolver.unregister("adapter", "cache", "a", source=CandidateSource.MANUAL)
    resolver.unregister("adapter", "cache", "a")
    resolver.unregister("adapter", "cache")
    assert recorder.of(Unregistered) == [
        gone("a", provider_gone=False, key_gone=False),
        gone("a", provider_gone=True, key_gone=False),
        gone("b", provider_gone=True, key_gone=True),
    ]


def test_replacement_tells_only_what_changed(observers: Observers, recorder: Recorder) -> None:
    """Kept candidates are not told; an exchanged provider is told as removed, but not gone."""
    resolver = Resolver(observers=observers)
    resolver.replace("manifest", [offer("kept"), offer("changed"), offer("gone")])
    recorder.told.clear()
    resolver.replace("manifest", [offer("kept"), offer("changed", priority=4)])
    assert recorder.told == [
        gone("gone", provider_gone=True, key_gone=False),
        gone("changed", provider_gone=False, key_gone=False),
        Registered(domain="adapter", key="cache", provider="changed", origin="local_pkg", priority=4, stack_level=0),
    ]


def test_a_late_observer_can_be_told_what_is_registered(observers: Observers, recorder: Recorder) -> None:
    """The registrations of what is there, and of nothing that is gone, can be had at any time."""
    resolver = resolver_of(offer("a"), offer("b"), observers=observers)
    resolver.unregister("adapter", "cache", "a")
    assert resolver.replay() == [event for event in recorder.of(Registered) if event.provider == "b"]


def test_keys_never_registered_are_reported_up_to_a_bound() -> None:
    """The first 100 plain keys that nobody registered are labels, the 101st is not, and those before it stay."""
    resolver = Resolver()
    reported = [resolver.reported("adapter", f"k{number}")[1] for number in range(MAX_UNREGISTERED_REPORTED + 1)]
    assert (MAX_UNREGISTERED_REPORTED, reported[-2:]) == (100, ["k99", "_other"])
    assert (resolver.reported("adapter", "k0"), resolver.reported("task", "k0")) == (
        ("adapter", "k0"),
        ("task", "_other"),
    )


def test_a_key_registered_later_makes_room() -> None:
    """A key that gets a candidate no longer counts among those that have none, and stays a label for good."""
    resolver = Resolver()
    for number in range(MAX_UNREGISTERED_REPORTED):
        resolver.reported("adapter", f"k{number}")
    resolver.register(offer(key="k0"))
    resolver.unregister("adapter", "k0")
    reported = [resolver.reported("adapter", key)[1] for key in ("late", "later", "k0")]
    assert reported == ["late", "_other", "k0"]


@pytest.mark.parametrize(
    ("key", "reported"),
    [
        ("a" * 64, "a" * 64),
        ("a" * 65, "_invalid"),
        ("http://host/path", "_invalid"),
        ("a:b.c-d_e9", "a:b.c-d_e9"),
        ("_other", "_invalid"),
        ("schlüssel", "_invalid"),
        ("a\n", "_invalid"),
        ("chosen one", "chosen one"),
        ("registered/one", "registered/one"),
    ],
)
def test_only_plain_or_configured_keys_are_labels(key: str, reported: str) -> None:
    """A key is a label if it is short and plain, or came from a registration or a selection."""
    resolver = resolver_of(offer(key="registered/one"))
    resolver.select("adapter", "chosen one", "redis")
    assert resolver.reported("adapter", key) == ("adapter", reported)


def test_a_url_asked_for_is_no_label(observers: Observers, recorder: Recorder) -> None:
    """A failed resolution of anything that is no name says so, and its error names it without what may be secret."""
    event = failure_of(Resolver(observers=observers), recorder, "adapter", "https://u:hush@host/path")
    assert (event.key, "hush" in event.error, event.error) == (
        "_invalid", False, "key 'https://host/… was never registered",
    )  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(["adapter", "planet", ""]), st.text()), max_size=300))
@settings(deadline=None, max_examples=30)
def test_what_is_reported_is_bounded(asked: list[tuple[str, str]]) -> None:
    """Whatever is asked for, there are few label sets, of known domains only."""
    resolver = Resolver()
    reported = {resolver.reported(*pair) for pair in asked}
    assert {domain for domain, _ in reported} <= {"adapter", "_other"}
    assert len(reported) <= MAX_UNREGISTERED_REPORTED + 4
