"""A runtime after any sequence of changes, crashes and restarts, against a simple model of it."""

from __future__ import annotations

import asyncio
import gc
import json
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from oneiric.adapters import AdapterBridge
from oneiric.core.activity import DomainActivity, DomainActivityStore
from oneiric.core.config import LayerSettings
from oneiric.core.errors import LifecycleError
from oneiric.core.lifecycle import LifecycleManager
from oneiric.core.resolution import Candidate, Resolver

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

pytestmark = pytest.mark.slow  # each starts processes

KEYS = ("cache", "queue")
PROVIDERS = ("a", "b", "sick")
"""Instances of the last one fail their health check."""

keys = st.sampled_from(KEYS)
providers = st.sampled_from(PROVIDERS)
notes = st.sampled_from((None, "why", "because"))


@dataclass(eq=False)
class Instance:
    """What a provider makes."""

    provider: str
    closed: int = 0

    def health(self) -> bool:
        """Whether it is well."""
        return self.provider != "sick"

    def close(self) -> None:
        """Count."""
        self.closed += 1


@dataclass
class Model:
    """What is expected: candidates (key, provider, priority) in their order, who serves, what is paused or drains."""

    candidates: list[tuple[str, str, int]] = field(default_factory=list)
    serving: dict[str, str] = field(default_factory=dict)
    activity: dict[str, DomainActivity] = field(default_factory=dict)

    def ranked(self, key: str) -> list[str]:
        """Return who could serve *key*, best first: by priority, and the later the better."""
        own = [(priority, place, who) for place, (of, who, priority) in enumerate(self.candidates) if of == key]
        return [who for _, _, who in sorted(own, reverse=True)]

    def winner(self, key: str, provider: str | None = None) -> str | None:
        """Return who is resolved."""
        return next((who for who in self.ranked(key) if provider in {None, who}), None)

    def state(self, key: str) -> DomainActivity:
        """Return what is known of *key*."""
        return self.activity.get(key, DomainActivity())


class Parts:
    """What a process has of a runtime, on the files in *directory*."""

    def __init__(self, directory: Path) -> None:
        self.resolver = Resolver()
        self.lifecycle = LifecycleManager(self.resolver, status_snapshot_path=directory / "status.json")
        self.store = DomainActivityStore(directory / "activity.sqlite", observers=self.resolver.observers)
        self.bridge = AdapterBridge(self.resolver, self.lifecycle, LayerSettings(), activity_store=self.store)


class RuntimeMachine(RuleBasedStateMachine):
    """Changes both the runtime and the model, and compares what they answer."""

    def __init__(self) -> None:
        super().__init__()
        gc.freeze()  # a crash collects what was made since
        self.runner = asyncio.Runner()
        self.patch = pytest.MonkeyPatch()
        self.place = Path(tempfile.mkdtemp(prefix="oneiric-machine-"))
        self.patch.setenv("XDG_STATE_HOME", str(self.place / "witness"))
        self.directory = self.place / "state"
        self.directory.mkdir()
        self.model = Model()
        self.made: list[Instance] = []
        self.parts: Parts | None = Parts(self.directory)

    def teardown(self) -> None:
        """End in order."""
        self._stop()
        self.runner.close()
        self.patch.undo()
        shutil.rmtree(self.place)
        gc.unfreeze()

    @property
    def running(self) -> Parts:
        """What runs."""
        assert self.parts is not None
        return self.parts

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def _stop(self) -> None:
        self._run(self.running.lifecycle.aclose())
        self.running.store.close()

    def _register(self, key: str, provider: str, priority: int) -> None:
        def make() -> Instance:
            self.made.append(Instance(provider))
            return self.made[-1]

        self.running.resolver.register(
            Candidate(domain="adapter", key=key, provider=provider, priority=priority, factory=make)
        )

    def _begin(self) -> None:
        """Start anew, with the same candidates; nothing serves yet, and every pause holds."""
        self.made.clear()
        self.model.serving.clear()
        self.parts = Parts(self.directory)
        for candidate in self.model.candidates:
            self._register(*candidate)

    @rule(key=keys, provider=providers, priority=st.integers(-1, 1))
    def register(self, key: str, provider: str, priority: int) -> None:
        """Register a candidate."""
        self._register(key, provider, priority)
        self.model.candidates.append((key, provider, priority))

    @rule(key=keys, provider=providers)
    def unregister(self, key: str, provider: str) -> None:
        """Unregister the candidates of a provider; an instance of it serves on."""
        kept = [candidate for candidate in self.model.candidates if candidate[:2] != (key, provider)]
        gone = self.running.resolver.unregister("adapter", key, provider)
        assert gone == len(self.model.candidates) - len(kept)
        self.model.candidates = kept

    @rule(key=keys, provider=st.none() | providers)
    def resolve(self, key: str, provider: str | None) -> None:
        """Resolve a key."""
        found = self.running.resolver.resolve("adapter", key, provider)
        assert (found and found.provider) == self.model.winner(key, provider)

    @rule(key=keys, provider=st.none() | providers)
    def swap(self, key: str, provider: str | None) -> None:
        """Swap to a provider: there must be one, and it must be well, or who served before serves on."""
        winner = self.model.winner(key, provider)
        if winner in {None, "sick"}:
            with pytest.raises(LifecycleError):
                self._run(self.running.lifecycle.swap("adapter", key, provider))
            return
        assert winner is not None
        instance = self._run(self.running.lifecycle.swap("adapter", key, provider))
        assert instance.provider == winner
        self.model.serving[key] = winner

    @rule(key=keys)
    def use(self, key: str) -> None:
        """Ask for a key: refused while it is paused or drains; who serves is kept as long as it is a candidate."""
        state, ranked, serving = self.model.state(key), self.model.ranked(key), self.model.serving.get(key)
        expected = serving if serving in ranked else next(iter(ranked), None)
        if state.paused or state.draining or expected in {None, "sick"}:
            with pytest.raises(LifecycleError):
                self._run(self.running.bridge.use(key))
            return
        assert expected is not None
        assert self._run(self.running.bridge.use(key)).instance.provider == expected
        self.model.serving[key] = expected

    @rule(key=keys, paused=st.booleans(), note=notes)
    def pause(self, key: str, paused: bool, note: str | None) -> None:
        """Pause or resume a key; without a note the old one stays."""
        self._changed(key, self.running.bridge.set_paused(key, paused, note=note), note, paused=paused)

    @rule(key=keys, draining=st.booleans(), note=notes)
    def drain(self, key: str, draining: bool, note: str | None) -> None:
        """Let a key drain, or no longer."""
        self._changed(key, self.running.bridge.set_draining(key, draining, note=note), note, draining=draining)

    def _changed(self, key: str, answer: DomainActivity, note: str | None, **changes: bool) -> None:
        before = self.model.state(key)
        values = {"paused": before.paused, "draining": before.draining, **changes}
        self.model.activity[key] = DomainActivity(**values, note=before.note if note is None else note)
        assert answer == self.model.activity[key]

    @rule()
    def restart(self) -> None:
        """End in order and start anew: every instance was closed once."""
        self._stop()
        assert [instance.closed for instance in self.made] == [1] * len(self.made)
        self._begin()

    @rule()
    def crash(self) -> None:
        """Start anew on the files as they were, of what nothing was closed."""
        image = self.place / "image"
        shutil.copytree(self.directory, image)
        self.parts = None
        gc.collect()  # lets go of the locks, as the kernel does
        shutil.rmtree(self.directory)
        image.rename(self.directory)
        self._begin()

    @invariant()
    def the_runtime_is_the_model(self) -> None:
        """Who serves and what is paused is as expected; who serves is open, and everybody else was closed once."""
        lifecycle = self.running.lifecycle
        instances = {key: lifecycle.get_instance("adapter", key) for key in KEYS}
        serving = {key: one.provider for key, one in instances.items() if one is not None}
        assert serving == self.model.serving
        assert {one for one in self.made if not one.closed} == {one for one in instances.values() if one is not None}
        assert all(one.closed <= 1 for one in self.made)
        assert {key: self.running.bridge.activity_state(key) for key in KEYS} == {
            key: self.model.state(key) for key in KEYS
        }

    @invariant()
    def the_status_file_is_whole(self) -> None:
        """The status file can be read at any time, has nothing under way, and says who serves."""
        path = self.directory / "status.json"
        entries = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        known = {entry["key"]: entry for entry in entries}
        assert not [entry for entry in entries if entry["state"] == "activating"]
        for key, provider in self.model.serving.items():
            assert known[key]["current_provider"] == provider


TestRuntime = RuntimeMachine.TestCase
TestRuntime.settings = settings(deadline=None, max_examples=25, stateful_step_count=30)
"""No sequence of changes, crashes and restarts tells the runtime from its model."""
