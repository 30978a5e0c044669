"""PromQL read into a tree, also by a parser that is newer than the reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

import promql_parser
import pytest
from drift_seeds import found

from oneiric.monitoring.notation.promql import QueryError, Selector, parse, walk

if TYPE_CHECKING:
    from pathlib import Path

RULES = "groups: [{name: a, rules: [{record: 'a:b:c', expr: '%s'}]}]"


class DurationExpr:
    """An expression that this reader has not heard of."""


@pytest.fixture
def newer_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let promql-parser find an expression that is new to the reader in every query."""
    monkeypatch.setattr(promql_parser, "parse", lambda _: DurationExpr())


@pytest.mark.usefixtures("newer_parser")
def test_an_unknown_expression_is_named() -> None:
    """An expression of a newer promql-parser is an error that names it, not an AttributeError."""
    with pytest.raises(QueryError, match="unknown expression DurationExpr"):
        parse("up")


@pytest.mark.usefixtures("newer_parser")
@pytest.mark.parametrize(("query", "codes"), [("oneiric_lifecycle_instances", ["ON007"]), ("node_load1", [])])
def test_an_unknown_expression_is_a_finding(tmp_path: Path, query: str, codes: list[str]) -> None:
    """The check reports an unknown expression in a query about us, and leaves queries about others alone."""
    (tmp_path / "rules.yml").write_text(RULES % query)
    assert [code for _, _, _, code in found(tmp_path)] == codes


def test_a_walk_meets_every_expression() -> None:
    """A walk yields the operands, arguments, parameters and what windows are over."""
    tree = parse("topk(scalar(a), -rate(b[5m])) > max_over_time(sum(c)[1h:]) or label_replace(d, 'e', '', '', '')")
    assert [node.name.text for node in walk(tree) if isinstance(node, Selector)] == ["b", "a", "c", "d"]


@pytest.mark.parametrize("fill", ["fill(0)", "fill_left(-1)", "on (job) group_left fill_left(0) fill_right(1)"])
def test_what_fills_gaps_is_no_operand(fill: str) -> None:
    """The right operand is the expression after ``fill``, at its own place."""
    query = f"a + {fill} fill"
    assert [(node.name.text, node.at) for node in walk(parse(query)) if isinstance(node, Selector)] == [
        ("a", 0),
        ("fill", query.rindex("fill")),
    ]
