"""Metric queries, answered: counts, rates, values of lines, and what is made of them."""

from __future__ import annotations

import json
import math

import pytest
from logql.lines import Line
from logql.measurement import measure

from oneiric.monitoring.notation.logql import LogQLError, LogQuery, parse

LINES = [
    Line(json.dumps({"key": key, "ms": ms}), {"app": app}, {}, seconds)
    for seconds, app, key, ms in (
        (100.0, "a", "old", 7),
        (700.0, "a", "cache", 10),
        (800.0, "a", "cache", 30),
        (900.0, "a", "queue", 20),
        (1000.0, "b", "cache", 40),
        (1001.0, "a", "late", 1),
    )
]
A = '{app="a"} | json'


def answer(query: str) -> object:
    """Return what *query* says at second 1000, label sets as texts."""
    found = parse(query)
    assert not isinstance(found, LogQuery)
    value = measure(found, LINES, at=1000.0)
    if isinstance(value, float):
        return value
    return {",".join(f"{name}={text}" for name, text in sorted(labels)): number for labels, number in value.items()}


ANSWERS = {
    "2 * 3 ^ 2 - 1": 17.0,
    "1 / 0": math.inf,
    "-1 / 0": -math.inf,
    "3 > 2": 1.0,
    "vector(5)": {"": 5.0},
    f"count_over_time({A} | keep app [10m])": {"app=a": 3.0},
    f"count_over_time({A} [10m] offset 10m)": {"app=a,key=old,ms=7": 1.0},
    f"rate({A} | keep app [5m])": {"app=a": 0.01 * 2 / 3},
    f"rate({A} | keep ms | unwrap ms [10m])": {"": 0.1},
    """bytes_over_time({app="b"}[10m])""": {"app=b": 26.0},
    """bytes_rate({app="b"}[10m])""": {"app=b": 26 / 600},
    f"sum by (key) (count_over_time({A} [10m]))": {"key=cache": 2.0, "key=queue": 1.0},
    f"sum(count_over_time({A} [10m])) without (ms, app)": {"key=cache": 2.0, "key=queue": 1.0},
    f"sum(count_over_time({A} [10m]))": {"": 3.0},
    f"avg(count_over_time({A} [10m])) + 1": {"": 2.0},
    f"sum_over_time({A} | keep key, ms | unwrap ms [10m])": {"key=cache": 40.0, "key=queue": 20.0},
    f"avg_over_time({A} | unwrap ms [10m]) by (key)": {"key=cache": 20.0, "key=queue": 20.0},
    f"max_over_time({A} | unwrap ms [10m]) by (app)": {"app=a": 30.0},
    f"min_over_time({A} | unwrap ms [10m]) by (app)": {"app=a": 10.0},
    f"first_over_time({A} | unwrap ms [10m]) by (app)": {"app=a": 10.0},
    f"last_over_time({A} | unwrap ms [10m]) by (app)": {"app=a": 20.0},
    f"quantile_over_time(0.75, {A} | unwrap ms [10m]) by (app)": {"app=a": 25.0},
    f"stdvar_over_time({A} | unwrap ms [10m]) by (key)": {"key=cache": 100.0, "key=queue": 0.0},
    f"stddev_over_time({A} | unwrap ms [10m]) by (key)": {"key=cache": 10.0, "key=queue": 0.0},
    f"sum_over_time({A} | unwrap nothing [10m])": {},
    """absent_over_time({app="c",x=~"y"}[10m])""": {"app=c": 1.0},
    """absent_over_time({app="a"}[10m])""": {},
    f"topk(1, sum by (key) (count_over_time({A} [10m])))": {"key=cache": 2.0},
    f"bottomk(1, sum by (key) (count_over_time({A} [10m])))": {"key=queue": 1.0},
    f"sum by (key) (count_over_time({A} [10m])) > 1": {"key=cache": 2.0},
    f"1 < bool sum by (key) (count_over_time({A} [10m]))": {"key=cache": 1.0, "key=queue": 0.0},
    """sum(count_over_time({app="b"}[10m])) / sum(count_over_time({app="a"}[10m]))""": {"": 1 / 3},
    """sum by (app) (count_over_time({app="b"}[10m])) / sum by (app) (count_over_time({app="a"}[10m]))""": {},
    """count_over_time({app="b"}[10m]) / ignoring (app) sum(count_over_time({app="a"}[10m]))""": {"": 1 / 3},
    """count_over_time({app=~".+"}[10m]) / on () group_left () sum(count_over_time({app="a"}[10m]))""": {
        "app=a": 1.0,
        "app=b": 1 / 3,
    },
    """count_over_time({app="a"}[10m]) or count_over_time({app="b"}[10m])""": {"app=a": 3.0, "app=b": 1.0},
    """count_over_time({app=~".+"}[10m]) and count_over_time({app="b"}[10m])""": {"app=b": 1.0},
    """count_over_time({app=~".+"}[10m]) unless count_over_time({app="b"}[10m])""": {"app=a": 3.0},
    """label_replace(count_over_time({app="b"}[10m]), "x", "is-$1", "app", "(.*)")""": {"app=b,x=is-b": 1.0},
    """label_replace(count_over_time({app="b"}[10m]), "app", "", "app", "b")""": {"": 1.0},
}


@pytest.mark.parametrize("query", ANSWERS)
def test_a_metric_is_what_loki_would_answer(query: str) -> None:
    """Each function, aggregation and operator gives the values and labels that it should."""
    assert answer(query) == pytest.approx(ANSWERS[query])


def test_sorting_orders_series() -> None:
    """`sort` begins with the smallest, `sort_desc` with the largest."""
    query = f"(sum by (key) (count_over_time({A} [10m])))"
    for function, first in (("sort", "key=queue"), ("sort_desc", "key=cache")):
        found = answer(function + query)
        assert isinstance(found, dict)
        assert next(iter(found)) == first


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ('sum_over_time({app="a"} | json | unwrap key [10m])', "SampleExtractionErr"),
        ('count_over_time({app="a"}[$__auto])', "must be replaced"),
        ('rate_counter({app="a"} | json | unwrap ms [10m])', "Loki itself"),
        ("sum(1)", "must be series"),
        ('count_over_time({app=~".+"}[10m]) / on () count_over_time({app="a"}[10m])', "several series"),
    ],
)
def test_what_cannot_be_measured_is_an_error(query: str, reason: str) -> None:
    """A query whose lines are not as it wants, or that is not for here, says so."""
    with pytest.raises(LogQLError, match=reason):
        answer(query)
