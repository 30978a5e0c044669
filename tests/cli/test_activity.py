"""The commands about pauses and drains where it is not certain what is paused."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from services import running, service

from .conftest import invoke

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from services import Service


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Yield a service that is ready."""
    with running(tmp_path_factory.mktemp("suspect")) as one:
        yield one


def test_an_operator_decides_what_is_paused(started: Service) -> None:
    """The service notices that its file was emptied, commands show both accounts and keep one, and all is logged."""
    invoke(started, "pause", "cache", "--note", "maintenance")
    os.truncate(started.state / "domain_activity.sqlite", 0)
    shown = invoke(started, "activity").stdout
    suspect = started.event("activity-state-suspect")
    assert "oneiric_activity_state_suspect 1.0" in started.metrics()
    done = invoke(started, "activity", "recover", "--from", "witness")
    asked = started.event("control-request", count=2)
    assert "\n  database: nothing is paused or draining\n  witness: adapter:cache paused\n" in shown
    assert f"the file was emptied, moved to {suspect['quarantine']}." in shown
    assert done.stdout.startswith("Recovered from the witness.\nTotal activity: paused=1 ")
    assert started.event("activity-state-recovered")["account"] == "witness"
    assert (asked["command"], asked["uid"]) == ("activity-recover", os.getuid())
    assert "oneiric_activity_state_suspect 0.0" in started.metrics()
    invoke(started, "resume", "cache")


def test_nothing_to_decide_is_an_answer(started: Service) -> None:
    """Where nothing is suspect the command says so, and fails."""
    done = invoke(started, "activity", "recover", "--from", "database")
    assert (done.exit_code, "nothing is suspect: there is nothing to recover" in done.stderr) == (1, True)


@pytest.mark.slow
def test_a_decision_needs_no_service(tmp_path: Path) -> None:
    """Without a service the command works on the files, in JSON too, and what was decided is logged."""
    with service(tmp_path) as one:
        one.run("pause", "cache")
        (one.state / "domain_activity.sqlite").unlink()
        before = json.loads(one.run("activity", "--json").stdout)
        done = one.run("activity", "recover", "--from", "database", "--json")
        after = json.loads(done.stdout)
        logged = [line for text in done.stderr.splitlines() if "event" in (line := json.loads(text))]
    held = [{"domain": "adapter", "key": "cache", "paused": True, "draining": False, "note": None}]
    suspect = before["suspect"]
    assert (suspect["reason"], suspect["accounts"]) == ("removed", {"database": [], "witness": held})
    assert (after["account"], after["suspect"], after["totals"]["paused"]) == ("database", None, 0)
    assert [line["event"] for line in logged] == ["domain-resumed", "activity-state-recovered"]
    assert (logged[-1]["account"], logged[-1]["held"]) == ("database", 0)
