"""LogQL read and answered, and the log pipeline of the bundle: Loki, Alloy and Promtail."""

from oneiric.monitoring.loki.grammar import parse, parse_all
from oneiric.monitoring.loki.syntax import LogQLError, walk

__all__ = ["LogQLError", "parse", "parse_all", "walk"]
