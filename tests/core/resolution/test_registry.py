"""How a registry changes: removal, replacement, selection, counts, threads."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from offers import offer, resolver_of, winner_of
from support import Recorder

from oneiric.core.events import CandidateCount, Registered, Unregistered
from oneiric.core.observers import Observers
from oneiric.core.resolution import (
    Candidate,
    CandidateRegistry,
    CandidateSource,
    ReplaceResult,
    Resolver,
    ResolverSettings,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from oneiric.core.events import Event
    from oneiric.core.observers import Receiver


def sequences(resolver: Resolver, key: str = "cache") -> list[int | None]:
    """Return the places in the order of registration of the candidates of a key, best first."""
    return [rank.candidate.registry_sequence for rank in resolver.explain("adapter", key).ordered]


def test_unregister_removes_every_candidate_of_the_key() -> None:
    """Without a provider all candidates of the key go, those of other keys stay."""
    resolver = resolver_of(offer("a"), offer("b"), offer("c", key="queue"))
    removed = resolver.unregister("adapter", "cache")
    assert (removed, winner_of(resolver), sequences(resolver, "queue")) == (2, None, [3])


def test_unregister_removes_only_the_provider() -> None:
    """The next best candidate takes over."""
    resolver = resolver_of(offer("a"), offer("b"), offer("b"))
    assert (resolver.unregister("adapter", "cache", "b"), winner_of(resolver)) == (2, "a")


def test_unregister_removes_only_the_source() -> None:
    """Candidates of the same provider from elsewhere stay."""
    resolver = resolver_of(offer("a"), offer("a", source=CandidateSource.MANUAL))
    removed = resolver.unregister("adapter", "cache", "a", source=CandidateSource.MANUAL)
    assert (removed, sequences(resolver)) == (1, [1])


@pytest.mark.parametrize("place", [("adapter", "absent"), ("absent", "cache"), ("", "\n")])
def test_unregister_of_what_is_not_there_removes_nothing(place: tuple[str, str]) -> None:
    """Removing is idempotent."""
    assert resolver_of(offer()).unregister(*place) == 0


def test_select_ranks_the_key_anew() -> None:
    """A selection counts at once, for candidates registered before and after, until it is taken back."""
    resolver = resolver_of(offer("a"), offer("b"))
    winners = []
    for provider in ("a", "c", None):
        resolver.select("adapter", "cache", provider)
        winners.append(winner_of(resolver))
    resolver.select("adapter", "cache", "c")
    resolver.register(offer("c", priority=-1))
    assert [*winners, winner_of(resolver)] == ["a", "b", "b", "c"]


def test_select_survives_the_last_candidate() -> None:
    """A selection belongs to the key, not to its candidates."""
    resolver = resolver_of(offer("a"), selected="a")
    resolver.unregister("adapter", "cache")
    for candidate in (offer("a"), offer("b")):
        resolver.register(candidate)
    assert winner_of(resolver) == "a"


def test_select_changes_a_copy_of_the_settings() -> None:
    """What the resolver shows is what ranks; the settings it was made with stay as they are."""
    given = ResolverSettings(selections={"adapter": {"cache": "a"}})
    resolver = Resolver(given)
    resolver.select("adapter", "cache", None)
    resolver.select("task", "mail", "smtp")
    shown = (resolver.settings.selection_for("adapter", "cache"), resolver.settings.selection_for("task", "mail"))
    assert (shown, given.selections) == ((None, "smtp"), {"adapter": {"cache": "a"}})


@pytest.mark.parametrize("arguments", [("", "k", "p"), ("d", "a\n", "p"), ("d", "k", ""), ("d", "k", "p" * 257)])
def test_select_refuses_an_invalid_name(arguments: tuple[str, str, str]) -> None:
    """An invalid name is a ValueError, and nothing changes."""
    resolver = Resolver()
    with pytest.raises(ValueError, match="is not a valid name"):
        resolver.select(*arguments)
    assert resolver.settings == ResolverSettings()


def test_reselect_replaces_every_selection() -> None:
    """Selections that the new settings do not have are gone, theirs count."""
    resolver = resolver_of(offer("a"), offer("b"), offer("a", key="queue"), offer("b", key="queue"), selected="a")
    resolver.reselect(ResolverSettings(selections={"adapter": {"queue": "a"}}))
    queue = resolver.resolve("adapter", "queue")
    assert queue is not None
    assert (winner_of(resolver), queue.provider) == ("b", "a")


def test_reselect_counts_for_later_registrations() -> None:
    """The new default priority is that of candidates registered from now on."""
    resolver = resolver_of(offer("a"))
    resolver.reselect(ResolverSettings(default_priority=-3))
    resolver.register(offer("b"))
    assert winner_of(resolver) == "a"


def test_replace_registers_what_is_new() -> None:
    """The first call adds everything, in the order given."""
    resolver = Resolver()
    result = resolver.replace("manifest", [offer("a"), offer("b")])
    assert (result, sequences(resolver)) == (ReplaceResult(added=2, removed=0, kept=0), [2, 1])


def test_replace_keeps_what_is_equal() -> None:
    """An equal candidate stays the very object, with its place, however often it is offered."""
    resolver = Resolver()
    resolver.replace("manifest", [offer("a", metadata={"v": [1]})])
    before = resolver.resolve("adapter", "cache")
    results = [resolver.replace("manifest", [offer("a", metadata={"v": [1]})]) for _ in range(100)]
    assert set(results) == {ReplaceResult(added=0, removed=0, kept=1)}
    assert (resolver.resolve("adapter", "cache") is before, sequences(resolver)) == (True, [1])


@pytest.mark.parametrize(
    "changed",
    [{"priority": 1}, {"stack_level": 1}, {"factory": list}, {"metadata": {"v": 2}}, {"source": "manual"},
     {"health": bool}],
)  # fmt: skip
def test_replace_exchanges_what_changed(changed: dict[str, Any]) -> None:
    """A candidate that differs in anything but its time is a new one."""
    resolver = Resolver()
    resolver.replace("manifest", [offer()])
    result = resolver.replace("manifest", [offer(**changed)])
    assert (result, sequences(resolver)) == (ReplaceResult(added=1, removed=1, kept=0), [2])


def test_replace_removes_what_is_gone() -> None:
    """What is not offered any more is unregistered, down to the last key."""
    resolver = Resolver()
    resolver.replace("manifest", [offer("a"), offer("b", key="queue")])
    result = resolver.replace("manifest", [])
    assert (result, resolver.list_active("adapter")) == (ReplaceResult(added=0, removed=2, kept=0), [])


def test_replace_counts_equal_candidates_one_by_one() -> None:
    """Of two equal candidates, one is removed when only one is offered again."""
    resolver = Resolver()
    resolver.replace("manifest", [offer(), offer()])
    result = resolver.replace("manifest", [offer()])
    assert (result, len(sequences(resolver))) == (ReplaceResult(added=0, removed=1, kept=1), 1)


def test_replace_leaves_others_alone() -> None:
    """Neither what another owner nor what nobody's method registered is touched."""
    resolver = resolver_of(offer("a"))
    resolver.replace("one", [offer("a")])
    resolver.replace("two", [offer("a")])
    resolver.replace("one", [])
    assert sequences(resolver) == [3, 1]


def test_replace_forgets_what_was_unregistered() -> None:
    """A candidate removed otherwise is registered again when it is offered again."""
    resolver = Resolver()
    resolver.replace("manifest", [offer()])
    resolver.unregister("adapter", "cache")
    result = resolver.replace("manifest", [offer()])
    assert (result, winner_of(resolver)) == (ReplaceResult(added=1, removed=0, kept=0), "redis")


def test_replace_changes_nothing_when_one_candidate_is_bad() -> None:
    """All are taken or none, and the registration counter stays."""
    resolver = Resolver()
    resolver.replace("manifest", [offer("a")])
    with pytest.raises(TypeError, match="a candidate must be a Candidate, got str"):
        resolver.replace("manifest", [offer("b"), "junk"])  # type: ignore[list-item]
    resolver.register(offer("c", priority=-1))
    assert sequences(resolver) == [1, 2]


def test_replace_changes_nothing_when_the_candidates_end_with_an_error() -> None:
    """A generator that raises half-way leaves the registry as it was."""

    def failing() -> Any:
        yield offer("b")
        raise OSError("half-way")

    resolver = Resolver()
    resolver.replace("manifest", [offer("a")])
    with pytest.raises(OSError, match="half-way"):
        resolver.replace("manifest", failing())
    assert sequences(resolver) == [1]


@pytest.mark.parametrize("owner", ["", "o" * 257, "a\nb", None])
def test_replace_refuses_an_invalid_owner(owner: Any) -> None:
    """The owner is a name."""
    with pytest.raises(ValueError, match=r"^owner .* is not a valid name"):
        Resolver().replace(owner, [offer()])


def test_states_count_all_six_domains_from_the_start() -> None:
    """A domain without candidates counts nothing, but counts."""
    domains = ("adapter", "service", "task", "event", "workflow", "action")
    expected = [CandidateCount(domain=domain, active=0, shadowed=0) for domain in domains]
    assert Resolver().states() == expected


def test_states_count_active_and_shadowed() -> None:
    """Every key counts one active candidate; a custom domain keeps counting after its last one."""
    resolver = resolver_of(offer("a"), offer("b"), offer("c", key="queue"), offer(domain="custom"))
    resolver.unregister("custom", "cache")
    counts = {state.domain: (state.active, state.shadowed) for state in resolver.states()}
    assert (counts["adapter"], counts["custom"], counts["task"]) == ((2, 1), (0, 0), (0, 0))


def test_registry_stands_alone() -> None:
    """Without the facade, a registry does the same."""
    registry = CandidateRegistry()
    registry.register_candidate(offer())
    assert [candidate.provider for candidate in registry.list_active("adapter")] == ["redis"]


def test_facade_shows_the_seam_of_its_registry() -> None:
    """Both report through the observers given."""
    observers = Observers()
    resolver = Resolver(observers=observers)
    assert resolver.observers is resolver.registry.observers is observers


class Registering:
    """An observer that registers and resolves from within its receiver, in other threads too."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self.seen: list[str | None] = []

    def receiver(self, event_type: type[Event]) -> Receiver | None:
        """Want registrations."""
        return self._registered if event_type.__name__ == "Registered" else None

    def _registered(self, event: Any) -> None:
        if event.provider == "first":
            self.resolver.register(offer("second"))
            thread = threading.Thread(target=lambda: self.resolver.register(offer("third")), daemon=True)
            thread.start()
            thread.join(120)
            self.seen.append(winner_of(self.resolver))


def test_observer_may_register_from_its_receiver() -> None:
    """No lock is held while observers are told, neither against this thread nor against others."""
    resolver = Resolver()
    observer = Registering(resolver)
    resolver.observers.add(observer)
    resolver.register(offer("first"))
    assert (observer.seen, len(sequences(resolver))) == (["third"], 3)


class Lock:
    """A lock that knows how often it is held."""

    held = 0

    def __enter__(self) -> None:
        self.held += 1

    def __exit__(self, *_: object) -> None:
        self.held -= 1


class Guarded(dict[str, Any]):
    """A mapping that remembers whether the lock was held whenever it was read or changed."""

    def __init__(self, content: dict[str, Any], lock: Lock) -> None:
        super().__init__(content)
        self.lock = lock
        self.touched: list[bool] = []

    def get(self, key: str, default: Any = None) -> Any:
        """Look up."""
        self.touched.append(bool(self.lock.held))
        return super().get(key, default)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Look up or set."""
        self.touched.append(bool(self.lock.held))
        return super().setdefault(key, default)


@pytest.mark.parametrize(
    "change",
    [
        lambda resolver: resolver.register(offer("b")),
        lambda resolver: resolver.unregister("adapter", "cache", "a"),
        lambda resolver: resolver.replace("manifest", [offer("c")]),
        lambda resolver: resolver.select("adapter", "cache", "a"),
        lambda resolver: resolver.reselect(ResolverSettings(selections={"adapter": {"cache": "a"}})),
    ],
)
def test_change_holds_the_lock_from_reading_to_publishing(change: Callable[[Resolver], object]) -> None:
    """Between reading a ranking and publishing its successor, no other change can come."""
    resolver = resolver_of(offer("a"))
    lock = Lock()
    guarded = Guarded(resolver.registry._domains, lock)
    resolver.registry._domains, resolver.registry._lock.held = guarded, lock  # type: ignore[assignment]
    change(resolver)
    assert (len(guarded.touched) >= 2, all(guarded.touched)) == (True, True)


@pytest.fixture
def _eager_threads() -> Iterator[None]:
    """Let threads take turns as often as possible, so that a missing lock shows."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("_eager_threads")
def test_threads_lose_nothing() -> None:
    """Whatever several threads register, unregister and replace at once is all there, ranked and counted."""
    resolver = resolver_of(offer("base", priority=-1))
    start = threading.Barrier(6)

    def register(number: int) -> None:
        start.wait(120)
        for step in range(100):
            resolver.register(offer(f"t{number}", priority=step % 5))
            resolver.register(offer(f"g{number}", key="gone"))
            resolver.unregister("adapter", "gone", f"g{number}")
            resolver.replace(f"o{number}", [offer(f"o{number}", key="owned", metadata={"step": step // 2})])

    def resolve() -> list[Candidate | None]:
        start.wait(120)
        return [resolver.resolve("adapter", "cache") for _ in range(5000)]

    with ThreadPoolExecutor(6) as pool:
        writers = [pool.submit(register, number) for number in range(3)]
        readers = [pool.submit(resolve) for _ in range(3)]
        for writer in writers:
            writer.result(60)
        unresolved = sum(reader.result(60).count(None) for reader in readers)
    scores = [rank.score for rank in resolver.explain("adapter", "cache").ordered]
    counts = {state.domain: (state.active, state.shadowed) for state in resolver.states()}
    assert (unresolved, len(scores), scores) == (0, 301, sorted(scores, reverse=True))
    assert (counts["adapter"], len(sequences(resolver, "owned"))) == ((2, 302), 3)


@pytest.mark.usefixtures("_eager_threads")
def test_key_that_is_replaced_is_never_seen_empty() -> None:
    """While its only candidate is exchanged again and again, a key always resolves, by provider too."""
    resolver = Resolver()
    resolver.replace("manifest", [offer()])
    done = threading.Event()

    def exchange() -> None:
        try:
            for version in range(1000):
                resolver.replace("manifest", [offer(metadata={"v": version})])
        finally:
            done.set()

    missed = 0
    thread = threading.Thread(target=exchange)
    thread.start()
    while not done.is_set():
        missed += winner_of(resolver) is None or winner_of(resolver, "redis") is None
    thread.join()
    assert missed == 0


class Removing:
    """An observer that, told of the first registration, removes the key in another thread and offers it anew."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver

    def receiver(self, event_type: type[Event]) -> Receiver | None:
        """Want registrations."""
        return self._registered if event_type is Registered else None

    def _registered(self, event: Registered) -> None:
        if event.provider == "first":
            thread = threading.Thread(target=lambda: self.resolver.unregister("adapter", "cache"), daemon=True)
            thread.start()
            thread.join(120)
            self.resolver.register(offer("second"))


def test_changes_are_told_in_the_order_in_which_they_happen() -> None:
    """What happens while something is told, in whichever thread, is told to everybody after it."""
    resolver, later = Resolver(), Recorder()
    resolver.observers.add(Removing(resolver))
    resolver.observers.add(later)
    resolver.register(offer("first"))
    told = [(type(event).__name__, getattr(event, "provider", None)) for event in later.told]
    assert told == [("Registered", "first"), ("Unregistered", "first"), ("Registered", "second")]


def test_what_is_told_by_threads_side_by_side_ends_as_it_is() -> None:
    """With several threads that register and remove one key, the events are those of one history, none lost."""
    resolver, later = Resolver(), Recorder()
    resolver.observers.add(later)

    def change() -> None:
        for _ in range(200):
            resolver.register(offer("p"))
            resolver.unregister("adapter", "cache")

    threads = [threading.Thread(target=change) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    present, gone, left_over = 0, False, []
    for event in later.told:
        if isinstance(event, Registered) and gone:
            left_over.append(present)
        present += 1 if isinstance(event, Registered) else -1
        gone = isinstance(event, Unregistered) and event.key_gone
    assert (present, set(left_over), len(later.of(Registered))) == (0, {0}, 800)


def test_settings_can_be_set() -> None:
    """Assigning settings ranks by them from then on."""
    resolver = resolver_of(offer("a"), offer("b"))
    resolver.settings = ResolverSettings(selections={"adapter": {"cache": "a"}})
    assert (winner_of(resolver), resolver.settings.selection_for("adapter", "cache")) == ("a", "a")
