"""Which language a query is in: PromQL, LogQL, or what newer versions and other servers read beside them."""

from __future__ import annotations

import re

from oneiric.monitoring.notation.logql import LogQLError, parse_all
from oneiric.monitoring.notation.promql import STRING, QueryError, parse

OPEN = re.compile(r"<\w[\w .|/-]*>|\.\.\.|…|\{\{|\{%|%\(\w+\)|__[A-Z][A-Z_]+__")
"""What stands for a part that a reader, or a template, puts in."""

_FURTHER = re.compile(
    r"\b(?:default|if|ifnot|keep_metric_names|smoothed|anchored)\b|\blimit\s+\d|\bWITH\s*\(|\bfill(?:_left|_right)?\s*\("
    r"|\b\d+(?:\.\d+)?[KMGT]i?\b|\[[^\]]*(?:\di\b|[+*/(])[^\]]*\]"
)
"""Operators, modifiers, numbers and windows of MetricsQL, and of experiments in Prometheus."""

_FURTHER_FUNCTIONS = re.compile(
    r"\b(?:range_\w+|rollup\w*|running_\w+|aggr_over_time|buckets_limit|bitmap_\w+|label_\w+|labels_equal|alias|union"
    r"|prometheus_buckets|share_\w+|count_\w+_over_time|sum_\w+_over_time|sum2(?:_over_time)?|increase_\w+|rate_\w+"
    r"|delta_prometheus|deriv_fast|ideriv|integrate|lag|lifetime|scrape_interval|tfirst_over_time|tlast_\w+|tmax_over_time"
    r"|tmin_over_time|timestamp_with_name|tr?unc|median\w*|mode_over_time|distinct\w*|duration_over_time|hoeffding_\w+"
    r"|holt_winters|histogram\w*|quantiles\w*|outlier\w*|zscore\w*|zero_\w+|stale_samples_over_time|geomean\w*|ascent_over_time"
    r"|decreases_over_time|increases_over_time|descent_over_time|drop_\w+|interpolate|keep_\w+|limit_offset|mad\w*|any|first"
    r"|now|ru|ttf|rand\w*|remove_resets|smooth_exponential|sort_by_\w+|start|end|step|range|topk_\w+|bottomk_\w+|vmrange\w*"
    r"|ts_of_\w+|first_over_time|info|iqr\w*|hour_\w+|week_\w+|year_\w+|changes_prometheus|candlestick|absent_\w+|timezone_offset"
    r"|linear_regression|day_of_year|min_of|max_of|from_unixtime|step_\w+|resets_\w+)\s*\("
)
"""Functions of MetricsQL, and those that are, or were, experiments in Prometheus."""


def is_open(text: str) -> bool:
    """Whether a part of the query *text* is left for a reader, or a template, to put in."""
    return OPEN.search(text) is not None


def is_read_elsewhere(text: str) -> bool:
    """Whether the query *text*, which is no PromQL here, has what newer versions or servers like Prometheus read."""
    bare = re.sub(rf"{STRING}|#[^\n]*", '""', text)
    return _FURTHER.search(bare) is not None or _FURTHER_FUNCTIONS.search(bare) is not None


def looks_like_logql(text: str) -> bool:
    """Whether *text* has a selector, and a pipe outside of strings, or filters of lines: PromQL has neither."""
    bare = re.sub(STRING, '""', text)
    return ("|" in bare and "{" in bare) or re.search(r'\}\s*(?:!=|!~)\s*""', bare) is not None


def is_logql(text: str, *, is_for_loki: bool = False) -> bool:
    """Whether a rule's query *text* is one for Loki; *is_for_loki* decides where it can be read either way."""
    if looks_like_logql(text):
        return True
    if not re.search(r"(?:^|[^\w:\s])\s*\{", text):
        return False
    if _is_read_as_logql(text):
        return is_for_loki or not _is_read_as_promql(text)
    return is_for_loki and not _is_read_as_promql(text)


def _is_read_as_logql(text: str) -> bool:
    try:
        parse_all(text)
    except (LogQLError, RecursionError):
        return False
    return True


def _is_read_as_promql(text: str) -> bool:
    try:
        parse(text)
    except (QueryError, RecursionError):
        return False
    return True
