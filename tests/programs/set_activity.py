"""Change the activity of a component in a process of its own: `set_activity.py SETTINGS DOMAIN KEY paused=1`."""

from __future__ import annotations

import sys
from typing import Any

from oneiric.core.config import load_settings
from oneiric.core.observers import Observers
from oneiric.runtime.state import activity_store_of


def main() -> None:
    """Change what the command line says."""
    path, domain, key, *flags = sys.argv[1:]
    store = activity_store_of(load_settings(path), Observers())
    wanted = dict(flag.split("=") for flag in flags)
    changes: dict[str, Any] = {name: value == "1" for name, value in wanted.items()}
    store.change(domain, key, **changes)
    store.close()


if __name__ == "__main__":
    main()
