"""Expressions over the catalogue's metrics: what they say, and what they refuse to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import promql_parser
import pytest

from oneiric.monitoring.promql import NOW, Expr, ExpressionError, PromQL, grown, number, quantile, scalar, total
from oneiric.observability import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

QUERY = PromQL({"job": '="oneiric"', "domain": '=~"$domain"'})


def series(text: str, *labels: str) -> Expr:
    """Return a vector of *text* with *labels*."""
    return Expr(text, frozenset(labels))


def test_a_selector_has_the_matchers_whose_labels_the_metric_has() -> None:
    """A common matcher stands in a selector where the metric, or the target, has its label."""
    assert QUERY.series(catalogue.SYNCS).text == 'oneiric_remote_sync_total{job="oneiric"}'
    assert QUERY.series(catalogue.INSTANCES).text == 'oneiric_lifecycle_instances{job="oneiric", domain=~"$domain"}'


def test_labels_given_take_the_place_of_common_ones() -> None:
    """A label value given replaces the common matcher; several values are alternatives."""
    given = QUERY.series(catalogue.SWAPS, domain="adapter", outcome=("success", "failed"))
    assert given.text == 'oneiric_lifecycle_swap_total{job="oneiric", domain="adapter", outcome=~"success|failed"}'


def test_what_a_rule_recorded_has_the_matchers_too() -> None:
    """What another job's rules recorded under the same name is left alone, where what was recorded has the label."""
    by_job = total(QUERY.series(catalogue.SYNCS), by=["job"])
    assert QUERY.recorded("job:x:ratio", by_job).text == 'job:x:ratio{job="oneiric"}'
    assert QUERY.recorded("x:total", total(by_job)).text == "x:total"


def test_growth_counts_what_is_new_whole() -> None:
    """A counter without a sample in the time before the window counts whole, any other by its increase."""
    expected = 'a{x="1"} unless last_over_time(a{x="1"}[1h] offset 5m) or increase(a{x="1"}[5m])'
    expr = grown(series('a{x="1"}', "x"), "5m", known="1h")
    assert expr.text == expected
    assert expr.labels == {"x"}
    promql_parser.parse(expr.text)


def test_a_whole_bound_is_found_however_it_is_written() -> None:
    """A bucket's bound that is whole matches with and without a fraction of zero; another matches as it is."""
    plain = PromQL({})
    swaps = plain.series(catalogue.SWAP_DURATION, suffix="_bucket", le="30000").text
    assert swaps == 'oneiric_lifecycle_swap_duration_ms_bucket{le=~"30000([.]0)?"}'
    resolutions = plain.series(catalogue.RESOLUTION_DURATION, suffix="_bucket", le="0.1").text
    assert resolutions == 'oneiric_resolution_duration_seconds_bucket{le="0.1"}'


REFUSED: dict[str, tuple[Callable[[], Expr], str]] = {
    "a label it lacks": (lambda: QUERY.series(catalogue.SWAPS, reason="health"), "oneiric_lifecycle_swap_total has no"),
    "a value it never has": (lambda: QUERY.series(catalogue.SWAPS, outcome="rolled"), "outcome is never"),
    "one of several": (lambda: QUERY.series(catalogue.SWAPS, outcome=("success", "no")), r"never \['no'\]"),
    "a bound it lacks": (lambda: QUERY.series(catalogue.SWAP_DURATION, suffix="_bucket", le="7"), "le is never"),
    "a histogram itself": (lambda: QUERY.series(catalogue.SWAP_DURATION), "has _bucket, _sum, _count"),
    "buckets of a counter": (lambda: QUERY.series(catalogue.SWAPS, suffix="_bucket"), "a counter has"),
    "a gauge's rate": (lambda: QUERY.rate(catalogue.INSTANCES, "5m"), "which is a gauge"),
    "a gauge's increase": (lambda: QUERY.increase(catalogue.INSTANCES, "5m"), "which is a gauge"),
    "by a label it lacks": (lambda: total(QUERY.series(catalogue.SWAPS), by=("source",)), "has no label source"),
    "a quantile of no buckets": (lambda: quantile(0.5, QUERY.series(catalogue.SWAPS)), "has no label le"),
    "a match on what one side lacks": (
        lambda: QUERY.series(catalogue.SWAPS).matched("and", QUERY.series(catalogue.SYNCS), on=("domain",)),
        "both sides of and has no label domain",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_a_metric_does_not_have_is_refused(what: str) -> None:
    """An expression that no series can answer is an error that names what there is."""
    make, message = REFUSED[what]
    with pytest.raises(ExpressionError, match=message):
        make()


def test_operators_bind_as_they_are_written() -> None:
    """Parentheses stand where the order of Python's operators is not that of PromQL's, and nowhere else."""
    a, b, c = (series(name, "x") for name in "abc")
    written = {
        "a + b * c": a + b * c,
        "(a + b) * c": (a + b) * c,
        "a - (b - c)": a - (b - c),
        "a - b - c": a - b - c,
        "a / b > 1 and c < 2": (a / b > 1) & (c < 2),
        "a or b and c": a | (b & c),
        "(a or b) and c": (a | b) & c,
        "1 - a / b > 0.8": scalar(1) - a / b > 0.8,
        "time() - (a > 0) > 5": NOW - (a > 0) > 5,
        "a > (b > 0) * 4": a > (b > 0) * 4,
    }
    assert {text: expr.text for text, expr in written.items()} == {text: text for text in written}
    for text in written:
        promql_parser.parse(text)


def test_a_vector_keeps_its_labels() -> None:
    """What is calculated of a vector has its labels, whichever side a number stands on; alternatives have all."""
    a, b = series("a", "x"), series("b", "y")
    assert (NOW - a).labels == (a > 1).labels == (scalar(1) - a).labels == {"x"}
    assert (a | b).labels == {"x", "y"}
    assert total(a, by=("x",)).labels == {"x"}


@pytest.mark.parametrize(("value", "text"), [(30000, "30000"), (0.1, "0.1"), (1e-05, "1e-05"), (14.4, "14.4")])
def test_numbers_are_written_as_the_exposition_has_them(value: float, text: str) -> None:
    """A whole number has no fraction."""
    assert number(value) == text
