"""The activity stores: what they keep and what they tell."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postgres import tables
from processes import eventually
from support import Clock, Recorder, counts

from oneiric.adapters.activity import PostgresActivityStore
from oneiric.core.activity import (
    MAX_BUSY_TIMEOUT,
    MAX_NOTE_CHARS,
    ActivityStore,
    ActivityStoreError,
    DomainActivity,
    DomainActivityStore,
    MemoryActivityStore,
)
from oneiric.core.events import ActivityCount, DrainCleared, DrainStarted, Event, Paused, Resumed
from oneiric.core.names import DOMAINS, MAX_NAME_CHARS
from oneiric.core.observers import Observers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from oneiric.core.observers import Receiver


@pytest.fixture(params=["file", pytest.param("postgres", marks=pytest.mark.postgres)])
def lasting(
    request: pytest.FixtureRequest, tmp_path: Path, observers: Observers, clock: Clock
) -> Iterator[Callable[[], ActivityStore]]:
    """What opens one store, again and again: in a file, and in a database."""
    made: list[ActivityStore] = []
    if request.param == "postgres":
        server = tables(request.getfixturevalue("postgres"))

    def opened() -> ActivityStore:
        if request.param == "postgres":
            made.append(PostgresActivityStore(server, observers=observers, clock=clock))
        else:
            path = tmp_path / "state" / "activity.sqlite"
            made.append(DomainActivityStore(path, observers=observers, clock=clock, witness=tmp_path / "witness"))
        return made[-1]

    yield opened
    for store in made:
        store.close()


@pytest.fixture(params=["file", pytest.param("postgres", marks=pytest.mark.postgres), "memory"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, observers: Observers, clock: Clock
) -> Iterator[MemoryActivityStore]:
    """A store of each kind: they keep the same rules."""
    if request.param == "memory":
        yield MemoryActivityStore(observers=observers, clock=clock)
        return
    store: DomainActivityStore | PostgresActivityStore
    if request.param == "postgres":
        server = tables(request.getfixturevalue("postgres"))
        store = PostgresActivityStore(server, observers=observers, clock=clock)
    else:
        store = DomainActivityStore(tmp_path / "state" / "activity.sqlite", observers=observers, clock=clock)
    yield store
    store.close()


def test_what_nothing_is_kept_of_is_default(store: MemoryActivityStore) -> None:
    """An unknown component is neither paused nor draining, and in no list."""
    assert (store.get("task", "x"), store.all_for_domain("task"), store.snapshot()) == (DomainActivity(), {}, {})


def test_a_state_that_is_set_is_found(store: MemoryActivityStore) -> None:
    """A component's state is in every way of asking for it."""
    state = DomainActivity(paused=True, draining=True, note="why")
    store.set("task", "x", state)
    assert (store.get("task", "x"), store.all_for_domain("task"), store.snapshot()) == (
        state,
        {"x": state},
        {"task": {"x": state}},
    )


def test_a_default_state_is_not_kept(store: MemoryActivityStore) -> None:
    """Setting the default removes what was kept."""
    store.set("task", "x", DomainActivity(paused=True))
    store.set("task", "x", DomainActivity())
    assert store.snapshot() == {}


def test_what_is_handed_out_is_a_copy(store: MemoryActivityStore) -> None:
    """Changing a state that was asked for changes nothing in the store."""
    store.change("task", "x", paused=True)
    store.get("task", "x").paused = False
    assert store.get("task", "x").paused


def test_a_change_keeps_what_is_not_given(store: MemoryActivityStore) -> None:
    """Pausing, draining and noting do not touch each other."""
    store.change("task", "x", paused=True, note="why")
    store.change("task", "x", draining=True)
    assert store.change("task", "x", paused=False) == DomainActivity(paused=False, draining=True, note="why")


def test_an_empty_note_removes_the_note(store: MemoryActivityStore) -> None:
    """Clearing everything leaves nothing behind."""
    store.change("task", "x", paused=True, note="why")
    store.change("task", "x", paused=False, note="")
    assert store.snapshot() == {}


def test_each_transition_is_told_once(store: MemoryActivityStore, recorder: Recorder) -> None:
    """Every change of a flag is told, a repeat is not."""
    for flag in (True, True, False, False):
        store.change("task", "x", paused=flag)
        store.change("task", "x", draining=flag)
    told: list[Event] = [event(domain="task", key="x") for event in (Paused, DrainStarted, Resumed, DrainCleared)]
    assert recorder.told == told


def test_setting_tells_transitions_too(store: MemoryActivityStore, recorder: Recorder) -> None:
    """Replacing a state tells which flags changed by that."""
    store.set("task", "x", DomainActivity(paused=True, note="a"))
    store.set("task", "x", DomainActivity(draining=True, note="b"))
    assert recorder.told == [
        Paused(domain="task", key="x", note="a"),
        Resumed(domain="task", key="x", note="b"),
        DrainStarted(domain="task", key="x", note="b"),
    ]


def test_a_note_is_told_without_secrets_on_one_line(store: MemoryActivityStore, recorder: Recorder) -> None:
    """A secret that somebody notes does not get into an event."""
    store.change("task", "x", paused=True, note="see\nhttps://u:hush@host/path token=hush")
    assert recorder.told == [Paused(domain="task", key="x", note="see https://host/… token=***")]


def test_an_observer_may_ask_the_store(observers: Observers, store: MemoryActivityStore) -> None:
    """A transition is told after it is committed, and without any lock held."""
    seen: list[DomainActivity] = []

    class Asking:
        """Asks and changes the store when told of a pause."""

        def receiver(self, event_type: type[Event]) -> object:
            """Want pauses."""
            return self.ask if event_type is Paused else None

        def ask(self, _: Event) -> None:
            """Ask, from another thread too, and change."""
            thread = threading.Thread(target=lambda: seen.append(store.get("task", "x")))
            thread.start()
            thread.join()
            store.change("task", "x", note="seen")

    observers.add(Asking())  # type: ignore[arg-type]  # a receiver is known by its behaviour
    store.change("task", "x", paused=True)
    assert (seen, store.get("task", "x").note) == ([DomainActivity(paused=True)], "seen")


def test_the_states_count_every_domain(store: MemoryActivityStore, clock: Clock) -> None:
    """The six domains are always there, others with any activity; the oldest pause is the one that still lasts."""
    store.change("task", "first", paused=True)
    clock.advance(10)
    store.change("task", "second", paused=True, draining=True)
    clock.advance(10)
    store.change("task", "second", note="still paused since then")
    store.change("task", "first", paused=False)
    store.change("custom", "x", draining=True)
    expected = {domain: ActivityCount(domain=domain, paused=0, draining=0, oldest_pause=0.0) for domain in DOMAINS}
    expected["task"] = ActivityCount(domain="task", paused=1, draining=1, oldest_pause=1010.0)
    expected["custom"] = ActivityCount(domain="custom", paused=0, draining=1, oldest_pause=0.0)
    assert {state.domain: state for state in counts(store)} == expected


@pytest.mark.parametrize(
    ("domain", "key"), [("", "x"), ("task", ""), ("task", "a\nb"), ("t" * (MAX_NAME_CHARS + 1), "x")]
)
def test_a_wrong_name_is_refused(store: MemoryActivityStore, domain: str, key: str) -> None:
    """What cannot be a label is not kept."""
    with pytest.raises(ValueError, match="is not a valid name"):
        store.change(domain, key, paused=True)
    with pytest.raises(ValueError, match="is not a valid name"):
        store.set(domain, key, DomainActivity(paused=True))


@pytest.mark.parametrize("note", ["a" * MAX_NOTE_CHARS, "two\nlines", "ünïcode 🎉"])
def test_a_note_within_bounds_is_kept(store: MemoryActivityStore, note: str) -> None:
    """Any printable text up to the bound is a note."""
    assert store.change("task", "x", note=note).note == note


@pytest.mark.parametrize(
    ("note", "kept"),
    [
        ("a" * (MAX_NOTE_CHARS + 1), "a" * (MAX_NOTE_CHARS - 1) + "…"),
        ("\x1b[31m", "\ufffd[31m"),
        ("\0", "\ufffd"),
        ("\ud800", "\ufffd"),
        ("a\rb\u2028c", "a b c"),
    ],
)
def test_a_note_out_of_bounds_is_made_to_fit(store: MemoryActivityStore, note: str, kept: str) -> None:
    """Text that is too long is cut, and what would control a terminal is replaced, whichever way it is set."""
    assert store.change("task", "x", note=note).note == kept
    store.set("task", "y", DomainActivity(note=note))
    assert store.get("task", "y").note == kept


def test_a_note_that_is_no_text_is_refused(store: MemoryActivityStore) -> None:
    """Anything but a string is a ValueError that names it."""
    with pytest.raises(ValueError, match=r"^note 5 is not valid: it must be a string$"):
        store.change("task", "x", note=5)  # type: ignore[arg-type]


class Resuming:
    """An observer that resumes, in another thread and in its own, what was paused."""

    def __init__(self, store: MemoryActivityStore) -> None:
        self.store = store

    def receiver(self, event_type: type[Event]) -> Receiver | None:
        """Want pauses."""
        return self._paused if event_type is Paused else None

    def _paused(self, event: Paused) -> None:
        if event.note != "first":
            return
        thread = threading.Thread(target=lambda: self.store.change("task", "x", paused=False, note="second"))
        thread.start()
        thread.join(120)
        self.store.change("task", "x", paused=True, note="third")


def test_transitions_are_told_in_the_order_in_which_they_are_made(
    store: MemoryActivityStore, observers: Observers
) -> None:
    """A transition made while an earlier one is told, in whichever thread, is told to everybody after it."""
    observers.add(Resuming(store))
    later = Recorder()
    observers.add(later)
    store.change("task", "x", paused=True, note="first")
    assert [event.note for event in later.told] == ["first", "second", "third"]  # type: ignore[attr-defined]


names = st.sampled_from(["a", "b", "ü"])
changes = st.lists(
    st.tuples(
        st.sampled_from(["task", "custom"]),
        names,
        st.fixed_dictionaries(
            {
                "paused": st.none() | st.booleans(),
                "draining": st.none() | st.booleans(),
                "note": st.none() | st.sampled_from(["", "why"]),
            }
        ),
    ),
    max_size=25,
)


@given(changes)
@settings(deadline=None, max_examples=25)
def test_any_changes_add_up(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, str, dict[str, object]]]
) -> None:
    """After any changes the store holds what a mapping would, and the transitions told sum up to it."""
    observers, recorder = Observers(), Recorder()
    observers.add(recorder)
    store = DomainActivityStore(tmp_path_factory.mktemp("activity") / "a.sqlite", observers=observers)
    model: dict[tuple[str, str], dict[str, object]] = {}
    for domain, key, change in changes:
        store.change(domain, key, **change)  # type: ignore[arg-type]  # drawn by name
        known = model.setdefault((domain, key), {"paused": False, "draining": False, "note": None})
        known.update(
            {name: value or (None if name == "note" else False) for name, value in change.items() if value is not None}
        )
    kept = {at: state for at, state in model.items() if any(state.values())}
    snapshot = {
        (domain, key): state.as_dict() for domain, keys in store.snapshot().items() for key, state in keys.items()
    }
    found = counts(store)
    store.close()
    assert (
        snapshot,
        len(recorder.of(Paused)) - len(recorder.of(Resumed)),
        len(recorder.of(DrainStarted)) - len(recorder.of(DrainCleared)),
    ) == (kept, sum(count.paused for count in found), sum(count.draining for count in found))


@given(
    st.dictionaries(
        st.sampled_from(["paused", "draining", "note", "more"]), st.none() | st.booleans() | st.text() | st.integers()
    )
)
@settings(deadline=None, max_examples=50)
def test_any_mapping_makes_an_activity(mapping: dict[str, object]) -> None:
    """An activity made of any mapping comes back the same from its own."""
    activity = DomainActivity.from_mapping(mapping)
    assert DomainActivity.from_mapping(activity.as_dict()) == activity


@pytest.mark.parametrize("seconds", [-0.1, MAX_BUSY_TIMEOUT + 0.1, float("nan")])
def test_a_wrong_busy_timeout_is_refused(tmp_path: Path, seconds: float) -> None:
    """The wait for other processes is bounded."""
    with pytest.raises(ValueError, match="busy_timeout must be from 0 to 60 seconds"):
        DomainActivityStore(tmp_path / "a.sqlite", busy_timeout=seconds)


def test_a_closed_store_answers_and_refuses_changes(lasting: Callable[[], ActivityStore]) -> None:
    """After closing, which may be done twice, reads answer what was last known and writes raise."""
    store = lasting()
    store.change("task", "x", paused=True)
    store.close()
    store.close()
    with pytest.raises(ActivityStoreError, match="the activity store is closed"):
        store.change("task", "x", paused=False)
    assert (store.get("task", "x").paused, sum(count.paused for count in counts(store))) == (True, 1)


def test_changes_of_many_threads_are_all_kept(lasting: Callable[[], ActivityStore], recorder: Recorder) -> None:
    """Threads that change different flags of one component lose nothing, and tell of it in order."""
    store = lasting()

    def toggle(flag: str) -> None:
        for turn in range(21):
            store.change("task", "x", **{flag: turn % 2 == 0})  # type: ignore[arg-type]  # by name

    threads = [threading.Thread(target=toggle, args=(flag,)) for flag in ("paused", "draining")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pauses = [type(event) for event in recorder.told if isinstance(event, Paused | Resumed)]
    assert (store.get("task", "x"), len(recorder.told)) == (DomainActivity(paused=True, draining=True), 42)
    assert pauses == [Paused, Resumed] * 10 + [Paused]


def test_what_is_changed_is_there_when_it_is_opened_again(lasting: Callable[[], ActivityStore]) -> None:
    """A pause outlives whoever made it."""
    first = lasting()
    first.change("task", "x", paused=True, note="why")
    first.close()
    assert lasting().snapshot() == {"task": {"x": DomainActivity(paused=True, note="why")}}


def test_what_one_changes_is_in_force_in_the_other(lasting: Callable[[], ActivityStore]) -> None:
    """Two that are open at a time see each other's changes, and only who made one reports it."""
    one, other = lasting(), lasting()
    one.change("task", "x", paused=True)
    eventually(lambda: other.get("task", "x").paused, what="the pause is in force in the other")
    other.change("task", "x", paused=False)
    eventually(lambda: not one.get("task", "x").paused, what="the pause is over in the one")


def test_only_who_changes_something_reports_it(lasting: Callable[[], ActivityStore], recorder: Recorder) -> None:
    """A change that another one made is no transition of one's own: transitions of all add up."""
    one, other = lasting(), lasting()
    one.change("task", "x", paused=True)
    eventually(lambda: other.get("task", "x").paused, what="the pause is in force in the other")
    other.change("task", "x", paused=True)
    assert recorder.told == [Paused(domain="task", key="x")]


def test_nothing_is_recovered_where_nothing_is_suspect(lasting: Callable[[], ActivityStore]) -> None:
    """There is nothing to decide about a state that is certain."""
    store = lasting()
    assert (store.suspicion, store.refuses) == (None, False)
    with pytest.raises(ActivityStoreError, match="nothing is suspect: there is nothing to recover"):
        store.recover("witness")
