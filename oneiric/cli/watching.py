"""Do something again and again until Ctrl-C."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import typer

from oneiric.cli import exits

if TYPE_CHECKING:
    from collections.abc import Callable

GOING_ON = frozenset({exits.NO, exits.SILENT})
"""Exit codes of errors that may be over next time."""


def repeatedly(work: Callable[[], None], *, seconds: float) -> None:
    """Do *work* now and every *seconds*; what may work next time does not end it."""
    while True:
        try:
            work()
        except typer.Exit as error:
            if error.exit_code not in GOING_ON:
                raise
        time.sleep(seconds)
