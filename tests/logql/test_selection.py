"""Queries for lines, answered: which lines, with which labels and text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from logql.lines import Line
from logql.selection import select

from oneiric.monitoring.notation.logql import LogQLError, LogQuery, parse, replaced

STREAM = {"app": "oneiric", "env": "test"}
TEXTS = (
    '{"event":"swap-failed","key":"cache","duration_ms":1500.5,"took":"2s","size":"10MB","host":"10.0.0.7"}',
    '{"event":"swap-complete","key":"queue","duration_ms":3,"forced":true,"service.name":"shop","note":null}',
    '{"event":"nested","app":"other","a":{"b":{"c":1}},"list":[1,2],"took":"soon"}',
    'level=warning msg="it is \\"so\\"" took=5ms flag',
    "GET /items 200 from 192.168.1.9",
)


def chosen(query: str, texts: tuple[str, ...] = TEXTS, metadata: dict[str, str] | None = None) -> list[Any]:
    """Return the entries that the rest of a *query* makes of *texts*."""
    found = parse(f'{{app="oneiric"}} {query}')
    assert isinstance(found, LogQuery)
    return select(found, [Line(text, STREAM, metadata or {}) for text in texts])


KEPT = {
    "": [0, 1, 2, 3, 4],
    '|= "swap"': [0, 1],
    '!= "swap"': [2, 3, 4],
    '|= "swap-failed" or "GET"': [0, 4],
    '!= "swap-failed" or "GET"': [1, 2, 3],
    "|~ `swap-(failed|x)`": [0],
    "!~ `^{`": [3, 4],
    "|> `GET <_> 200`": [4],
    '|= ip("192.168.0.0/16")': [4],
    '|= ip("192.168.1.1-192.168.1.10")': [4],
    '!= ip("10.0.0.0/8")': [1, 2, 3, 4],
    '| json | key="cache"': [0],
    '| json | key=~"c.*|q"': [0],
    '| json | key!~"c.*|queue"': [2, 3, 4],
    '| json | key!="cache"': [1, 2, 3, 4],
    "| json | duration_ms > 3": [0],
    "| json | duration_ms >= 3": [0, 1],
    "| json | duration_ms == 3 or duration_ms < 2": [1],
    "| json | duration_ms != 3 and duration_ms <= 1501": [0],
    "| json | took > 1s": [0, 2],
    '| json | took > 1s | __error__=""': [0],
    "| json | size = 10MB": [0],
    '| json | host=ip("10.0.0.0/8")': [0],
    '| json | forced="true"': [1],
    '| json | service_name="shop"': [1],
    '| json | note="" | event="swap-complete"': [1],
    "| json | a_b_c = 1": [2],
    '| json | list!=""': [],
    '| json x="a.b.c", y="list[1]" | x="1" | y="2"': [2],
    '| json __error__="list[9]" | event="x"': [],
    '| json | app_extracted="other"': [2],
    '| json | app="oneiric" | event="nested"': [2],
    '| json | __error__="JSONParserErr"': [3, 4],
    '| logfmt | msg="it is \\"so\\""': [3],
    '| logfmt --keep-empty m="msg" | m!=""': [3],
    '| logfmt | took < 10ms and level="warning"': [3],
    '| regexp "GET (?P<path>\\\\S+) (?P<code>[0-9]+)" | code=200': [4],
    '| pattern "<verb> <path> <_> from <who>" | verb="GET" | who="192.168.1.9"': [4],
    '| pattern "GET <path> " | path="/items"': [4],
    '| env="test" |= "GET"': [4],
    '| json | label_format which=key | which="queue" | key=""': [1],
    '| json | label_format which="{{.key}}-{{ .event }}" | which="queue-swap-complete"': [1],
    '| json | drop key | key!=""': [],
    '| json | drop key="cache" | key!=""': [1],
    '| json | keep key | event=""': [0, 1, 2, 3, 4],
    '| json | keep key | __error__!=""': [3, 4],
    '| json | line_format "{{.key}}:" |= "cache:"': [0],
    '| json | (key="cache" or key="queue") and duration_ms > 5': [0],
}


@pytest.mark.parametrize("query", KEPT)
def test_a_query_keeps_the_lines_that_loki_would(query: str) -> None:
    """Each filter, parser and format lets exactly the lines through that it should."""
    assert [TEXTS.index(entry.line.text) for entry in chosen(query)] == KEPT[query]


def test_other_streams_are_left_alone() -> None:
    """A stream is chosen by all of its matchers; a label that it lacks is empty."""
    lines = [Line("x", {"app": app}) for app in ("a", "b")]
    kept = {'{app="a"}': 1, '{app=~"a|b"}': 2, '{app=~".+",z!=""}': 0, '{app=~".+",z=""}': 2}
    for query, number in kept.items():
        found = parse(query)
        assert isinstance(found, LogQuery)
        assert len(select(found, lines)) == number


def test_a_field_that_is_a_label_already_gets_a_suffix() -> None:
    """What the line came with, as a stream label or metadata, keeps its name; what is extracted gives way."""
    (entry,) = chosen("| json", ('{"app":"x","level":"error","key":"k"}',), {"level": "info"})
    assert entry.labels == {
        **STREAM,
        "level": "info",
        "app_extracted": "x",
        "level_extracted": "error",
        "key": "k",
    }


def test_an_escape_that_logfmt_does_not_have_is_an_error_of_the_line() -> None:
    """A quoted value that cannot be read stays as it is, and the line is marked."""
    (entry,) = chosen("| logfmt", ('a="\\q" b=1',))
    assert (entry.labels["a"], entry.labels["b"], entry.labels["__error__"]) == ('"\\q"', "1", "LogfmtParserErr")


def test_unpacking_gives_the_line_back() -> None:
    """`unpack` makes labels of the packed texts, and the line is what was packed."""
    (entry,) = chosen("| unpack", (json.dumps({"pod": "p-1", "_entry": "hello", "n": 1}),))
    assert (entry.text, entry.labels["pod"], "n" in entry.labels) == ("hello", "p-1", False)


def test_colours_go() -> None:
    """`decolorize` takes the codes out and leaves the text."""
    (entry,) = chosen("| decolorize", ("\x1b[31mred\x1b[0m",))
    assert entry.text == "red"


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ('| json | line_format "{{ .key | upper }}"', "functions of templates"),
        ("|~ `\\pL`", "only Loki itself"),
        ("| json | duration_ms > $least", "must be replaced"),
    ],
)
def test_what_only_loki_can_answer_is_an_error(query: str, reason: str) -> None:
    """A query that cannot be answered here says so, and answers nothing."""
    with pytest.raises(LogQLError, match=reason):
        chosen(query)


def test_variables_are_replaced_as_grafana_does() -> None:
    """Each form of a variable becomes its value; what no variable is known for stays."""
    query = '{app="$app", d=~"${domain:regex}"} |~ "x$|$other" | a="[[a]]" [$__auto]'
    values = {"app": "oneiric", "domain": "task|event", "a": "1"}
    assert replaced(query, values) == '{app="oneiric", d=~"task|event"} |~ "x$|$other" | a="1" [5m]'
