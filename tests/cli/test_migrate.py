"""The command that makes the tables which replicas share, and how settings of theirs are shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from postgres import PATIENCE
from services import service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from postgres import Postgres
    from services import Service

pytestmark = [pytest.mark.postgres, pytest.mark.slow]  # each starts processes


@pytest.fixture
def shared(postgres: Postgres, tmp_path: Path) -> Iterator[Service]:
    """A service whose settings name a database without tables."""
    activity = {"url": postgres.url("postgres"), "database_schema": "migrated", "timeout": PATIENCE / 4}
    with service(tmp_path, activity=activity) as one:
        yield one
    postgres.run("DROP SCHEMA IF EXISTS migrated CASCADE")


def test_the_tables_are_made_and_then_found(shared: Service) -> None:
    """The command says what it did, as JSON too."""
    first, second = shared.run("settings", "migrate"), shared.run("settings", "migrate", "--json")
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == "The tables in the schema migrated were made: version 2\n"
    assert json.loads(second.stdout) == {"schema_version": 1, "schema": "migrated", "before": 2, "after": 2}


def test_a_service_without_tables_ends_with_one_line(shared: Service) -> None:
    """It says which database, what is missing, and what to do."""
    done = shared.run("orchestrate")
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert line.startswith("oneiric: activity.url: database postgres at ")
    assert line.endswith("make them with 'oneiric settings migrate', or set activity.migrate_at_start")


def test_commands_without_a_service_work_on_the_database(shared: Service) -> None:
    """A pause is made in the database, whether or not a service runs here."""
    shared.run("settings", "migrate")
    assert shared.run("pause", "cache", "--note", "moves").returncode == 0
    assert "moves" in shared.run("activity").stdout


def test_a_file_needs_no_migration(tmp_path: Path) -> None:
    """Without activity.url the command is used wrongly, and says why."""
    with service(tmp_path) as one:
        done = one.run("settings", "migrate")
    assert done.returncode == 2
    assert "activity.url: is not set" in done.stderr


def test_an_unreachable_database_is_said_with_what_was_last_known(shared: Service) -> None:
    """Who asks what is paused is not made to believe that nothing is."""
    shared.save({"activity": {"url": f"postgresql:///x?host={shared.directory}", "timeout": 1.0}})
    done, answer = shared.run("activity"), shared.run("activity", "--json")
    begin = f"Only what was last known, maybe nothing: activity.url: database x at {shared.directory}"
    assert done.stdout.startswith(begin)
    assert json.loads(answer.stdout)["unreachable"].startswith("activity.url: database x")


@pytest.mark.parametrize("command", ["settings show", "settings check", "settings migrate", "activity"])
def test_no_command_shows_the_password(tmp_path: Path, command: str) -> None:
    """Neither settings nor errors of an unreachable server tell it."""
    url = "postgresql://me:secr3t@127.0.0.1:9/x?password=secr3t"
    with service(tmp_path, activity={"url": url}) as one:
        done = one.run(*command.split())
    assert "secr3t" not in done.stdout + done.stderr
