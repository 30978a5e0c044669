"""Processes that fork with an open store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from postgres import tables
from processes import run_program

if TYPE_CHECKING:
    from postgres import Postgres


pytestmark = pytest.mark.postgres


def test_a_forked_child_has_connections_of_its_own(postgres: Postgres) -> None:
    """Parent and child go on to change and to follow the same store, and none disturbs the other's connections."""
    server = tables(postgres)
    done = run_program("postgres_fork.py", server.url, server.schema)
    assert done.returncode == 0, done.stderr
