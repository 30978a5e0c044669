"""Run the `oneiric` command, and interrupt it as Ctrl-C does at its N-th import: NAME N ARGUMENT..."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from typing import Any

name, at, *arguments = sys.argv
imports = itertools.count(1)


def interrupt(event: str, _: Any) -> None:
    """Send the signal when it is time to."""
    if event == "import" and next(imports) == int(at):
        os.kill(os.getpid(), signal.SIGINT)


signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has it ignored in what it runs in the background
sys.argv = ["oneiric", *arguments]
sys.addaudithook(interrupt)

from oneiric.cli import main  # noqa: E402 - its imports are counted

main()
