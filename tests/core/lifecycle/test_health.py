"""How health is asked, judged, told and remembered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from lifecycle_support import Bench, Gate, Part, until
from support import Clock

from oneiric.core.events import ComponentState, HealthCheck, HealthRecovered, Swap
from oneiric.core.lifecycle import LifecycleError, LifecycleManager, LifecycleSafetyOptions
from oneiric.core.observers import Observers
from oneiric.core.resolution import Candidate, Resolver

if TYPE_CHECKING:
    from support import Recorder


class Patient(Part):
    """A part whose health is whatever is said; an error is raised."""

    def __init__(self, answer: Any = True) -> None:
        super().__init__()
        self.answer = answer

    def health(self) -> Any:
        """Return or raise the answer."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def checks(recorder: Recorder) -> list[tuple[str, str, str, str]]:
    """Return phase, name, outcome and reason of every check."""
    return [
        (ended.operation.phase, ended.operation.check, ended.outcome, ended.reason)
        for ended in recorder.endings(HealthCheck)
        if isinstance(ended.operation, HealthCheck)
    ]


FAILURES = [
    (False, "false"),
    (ValueError("ill"), "raised"),
    (None, "not_bool"),
    (0, "not_bool"),
    (1, "not_bool"),
    ("yes", "not_bool"),
]


@pytest.mark.parametrize(("answer", "reason"), FAILURES)
async def test_only_true_passes(answer: object, reason: str) -> None:
    """A check that does not answer True fails the swap, and its operation says why."""
    bench = Bench()
    old, new = await bench.serve(), Patient(answer)
    bench.register(lambda: new)
    with pytest.raises(LifecycleError):
        await bench.swap()
    swap = bench.recorder.endings(Swap)[-1]
    assert (checks(bench.recorder), swap.reason) == ([("swap", "health", "failed", reason)], "health")
    assert (bench.instance, old.closed, new.closed) == (old, 0, 1)


async def test_the_error_says_which_type_was_answered() -> None:
    """A check that forgets its return statement is told that it answered NoneType."""
    bench = Bench()
    bench.register(lambda: Patient(None))
    text = r"^Health check health of adapter:cache \(new\) answered NoneType, not a bool$"
    with pytest.raises(LifecycleError, match=text):
        await bench.swap()


async def test_a_check_that_raises_is_the_cause() -> None:
    """The swap's error has what the check raised as its cause, and the status its text."""
    bench, error = Bench(), ValueError("ill")
    bench.register(lambda: Patient(error))
    with pytest.raises(LifecycleError, match=r"^Swap failed for adapter:cache \(new\)$") as caught:
        await bench.swap()
    assert (caught.value.__cause__, bench.status.last_error) == (error, "ill")


@pytest.mark.parametrize(("answer", "reason"), FAILURES)
async def test_force_ignores_a_failing_check(answer: object, reason: str) -> None:
    """A forced swap goes on, and the failure is told nevertheless."""
    bench = Bench()
    bench.register(lambda: Patient(answer))
    new = await bench.swap(force=True)
    assert (bench.instance, checks(bench.recorder)) == (new, [("swap", "health", "failed", reason)])
    assert (bench.status.state, bench.recorder.endings(Swap)[-1].outcome) == ("ready", "success")


async def test_the_candidate_is_asked_before_the_instance() -> None:
    """Both checks run, each told by its name."""
    bench = Bench()
    bench.register(Patient, health=lambda: True)
    await bench.swap()
    assert checks(bench.recorder) == [("swap", "candidate", "success", ""), ("swap", "health", "success", "")]


@pytest.mark.parametrize("names", [["health", "ready"], ["check_health", "ready"], ["ready"], ["is_healthy"]])
async def test_the_first_health_method_is_asked(names: list[str]) -> None:
    """Of health, check_health, ready and is_healthy, only the first that an instance has is asked, sync or async."""

    async def check() -> bool:
        await asyncio.sleep(0)
        return True

    bench = Bench()
    bench.register(type("Instance", (), {name: staticmethod(check) for name in reversed(names)}))
    await bench.swap()
    assert [check[1] for check in checks(bench.recorder)] == names[:1]


async def test_an_attribute_that_cannot_be_called_is_no_check() -> None:
    """A plain attribute named ready says nothing."""
    bench = Bench()
    bench.register(type("Instance", (), {"ready": False}))
    await bench.swap()
    assert checks(bench.recorder) == []


@pytest.mark.parametrize("in_thread", [True, False])
async def test_a_hanging_async_check_times_out(in_thread: bool) -> None:
    """An asynchronous check that does not answer in time has failed, and is cancelled."""
    bench, gate = Bench(safety=LifecycleSafetyOptions(health_timeout=0.01, sync_in_thread=in_thread)), Gate()
    instance = type("Instance", (), {"health": staticmethod(gate.wait_async)})()
    bench.register(lambda: instance)
    with pytest.raises(LifecycleError, match=r"^health adapter:cache timed out after 0\.01s$"):
        await bench.swap()
    assert checks(bench.recorder) == [("swap", "health", "failed", "timeout")]
    assert (bench.recorder.endings(Swap)[-1].reason, gate.left.is_set()) == ("timeout", False)


async def test_a_hanging_sync_check_times_out() -> None:
    """A synchronous check that blocks does not block the loop; forced, the swap goes on."""
    bench, gate = Bench(safety=LifecycleSafetyOptions(health_timeout=0.01)), Gate()
    instance = type("Instance", (), {"health": staticmethod(gate.wait)})()
    bench.register(lambda: instance)
    assert await bench.swap(force=True) is instance
    assert checks(bench.recorder) == [("swap", "health", "failed", "timeout")]
    gate.opened.set()
    await until(lambda: not bench.manager._calls.hanging)


async def test_a_probe_asks_who_serves() -> None:
    """A probe checks the instance and the candidate that serve, not those that the resolver would prefer now."""
    bench = Bench()
    served = Patient()
    bench.register(lambda: served, provider="old")
    await bench.swap("old")
    bench.register(Part, provider="new", health=lambda: False, priority=100)
    assert await bench.manager.probe_instance_health("adapter", "cache") is True
    last = bench.recorder.endings(HealthCheck)[-1].operation
    assert last == HealthCheck(domain="adapter", key="cache", provider="old", phase="probe", check="health")


@pytest.mark.parametrize(("answer", "reason"), FAILURES)
async def test_a_failing_probe_answers_false(answer: object, reason: str) -> None:
    """A check's failure is an answer, never an exception, and does not end what serves."""
    bench, patient = Bench(), Patient()
    await bench.serve(patient)
    patient.answer = answer
    assert await bench.manager.probe_instance_health("adapter", "cache") is False
    assert (checks(bench.recorder)[-1], bench.instance) == (("probe", "health", "failed", reason), patient)
    assert bench.status.state == "ready"


async def test_a_probe_that_times_out_answers_false() -> None:
    """A hanging probe is told as timed out under its own label."""
    bench, gate, patient = Bench(safety=LifecycleSafetyOptions(health_timeout=0.01)), Gate(), Patient()
    await bench.serve(patient)
    patient.answer = True
    patient.health = gate.wait_async  # type: ignore[method-assign]
    assert await bench.manager.probe_instance_health("adapter", "cache") is False
    assert bench.recorder.endings(HealthCheck)[-1].error == "health probe adapter:cache timed out after 0.01s"


async def test_a_cancelled_probe_counts_as_nothing() -> None:
    """A probe that is cancelled ends as cancelled and leaves the last result as it was."""
    bench, gate, patient = Bench(), Gate(), Patient()
    await bench.serve(patient)
    before = list(bench.manager.states())
    patient.health = gate.wait_async  # type: ignore[method-assign]
    probe = asyncio.create_task(bench.manager.probe_instance_health("adapter", "cache"))
    await until(gate.entered.is_set)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    assert (checks(bench.recorder)[-1], list(bench.manager.states())) == (
        ("probe", "health", "cancelled", "cancelled"),
        before,
    )


async def test_a_probe_of_what_was_swapped_out_meanwhile_is_not_remembered() -> None:
    """A slow probe of what no longer serves ends as cancelled, counts as nothing and has no answer."""
    bench, gate, patient = Bench(), Gate(), Patient()
    await bench.serve(patient)

    async def slow() -> bool:
        await gate.wait_async()
        return False

    patient.health = slow  # type: ignore[method-assign]
    probe = asyncio.create_task(bench.manager.probe_instance_health("adapter", "cache"))
    await until(gate.entered.is_set)
    bench.register(Patient)
    await bench.swap()
    gate.opened.set()
    assert (await probe, checks(bench.recorder)[-1]) == (None, ("probe", "health", "cancelled", "overtaken"))
    assert [state.healthy for state in bench.manager.states() if isinstance(state, ComponentState)] == [True]


class Ward:
    """A manager on two clocks, with one patient."""

    def __init__(self) -> None:
        self.epoch, self.ticks = Clock(5000.0), Clock()
        observers = Observers(clock=self.ticks)
        resolver = Resolver(observers=observers)
        self.manager = LifecycleManager(resolver, clock=self.epoch, safety=LifecycleSafetyOptions(sync_in_thread=False))
        self.patient = Patient()
        resolver.register(Candidate(domain="adapter", key="cache", provider="p", factory=lambda: self.patient))
        resolver.register(Candidate(domain="adapter", key="cache", provider="quiet", factory=Part))

    async def probe(self, answer: object, *, after: float = 0.0) -> None:
        """Let time pass and probe."""
        self.epoch.advance(after)
        self.ticks.advance(after)
        self.patient.answer = answer
        await self.manager.probe_instance_health("adapter", "cache")

    @property
    def state(self) -> list[ComponentState]:
        """The state of every component."""
        return [state for state in self.manager.states() if isinstance(state, ComponentState)]


async def test_recovery_is_told_once_with_the_time_it_took(recorder: Recorder) -> None:
    """The first check that passes after failing ones tells for how long the component was failing."""
    ward = Ward()
    ward.manager.observers.add(recorder)
    await ward.manager.activate("adapter", "cache", "p")
    await ward.probe(False, after=1)
    await ward.probe(False, after=10)
    await ward.probe(True, after=5)
    await ward.probe(True, after=1)
    assert recorder.of(HealthRecovered) == [
        HealthRecovered(domain="adapter", key="cache", provider="p", down_seconds=15.0)
    ]


async def test_the_last_check_is_a_state() -> None:
    """Whether the last check passed, and when it was, can be read."""
    ward = Ward()
    await ward.manager.activate("adapter", "cache", "p")
    await ward.probe(False, after=7)
    assert ward.state == [ComponentState(domain="adapter", key="cache", provider="p", healthy=False, checked_at=5007.0)]


async def test_a_successor_without_checks_has_no_health() -> None:
    """What cannot be asked is neither healthy nor not, whatever its predecessor was."""
    ward = Ward()
    await ward.manager.activate("adapter", "cache", "p")
    await ward.probe(False)
    await ward.manager.activate("adapter", "cache", "quiet")
    assert ward.state == [ComponentState(domain="adapter", key="cache", provider="quiet")]


async def test_a_probe_is_taken_down_in_the_status() -> None:
    """last_health_at is the time of the last probe."""
    ward = Ward()
    await ward.manager.activate("adapter", "cache", "p")
    await ward.probe(True, after=60)
    status = ward.manager.get_status("adapter", "cache")
    assert status is not None
    assert status.as_dict()["last_health_at"] == "1970-01-01T01:24:20+00:00"
