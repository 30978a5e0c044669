"""Open a store in the database and schema that are given, fork, and use it in parent and child."""

from __future__ import annotations

import os
import sys
import time

from oneiric.adapters.activity import PostgresActivityStore, Server

PATIENCE = 100.0
"""Seconds that anything may take."""


def wait_for_pause(store: PostgresActivityStore, key: str) -> bool:
    """Return whether *key* gets paused."""
    deadline = time.monotonic() + PATIENCE
    while not store.get("task", key).paused and time.monotonic() < deadline:
        time.sleep(0.02)  # between looks at what another process does
    return store.get("task", key).paused


def main() -> int:
    """Return 0 where both processes see what the other one changes."""
    url, schema = sys.argv[1:]
    store = PostgresActivityStore(Server(url, schema, timeout=30.0))
    store.change("task", "before", paused=True)
    child = os.fork()
    if child == 0:
        knows = store.get("task", "before").paused
        store.change("task", "by-child", paused=True)
        knows = wait_for_pause(store, "by-parent") and knows
        store.close()
        return 0 if knows else 1
    knows = wait_for_pause(store, "by-child")
    store.change("task", "by-parent", paused=True)
    _, status = os.waitpid(child, 0)
    store.close()
    return 0 if knows and status == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
