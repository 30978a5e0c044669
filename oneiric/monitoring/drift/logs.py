"""Queries in LogQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.drift.values import UNKNOWN

if TYPE_CHECKING:
    from oneiric.monitoring.drift.query import Context
    from oneiric.monitoring.drift.text import Piece
    from oneiric.monitoring.drift.values import Value


def judge_logql(piece: Piece, context: Context) -> Value:
    """Report what is wrong with the query *piece*, and return what is known of its result."""
    del piece, context
    return UNKNOWN
