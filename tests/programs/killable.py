"""Starts the service of the tests again and again, as often as a line comes in; whoever asked kills it.

python killable.py SETTINGS LOG

Each line of input starts a service in a child, which is quick as everything is imported already; its process id is a
line of output, and so is its end.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from oneiric.runtime.program import Program, run_service


def serve(settings: Path, log: Path) -> None:
    """Be the service until the end."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    run_service(
        Program(config=settings, imports=("components",)),
        manifest_url=None,
        refresh_interval=None,
        enable_remote=False,
    )


def main(settings: Path, log: Path) -> None:
    """Start one service a line."""
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                serve(settings, log)
            finally:
                os._exit(0)
        say(str(child))
        os.waitpid(child, 0)
        say("ended")


def say(text: str) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
