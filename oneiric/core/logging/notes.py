"""Log what sets nothing in the settings, one line of a kind and process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.core.config import TEXTS
from oneiric.core.logging.loggers import get_logger

if TYPE_CHECKING:
    from oneiric.core.config import OneiricSettings

_reported: dict[tuple[str, str], object] = {}


def report_notes(settings: OneiricSettings) -> None:
    """Log a warning of those of the *settings*' notes that this process has not logged. Thread-safe."""
    mine = object()  # of several threads, the one whose object is kept logs the note
    notes = [note for note in settings.setting_notes if _reported.setdefault(note, mine) is mine]
    for kind, text in TEXTS.items():
        fresh = [note for note in notes if note.kind == kind]
        if fresh:
            get_logger("oneiric.settings").warning(text.format(", ".join(note.subject for note in fresh)))
