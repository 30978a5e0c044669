"""Signals that no rule, panel or guide asks for, each with the reason; the check holds this list to the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

UNUSED: Mapping[str, str] = {}
"""Why nothing asks for a signal, by its name: that of a catalogue's metric or log event, or of a recording rule."""
