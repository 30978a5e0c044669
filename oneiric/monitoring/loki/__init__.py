"""LogQL read and answered, and the log pipeline of the bundle: Loki, Alloy and Promtail."""

from oneiric.monitoring.loki.grammar import parse, parse_all
from oneiric.monitoring.loki.measurement import measure
from oneiric.monitoring.loki.selection import select
from oneiric.monitoring.loki.syntax import LogQLError, walk

__all__ = ["LogQLError", "measure", "parse", "parse_all", "select", "walk"]
