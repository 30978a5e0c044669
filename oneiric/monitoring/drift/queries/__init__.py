"""Queries judged: PromQL and LogQL against the vocabulary of the catalogue."""

from oneiric.monitoring.drift.queries.dialects import is_logql, is_open, looks_like_logql
from oneiric.monitoring.drift.queries.judge import USUAL, Context, Pace, discarding, is_about_us
from oneiric.monitoring.drift.queries.known_rule import KnownRule
from oneiric.monitoring.drift.queries.log_lines import LEVEL, STREAMS, Lines
from oneiric.monitoring.drift.queries.logs import judge_logql
from oneiric.monitoring.drift.queries.promql import judge_promql
from oneiric.monitoring.drift.queries.units import fits, is_no_share, right_for
from oneiric.monitoring.drift.queries.values import UNKNOWN, Interval, Value
from oneiric.monitoring.drift.queries.vocabulary import KUBERNETES_LABELS, Vocabulary

__all__ = [
    "KUBERNETES_LABELS",
    "LEVEL",
    "STREAMS",
    "UNKNOWN",
    "USUAL",
    "Context",
    "Interval",
    "KnownRule",
    "Lines",
    "Pace",
    "Value",
    "Vocabulary",
    "discarding",
    "fits",
    "is_about_us",
    "is_logql",
    "is_no_share",
    "is_open",
    "judge_logql",
    "judge_promql",
    "looks_like_logql",
    "right_for",
]
