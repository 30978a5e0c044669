"""LogQL as it is read: what is accepted, what is refused and where, and what stands where in a query."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from logql_samples import ACCEPTED, REFUSED, REFUSED_BY_LOKI

from oneiric.monitoring.notation.logql import (
    Binary,
    Both,
    Duration,
    LabelFilter,
    LineFilter,
    LogQLError,
    LogQuery,
    Matcher,
    Size,
    Text,
    Variable,
    VectorAggregation,
    parse,
    parse_all,
    walk,
)
from oneiric.monitoring.notation.logql.syntax import Comparison, Name, Range, Selector


@pytest.mark.parametrize("query", ACCEPTED)
def test_every_kind_of_query_is_read_whole(query: str) -> None:
    """A query is read from its beginning to its end, and every part lies within the part that it belongs to."""
    found = parse(query)
    assert query[found.start : found.end] == query.removeprefix("# what it means\n")
    for node in walk(found):
        assert all(node.start <= part.start <= part.end <= node.end for part in walk(node))


@pytest.mark.parametrize(("query", "reason"), [*REFUSED.items(), *REFUSED_BY_LOKI.items()])
def test_what_loki_would_not_answer_is_refused(query: str, reason: str) -> None:
    """A query that Loki refuses is an error that says what is wrong or expected, and where."""
    with pytest.raises(LogQLError, match=reason) as caught:
        parse(query)
    assert 0 <= caught.value.offset <= len(query)
    assert str(caught.value) == f"offset {caught.value.offset}: {caught.value.reason}"


def test_a_query_for_lines_is_its_selector_and_stages() -> None:
    """The parts of a query for lines have their meaning and their place."""
    query = '{app="oneiric"} |= "a\\"b" | x>1KiB'
    name, value = Name(1, 4, "app"), Text(5, 14, "oneiric")
    size = Comparison(28, 34, Name(28, 29, "x"), ">", Size(30, 34, 1024))
    assert parse(query) == LogQuery(
        0,
        34,
        Selector(0, 15, (Matcher(1, 14, name, "=", value),)),
        (LineFilter(16, 25, "|=", (Text(19, 25, 'a"b'),)), LabelFilter(26, 34, size)),
    )


@pytest.mark.parametrize(
    ("conditions", "meaning"),
    [
        ('a="1" or b="2" and c="3"', ("a", "or", ("b", "and", "c"))),
        ('a="1" and b="2" or c="3"', (("a", "and", "b"), "or", "c")),
        ('(a="1" or b="2") and c="3"', (("a", "or", "b"), "and", "c")),
        ('a="1", b="2" or c="3"', ("a", "and", ("b", "or", "c"))),
        ('a="1" b="2"', ("a", "and", "b")),
    ],
)
def test_conditions_bind_as_in_loki(conditions: str, meaning: object) -> None:
    """`and` binds closer than `or`; a comma, and nothing at all, take all that follows as their other side."""
    query = parse(f'{{app="oneiric"}} | {conditions}')
    assert isinstance(query, LogQuery)
    assert isinstance(query.stages[0], LabelFilter)
    assert _names(query.stages[0].condition) == meaning


def _names(condition: object) -> object:
    if isinstance(condition, Both):
        return (_names(condition.left), condition.operator, _names(condition.right))
    assert isinstance(condition, Matcher)
    return condition.name.text


def test_operators_bind_as_in_promql() -> None:
    """A product binds closer than a sum, a sum closer than a comparison, and powers group to the right."""
    comparison = parse('rate({a="b"}[5m]) + 2 * 3 ^ 2 ^ 1 > 1')
    assert isinstance(comparison, Binary)
    total = comparison.left
    assert isinstance(total, Binary)
    product = total.right
    assert isinstance(product, Binary)
    power = product.right
    assert isinstance(power, Binary)
    assert isinstance(power.right, Binary)
    assert [comparison.operator, total.operator, product.operator, power.operator] == [">", "+", "*", "^"]


def test_variables_of_grafana_stand_for_what_they_become() -> None:
    """A variable stands in the place of a time, a number or a name, and within strings."""
    query = parse('sum by ($by) (count_over_time({app="$app"} | json | x > $least | y="${domain:regex}" [$__auto]))')
    assert {node.text for node in walk(query) if isinstance(node, Variable)} == {"$__auto", "$least"}
    assert "$by" in {node.text for node in walk(query) if isinstance(node, Name)}


def test_times_are_seconds() -> None:
    """A time of several units is the sum of them; an offset may be negative."""
    query = parse('count_over_time({a="b"}[1h30m] offset -1d)')
    times = [node.seconds for node in walk(query) if isinstance(node, Duration)]
    assert times == [5400, -86_400]


def test_stages_may_stand_behind_the_range() -> None:
    """What stands behind a range belongs to its query, as Loki has it."""
    query = parse('sum(count_over_time({a="b"}[5m] | json | x="y"))')
    assert isinstance(query, VectorAggregation)
    span = next(node for node in walk(query) if isinstance(node, Range))
    assert len(span.query.stages) == 2


def test_several_queries_each_begin_on_a_line() -> None:
    """A text with comments holds queries in order, and two on one line are an error."""
    text = '# one\n{a="b"} |= "x"\n\n# two\n{a="c"} | json\nsum(rate({a="d"}[5m]))\n'
    found = parse_all(text)
    assert [text[query.start : query.end] for query in found] == [
        '{a="b"} |= "x"',
        '{a="c"} | json',
        'sum(rate({a="d"}[5m]))',
    ]
    with pytest.raises(LogQLError, match="the end of the query"):
        parse_all('{a="b"} {a="c"}')


@given(st.text(alphabet='{}[]()|=!~<>"`\\$,.#a1 \n\u00b5'))
def test_no_text_is_worse_than_an_error(text: str) -> None:
    """Any text is read, or refused with an error that has a place."""
    assert 0 <= _end_or_error(text) <= len(text)


def _end_or_error(text: str) -> int:
    try:
        return parse(text).end
    except LogQLError as error:
        return error.offset


def test_nesting_is_bounded() -> None:
    """Parentheses that would exhaust the stack are an error, too."""
    with pytest.raises(LogQLError, match="levels of nesting"):
        parse("(" * 10_000 + '{a="b"}')
