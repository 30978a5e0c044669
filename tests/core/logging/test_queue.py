"""The queue of a sink: nobody waits, what waits is bounded, and nothing gets out of order."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from oneiric.core.logging.buffer import QueueLimits
from oneiric.core.logging.delivery import GATHERED
from oneiric.core.logging.queue import LineQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from oneiric.core.logging.buffer import EncodedLine


class Shelf:
    """A target that keeps lines, and takes none while its door is closed."""

    batch, in_memory = 100, False

    def __init__(self, *, prompt: bool = False) -> None:
        self.prompt = prompt
        self.waiting = 0
        self.kept: list[bytes] = []
        self.during: Callable[[], object] = bool
        self.refusal: Exception | None = None
        self.forgotten = 0
        self.entered, self.door = threading.Event(), threading.Event()
        self.door.set()
        self._held: list[bytes] = []

    @property
    def unwritten(self) -> int:
        """Lines that are held."""
        return len(self._held)

    def send(self, lines: Sequence[EncodedLine], wait: float) -> Exception | None:
        """Keep *lines*, after the door was opened."""
        self._held += map(bytes, lines)
        self.waiting = sum(map(len, self._held))
        self.entered.set()
        self.during()
        if self.refusal is not None:
            return self.refusal
        if self.door.is_set() or (wait and self.door.wait(wait)):
            self.kept += self._held
            self._held.clear()
            self.waiting = 0
        return None

    def forget(self) -> None:
        """Hold nothing."""
        self.forgotten += 1
        self._held.clear()
        self.waiting = 0


@pytest.fixture
def queues() -> Iterator[list[LineQueue]]:
    """The queues of a test; their threads are ended after it."""
    made: list[LineQueue] = []
    yield made
    for queue in made:
        queue.close(5.0)


@pytest.fixture
def queue(queues: list[LineQueue]) -> Callable[..., LineQueue]:
    """Make a queue."""

    def make(target: Shelf, **options: Any) -> LineQueue:
        queues.append(LineQueue(target, name="log-writer", **options))
        return queues[-1]

    return make


def closed(shelf: Shelf, queue: LineQueue) -> None:
    """Let *shelf* take one more line, and stay in the middle of it."""
    shelf.door.clear()
    shelf.entered.clear()
    queue.put(b"held")
    assert shelf.entered.wait(120)


def test_lines_come_out_in_order(queue: Callable[..., LineQueue]) -> None:
    """Whoever writes them, the lines of one thread keep their order, and each is written once."""
    for shelf in (Shelf(), Shelf(prompt=True)):
        lines = [b"%d" % number for number in range(1_000)]
        made = queue(shelf)
        for line in lines:
            made.put(line)
        assert (made.flush(120.0), shelf.kept, made.dropped) == (True, lines, 0)


def test_a_line_alone_is_written_by_whoever_logs_it(queue: Callable[..., LineQueue]) -> None:
    """Where the target takes it at once, the line is there when the call returns, and no thread was started."""
    shelf = Shelf(prompt=True)
    made = queue(shelf)
    made.put(b"one")
    assert (shelf.kept, made._writer.background.thread) == ([b"one"], None)


def test_nobody_waits_for_a_target_that_takes_nothing(queue: Callable[..., LineQueue]) -> None:
    """Lines wait while the target is blocked, a flush gives up in its time, and all come out in order in the end."""
    for shelf in (Shelf(), Shelf(prompt=True)):
        made = queue(shelf)
        closed(shelf, made)
        for number in range(100):
            made.put(b"%d" % number)
        assert made.flush(0.01) is False
        shelf.door.set()
        assert made.flush(120.0)
        assert shelf.kept == [b"held", *(b"%d" % number for number in range(100))]


@pytest.mark.parametrize(("drop", "kept"), [("oldest", [3, 4]), ("newest", [0, 1])])
def test_lines_over_the_limit_are_dropped_and_counted(
    queue: Callable[..., LineQueue], drop: Any, kept: list[int]
) -> None:
    """Of five lines where two may wait, the two newest or the two oldest are kept, as the policy says."""
    shelf = Shelf()
    made = queue(shelf, limits=QueueLimits(lines=2, drop=drop))
    closed(shelf, made)
    for number in range(5):
        made.put(b"%d" % number)
    assert (made.waiting, made.dropped) == (2, 3)
    shelf.door.set()
    assert made.flush(120.0)
    assert shelf.kept == [b"held", *(b"%d" % number for number in kept)]


@pytest.mark.parametrize(("size", "dropped"), [(12, 0), (11, 1)])
def test_bytes_over_the_limit_are_dropped(queue: Callable[..., LineQueue], size: int, dropped: int) -> None:
    """Two lines of six bytes wait where twelve bytes may; with one byte less the older one goes."""
    shelf = Shelf()
    made = queue(shelf, limits=QueueLimits(size=size))
    closed(shelf, made)
    made.put(b"first.")
    made.put(b"second")
    assert (made.waiting, made.dropped) == (2 - dropped, dropped)
    shelf.door.set()


def test_a_line_over_the_whole_limit_drops_no_other(queue: Callable[..., LineQueue]) -> None:
    """What can never fit is dropped itself."""
    shelf = Shelf()
    made = queue(shelf, limits=QueueLimits(size=5))
    closed(shelf, made)
    made.put(b"short")
    made.put(b"longer")
    assert (made.waiting, made.dropped) == (1, 1)
    shelf.door.set()


def test_what_waits_is_bounded_among_threads(queue: Callable[..., LineQueue]) -> None:
    """However many threads log into a blocked target, only so many lines wait, and each is kept or counted."""
    shelf = Shelf(prompt=True)
    made = queue(shelf, limits=QueueLimits(lines=50))
    closed(shelf, made)

    def log() -> None:
        for _ in range(1_000):
            made.put(b"x")

    threads = [threading.Thread(target=log) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made._lines) + len(made._incoming) <= 50 + 5 * GATHERED
    assert (made.waiting, made.dropped) == (50, 3_950)
    shelf.door.set()


@pytest.mark.parametrize("prompt", [True, False])
def test_a_line_put_in_the_middle_of_another_is_taken_along(queue: Callable[..., LineQueue], prompt: bool) -> None:
    """What a finaliser or a signal handler logs while its own thread writes comes after that."""
    shelf = Shelf(prompt=prompt)
    made = queue(shelf)
    inner = [b"inner 1", b"inner 2"]

    def log() -> None:
        if inner:
            made.put(inner.pop(0))

    shelf.during = log
    made.put(b"outer")
    assert made.flush(120.0)
    assert shelf.kept == [b"outer", b"inner 1", b"inner 2"]


@pytest.mark.parametrize("prompt", [True, False])
def test_a_line_put_in_the_middle_of_accounting_is_not_lost(queue: Callable[..., LineQueue], prompt: bool) -> None:
    """A call that interrupts another one in its own thread leaves its line, and all others, to that."""
    made = queue(shelf := Shelf(prompt=prompt))
    backlog = made._buffer
    with backlog._lock:
        backlog.incoming.append(b"outer")
        backlog._inside = True
        assert made.entered
        assert made.flush(5.0) is False
        made.put(b"inner")
        assert (list(backlog.lines), list(backlog.incoming), shelf.kept) == ([], [b"outer", b"inner"], [])
        backlog._inside = False
    assert made.flush(120.0)
    assert shelf.kept == [b"outer", b"inner"]


def test_what_an_interrupt_leaves_behind_can_be_written(queue: Callable[..., LineQueue]) -> None:
    """A target that is interrupted in the middle, by Ctrl-C for instance, costs no later line."""
    shelf = Shelf(prompt=True)
    made = queue(shelf)

    def interrupt() -> NoReturn:
        shelf.during = bool
        raise KeyboardInterrupt

    shelf.during = interrupt
    with pytest.raises(KeyboardInterrupt):
        made.put(b"interrupted")
    made.put(b"next")
    assert made.flush(120.0)
    assert shelf.kept[-1] == b"next"


@pytest.mark.parametrize("prompt", [True, False])
def test_a_refusal_is_told_and_tried_again_with_the_next_line(queue: Callable[..., LineQueue], prompt: bool) -> None:
    """A full disk keeps lines waiting; each attempt is told, and once there is room all are written."""
    told: list[Exception] = []
    shelf = Shelf(prompt=prompt)
    shelf.refusal = refusal = OSError("full")
    made = queue(shelf, on_error=told.append)
    made.put(b"one")
    assert made.flush(5.0) is False
    shelf.refusal = None
    made.put(b"two")
    assert made.flush(120.0)
    assert (shelf.kept, {*told}) == ([b"one", b"two"], {refusal})


def test_a_target_that_raises_costs_nobody_anything_but_the_lines(queue: Callable[..., LineQueue]) -> None:
    """Whatever a target raises is told like a failure, and the thread lives on."""
    told: list[Exception] = []
    shelf = Shelf()
    broken = RuntimeError("broken")

    def fail() -> NoReturn:
        shelf.during = bool
        raise broken

    shelf.during = fail
    made = queue(shelf, on_error=told.append)
    made.put(b"one")
    made.flush(120.0)
    made.put(b"two")
    assert made.flush(120.0)
    assert (told, shelf.kept[-1]) == ([broken], b"two")


def test_closing_ends_the_thread_and_a_later_line_starts_another(queue: Callable[..., LineQueue]) -> None:
    """No thread is left behind, and nothing is lost that comes after."""
    made = queue(shelf := Shelf())
    for line in (b"one", b"two"):
        made.put(line)
        assert made.close(5.0)
        assert made._writer.background.thread is None
    assert shelf.kept == [b"one", b"two"]


def test_a_thread_that_ends_leaves_alone_the_one_that_followed_it(
    queue: Callable[..., LineQueue], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that comes while a thread ends starts another, which closing then ends too."""
    made = queue(shelf := Shelf())
    ends, late = made._writer._ends, [b"two"]

    def end_and_be_followed() -> bool:
        ended = ends()
        if ended and late:
            made.put(late.pop())
        return ended

    monkeypatch.setattr(made._writer, "_ends", end_and_be_followed)
    made.put(b"one")
    assert made.close(5.0)
    follower = made._writer.background.thread
    assert follower is not None
    assert made.close(5.0)
    assert (follower.is_alive(), shelf.kept) == (False, [b"one", b"two"])


def test_a_thread_can_be_told_to_end_before_it_runs(
    queue: Callable[..., LineQueue], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing while somebody else is about to start the thread raises nothing, and the thread ends."""
    made = queue(shelf := Shelf())
    start, broken = threading.Thread.start, []

    def close_and_start(thread: threading.Thread) -> None:
        try:
            made.close(0.01)
        except RuntimeError as error:
            broken.append(error)
        start(thread)
        thread.join(120)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", close_and_start)
        made.put(b"one")
    assert (broken, shelf.kept, made._writer.background.thread) == ([], [b"one"], None)


def test_a_thread_that_an_interrupt_kept_from_starting_is_none(
    queue: Callable[..., LineQueue], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After Ctrl-C in the middle of starting the thread, the next line starts one."""

    def interrupt(_thread: threading.Thread) -> NoReturn:
        raise KeyboardInterrupt

    made = queue(shelf := Shelf())
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupt)
        with pytest.raises(KeyboardInterrupt):
            made.put(b"one")
    made.put(b"two")
    assert made.flush(120.0)
    assert shelf.kept == [b"one", b"two"]


def test_closing_a_blocked_target_gives_up_and_keeps_what_waits(queue: Callable[..., LineQueue]) -> None:
    """The thread ends all the same, and a later line brings out what waited."""
    shelf = Shelf()
    made = queue(shelf)
    closed(shelf, made)
    made.put(b"one")
    assert made.close(0.01) is False
    assert made._writer.background.thread is None
    shelf.door.set()
    made.put(b"two")
    assert made.flush(120.0)
    assert shelf.kept == [b"held", b"one", b"two"]


def test_what_waits_when_closing_gives_up_is_counted_until_it_is_written(queue: Callable[..., LineQueue]) -> None:
    """Each line is written, dropped or given up, and never two of these."""
    shelf = Shelf()
    made = queue(shelf, limits=QueueLimits(lines=3))
    closed(shelf, made)
    for line in (b"one", b"two", b"three"):
        made.put(line)
    assert (made.abandoned, made.close(0.01), made.dropped, made.abandoned) == (0, False, 0, 4)
    made.put(b"four")
    assert (made.waiting, made.dropped, made.abandoned) == (3, 1, 3)
    shelf.door.set()
    assert made.flush(120.0)
    assert (len(shelf.kept), made.dropped, made.abandoned) == (4, 1, 0)
    assert made.close(5.0)
    assert made.abandoned == 0


@pytest.mark.parametrize("prompt", [True, False])
def test_without_a_thread_whoever_logs_hands_over_what_is_taken(queue: Callable[..., LineQueue], prompt: bool) -> None:
    """At the end of the process lines are written as far as they are taken at once, and nobody waits for the rest."""
    shelf = Shelf(prompt=prompt)
    made = queue(shelf)
    made.end()
    made.put(b"one")
    shelf.door.clear()
    made.put(b"two")
    assert (made.flush(60.0), shelf.kept, made._writer.background.thread) == (False, [b"one"], None)
    shelf.door.set()
    made.put(b"three")
    assert shelf.kept == [b"one", b"two", b"three"]


def test_where_no_thread_can_be_had_lines_are_written_all_the_same(
    queue: Callable[..., LineQueue], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process at its limit of threads logs nevertheless."""

    def refuse(_thread: threading.Thread) -> NoReturn:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    made = queue(shelf := Shelf())
    for line in (b"one", b"two"):
        made.put(line)
    assert shelf.kept == [b"one", b"two"]


def test_a_forked_child_begins_empty(queue: Callable[..., LineQueue]) -> None:
    """What waits in the parent, its thread and its locks are not the child's; a thread that is not known ends."""
    shelf = Shelf()
    made = queue(shelf)
    closed(shelf, made)
    made.put(b"the parent's")
    thread = made._writer.background.thread
    made.renew()
    assert (shelf.forgotten, made.waiting, made.dropped) == (1, 0, 0)
    shelf.door.set()
    made.put(b"the child's")
    assert made.flush(120.0)
    assert (shelf.kept[-1], b"the parent's" in shelf.kept, made._writer.background.thread is thread) == (
        b"the child's",
        False,
        False,
    )
    assert thread is not None
    thread.join(120)
    assert not thread.is_alive()


def test_something_can_be_done_while_nobody_writes(queue: Callable[..., LineQueue]) -> None:
    """A file is closed in no one's hands; while somebody writes, it is left alone."""
    shelf = Shelf()
    made = queue(shelf)
    done: list[int] = []
    assert made.exclusively(lambda: done.append(1))
    closed(shelf, made)
    assert not made.exclusively(lambda: done.append(2))
    shelf.door.set()
    assert made.flush(120.0)
    assert done == [1]
