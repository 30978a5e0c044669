"""Change the activity of a component in a process of its own: `set_activity.py FILE DOMAIN KEY paused=1 draining=0`."""

from __future__ import annotations

import sys
from typing import Any

from oneiric.core.activity import DomainActivityStore


def main() -> None:
    """Change what the command line says."""
    path, domain, key, *flags = sys.argv[1:]
    store = DomainActivityStore(path, busy_timeout=30.0)
    wanted = dict(flag.split("=") for flag in flags)
    changes: dict[str, Any] = {name: value == "1" for name, value in wanted.items()}
    store.change(domain, key, **changes)
    store.close()


if __name__ == "__main__":
    main()
