"""The rules that the bundle has: what files may rely on where no rule file is among them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from oneiric.monitoring.bundle import prometheus
from oneiric.monitoring.config import BundleConfig
from oneiric.monitoring.drift.documents.rules import read_rules
from oneiric.monitoring.drift.queries import discarding
from oneiric.monitoring.notation.text import Piece, Source
from oneiric.monitoring.notation.yaml import read_yaml

if TYPE_CHECKING:
    from oneiric.monitoring.drift.queries import Context, KnownRule
    from oneiric.monitoring.notation.nodes import Node


def shipped_rules(context: Context) -> list[KnownRule]:
    """Return the rules of the bundle with its default settings."""
    return [rule.known() for node in _documents() for rule in read_rules(node, discarding(context), is_for_loki=False)]


@cache
def _documents() -> tuple[Node, ...]:
    files = prometheus.files(BundleConfig())
    return tuple(node for path, text in files.items() for node in read_yaml(Piece.whole(Source(path, text))))
