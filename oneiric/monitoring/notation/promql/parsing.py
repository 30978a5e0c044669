"""Reading PromQL: promql-parser parses it, and what it found is found again in the text, for the places."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import promql_parser

from oneiric.monitoring.notation.promql.errors import QueryError
from oneiric.monitoring.notation.promql.tokens import Token, seconds, tokens, unquoted
from oneiric.monitoring.notation.promql.tree import (
    Aggregation,
    Binary,
    Call,
    Expression,
    Matcher,
    Negative,
    Number,
    Range,
    Selector,
    String,
    Word,
)

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_LENGTH = 20_000
"""A query has at most so many characters."""

MAX_TOKENS = 4000
"""A query has at most so many tokens."""

MAX_NESTING = 120
"""Brackets, signs and operators follow each other at most so often: the parser's own stack is not checked."""

_OPERATORS = {*"+-*/%^<>", "==", "!=", "<=", ">=", "and", "or", "unless", "atan2"}
_RENAMED = {"holt_winters": "double_exponential_smoothing"}
"""Functions of Prometheus 2 that Prometheus 3 has under other names."""

_ENDS = {"by", "without"}
_FILLS = {"fill", "fill_left", "fill_right"}


def parse(text: str) -> Expression:
    """Return the tree of *text*; QueryError for what is no PromQL or too long to be read."""
    found = tokens(text)
    _bound(text, found)
    try:
        parsed = promql_parser.parse(_for_parser(text, found))
    except ValueError as error:
        raise QueryError(str(error).splitlines()[0], _suspect(text, str(error), found)) from None
    return _Placer(found).expression(parsed)


def _for_parser(text: str, found: list[Token]) -> str:
    """Return *text* with what Prometheus reads, and promql-parser does not, written in another way."""
    parts, done = [], 0
    for token in found:
        written = token.text
        if token.kind == "string" and written.startswith("`"):
            written = json.dumps(unquoted(written), ensure_ascii=False)
        elif token.kind == "number":
            written = written.replace("_", "")
        elif token.kind == "word":
            written = _RENAMED.get(written, written)
        parts += [text[done : token.start], written]
        done = token.end
    return "".join([*parts, text[done:]])


def _bound(text: str, found: list[Token]) -> None:
    if len(text) > MAX_LENGTH or len(found) > MAX_TOKENS:
        raise QueryError(f"the query is longer than {MAX_LENGTH} characters or {MAX_TOKENS} tokens")
    depth = chain = 0
    for token in found:
        depth += (token.text in "({") - (token.text in ")}")
        chain += token.text.lower() in _OPERATORS
        if depth + chain > MAX_NESTING:
            raise QueryError(f"more than {MAX_NESTING} brackets and operators in one query", token.start)


def _suspect(text: str, message: str, found: list[Token]) -> int:
    """Return where what *message* complains of probably is."""
    quoted = message.rpartition("'")[0].rpartition("'")[2]
    named = next((token.start for token in found if quoted and token.text == quoted), None)
    if named is not None:
        return named
    strange = next((token.start for token in found if token.kind == "other"), None)
    if strange is not None:
        return strange
    if "unclosed" in message:
        return _unclosed(found)
    return len(text) - len(text.lstrip())


def _unclosed(found: list[Token]) -> int:
    opened: list[int] = []
    for token in found:
        if token.text in {"(", "{"}:
            opened.append(token.start)
        elif token.text in {")", "}"} and opened:
            opened.pop()
    return opened[-1] if opened else 0


class _Placer:
    """Walks a parsed tree and the tokens it was made of side by side."""

    def __init__(self, found: list[Token]) -> None:
        self._tokens = [*found, Token("end", "", found[-1].end if found else 0, found[-1].end if found else 0)]
        self._next = 0

    def expression(self, node: Any) -> Expression:
        place = _PLACES.get(type(node))
        if place is None:
            message = f"unknown expression {type(node).__name__}: this promql-parser is newer than what is checked here"
            raise QueryError(message, self._peek().start)
        return place(self, node)

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._tokens[self._next]
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token

    def _took(self, *texts: str) -> bool:
        if self._peek().text.lower() in texts:
            self._take()
            return True
        return False

    def number(self, node: Any) -> Expression:
        at = self._peek().start
        while self._took("+", "-"):
            pass
        self._take()
        return Number(at, float(node.val))

    def string(self, node: Any) -> Expression:
        return String(self._take().start + 1, str(node.val))

    def parenthesis(self, node: Any) -> Expression:
        self._take()
        inner = self.expression(node.expr)
        self._take()
        return inner

    def negative(self, node: Any) -> Expression:
        at = self._take().start
        while self._peek().text in {"+", "-"}:
            self._take()
        return Negative(at, self.expression(node.expr))

    def vector(self, _: Any) -> Expression:
        selector = self._selector()
        return Selector(selector.at, selector.name, selector.matchers, shifted=self._modifiers())

    def matrix(self, _: Any) -> Expression:
        selector = self._selector()
        return self._over(selector, is_subquery=False)

    def subquery(self, node: Any) -> Expression:
        return self._over(self.expression(node.expr), is_subquery=True)

    def _over(self, inner: Expression, *, is_subquery: bool) -> Expression:
        token = self._take()
        window = token.text[1:-1].partition(":")[0]
        return Range(inner.at, inner, seconds(window), token.start + 1, is_subquery, shifted=self._modifiers())

    def call(self, node: Any) -> Expression:
        name = self._take()
        return Call(name.start, name.text, tuple(self._arguments(node.args)))

    def aggregation(self, node: Any) -> Expression:
        name = self._take()
        grouping, labels = self._grouping()
        *parameter, inner = self._arguments([node.expr] if node.param is None else [node.param, node.expr])
        if not grouping:
            grouping, labels = self._grouping()
        return Aggregation(name.start, name.text.lower(), inner, next(iter(parameter), None), grouping, labels)

    def binary(self, node: Any) -> Expression:
        left = self.expression(node.lhs)
        operator = self._take()
        is_bool = self._took("bool")
        matching = group = ""
        labels: tuple[Word, ...] = ()
        group_labels: tuple[Word, ...] = ()
        if self._peek().text.lower() in {"on", "ignoring"}:
            matching, labels = self._take().text.lower(), self._names()
        if self._peek().text.lower() in {"group_left", "group_right"}:
            group = self._take().text.lower().removeprefix("group_")
            group_labels = self._names() if self._peek().text == "(" else ()
        self._fill()
        right = self.expression(node.rhs)
        return Binary(
            operator.start, operator.text.lower(), left, right, is_bool, matching, labels, group, group_labels
        )

    def _fill(self) -> None:
        """Pass ``fill(0)``, or one or both of its sides: what stands for a series that the other side lacks."""
        while self._peek().text.lower() in _FILLS and self._tokens[self._next + 1].text == "(":
            while not self._took(")"):
                self._take()

    def _arguments(self, nodes: list[Any]) -> list[Expression]:
        self._take()
        made = []
        for node in nodes:
            made.append(self.expression(node))
            self._took(",")
        self._took(")")
        return made

    def _grouping(self) -> tuple[str, tuple[Word, ...]]:
        if self._peek().text.lower() not in _ENDS:
            return "", ()
        return self._take().text.lower(), self._names()

    def _names(self) -> tuple[Word, ...]:
        self._take()
        names = []
        while not self._took(")", ""):
            token = self._take()
            if token.kind == "word":
                names.append(Word(token.text, token.start))
            elif token.kind == "string":
                names.append(Word(unquoted(token.text), token.start + 1))
        return tuple(names)

    def _selector(self) -> Selector:
        at = self._peek().start
        name = Word("", at)
        if self._peek().kind == "word":
            token = self._take()
            name = Word(token.text, token.start)
        matchers: list[Matcher] = []
        if self._took("{"):
            while not self._took("}", ""):
                name = self._matcher(matchers, name)
        return Selector(at, name, tuple(matchers))

    def _matcher(self, matchers: list[Matcher], name: Word) -> Word:
        token = self._take()
        if token.kind not in {"word", "string"}:
            return name
        label = Word(token.text, token.start)
        if token.kind == "string":
            label = Word(unquoted(token.text), token.start + 1)
        if self._peek().text not in {"=", "!=", "=~", "!~"}:
            return label if token.kind == "string" else name
        operator = self._take().text
        value = self._take()
        word = Word(unquoted(value.text), value.start + 1)
        if label.text == "__name__" and operator == "=":
            return word
        matchers.append(Matcher(label, operator, word))
        return name

    def _modifiers(self) -> bool:
        shifted = False
        while self._peek().text.lower() in {"offset", "@"}:
            shifted = True
            if self._take().text == "@":
                self._moment()
            else:
                self._took("+", "-")
                self._take()
        return shifted

    def _moment(self) -> None:
        self._took("+", "-")
        self._take()
        if self._took("("):
            self._took(")")


_PLACES: dict[type, Callable[[_Placer, Any], Expression]] = {
    promql_parser.NumberLiteral: _Placer.number,
    promql_parser.StringLiteral: _Placer.string,
    promql_parser.ParenExpr: _Placer.parenthesis,
    promql_parser.UnaryExpr: _Placer.negative,
    promql_parser.VectorSelector: _Placer.vector,
    promql_parser.MatrixSelector: _Placer.matrix,
    promql_parser.SubqueryExpr: _Placer.subquery,
    promql_parser.Call: _Placer.call,
    promql_parser.AggregateExpr: _Placer.aggregation,
    promql_parser.BinaryExpr: _Placer.binary,
}
