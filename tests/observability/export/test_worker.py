"""The thread that exports: that it does what it is asked, contains what fails, and ends."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from oneiric.core import events
from oneiric.observability import OtlpOptions, PushOptions, attach
from oneiric.observability.export.worker import Worker

if TYPE_CHECKING:
    from pathlib import Path

    from support import Recorder

    from oneiric.core.observers import Observers
    from oneiric.observability.export.deadline import Deadline


@dataclass
class Doing:
    """Work that remembers how often it was done, and fails or hangs if told so."""

    done: list[bool] = field(default_factory=list)
    failure: Exception | None = None
    hangs: bool = False
    deaf: threading.Event = field(default_factory=threading.Event)
    under_way: threading.Event = field(default_factory=threading.Event)
    due: float = math.inf

    def due_in(self) -> float:
        """Return when it is due."""
        return self.due

    def do(self, *, everything: bool, deadline: Deadline) -> bool:
        """Do it."""
        self.under_way.set()
        while self.hangs and not everything:
            time.sleep(deadline.step())
        self.done.append(everything)
        if self.failure is not None:
            raise self.failure
        return True


@dataclass
class Deaf(Doing):
    """Work that hears of no deadline."""

    def do(self, *, everything: bool, deadline: Deadline) -> bool:
        """Do it once it is let."""
        del everything, deadline
        self.under_way.set()
        return self.deaf.wait()


def threads() -> list[str]:
    """Return the names of the threads of exporters."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("oneiric-")]


def test_it_does_everything_when_asked_and_at_the_end(observers: Observers) -> None:
    """Asked for a flush it does everything before that returns, and once more when it is stopped; then it is gone."""
    doing = Doing()
    worker = Worker("test", doing, observers)
    worker.start()
    worker.start()
    assert threads() == ["oneiric-test"]
    assert worker.flush(120.0)
    worker.stop()
    worker.stop()
    assert doing.done[-2:] == [True, True]
    assert threads() == []


def test_one_that_was_stopped_does_not_start_again(observers: Observers) -> None:
    """After a stop, also before a start, there is no thread any more."""
    worker = Worker("test", Doing(), observers)
    worker.stop()
    worker.start()
    assert threads() == []
    assert not worker.flush(1.0)


def test_a_failure_is_reported_and_it_goes_on(observers: Observers, recorder: Recorder) -> None:
    """What the work raises becomes a failed hook and a failed flush, and the next flush is done."""
    doing = Doing(failure=ValueError("token=hunter2"))
    worker = Worker("test", doing, observers)
    worker.start()
    assert not worker.flush(5.0)
    doing.failure = None
    assert worker.flush(120.0)
    worker.stop()
    told = set(recorder.of(events.HookFailed))
    assert told == {events.HookFailed(sink="test", error_type="ValueError", error="token=***")}


def test_stopping_hurries_what_is_under_way(observers: Observers, recorder: Recorder) -> None:
    """Work that takes its time is left a part of the time to stop, and everything is done after it."""
    doing = Doing(hangs=True)
    worker = Worker("test", doing, observers)
    worker.start()
    assert doing.under_way.wait(120)
    worker.stop(1.0)
    assert doing.done == [True]
    assert [failure.error_type for failure in recorder.of(events.HookFailed)] == ["TimeoutError"]


def test_what_cannot_be_stopped_is_left_behind(observers: Observers) -> None:
    """Work that hears of no deadline is left to itself when the time to stop is over."""
    doing = Deaf()
    worker = Worker("test", doing, observers)
    worker.start()
    assert doing.under_way.wait(120)
    worker.stop(0.3)
    assert not doing.deaf.is_set()
    doing.deaf.set()


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_attached_and_detached_exporters_leave_no_thread(protocol: str, observers: Observers, tmp_path: Path) -> None:
    """After detaching there are as many threads as before, again and again."""
    otlp = OtlpOptions(endpoint="http://127.0.0.1:1", protocol=protocol)
    push = PushOptions(textfile=tmp_path / "metrics.prom")
    for _ in range(3):
        with attach(observers, otlp=otlp, push=push):
            assert sorted(threads()) == ["oneiric-otlp", "oneiric-push"]
        assert threads() == []
