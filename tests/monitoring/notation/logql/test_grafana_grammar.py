"""Every LogQL query of the bundle by Grafana's own grammar, and this project's reading of LogQL against it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from documents import ROOT
from grafana_grammar import first_errors
from logql_samples import ACCEPTED, REFUSED, REFUSED_BY_GRAFANA, REFUSED_BY_LOKI

from oneiric.monitoring.bundle import bundle
from oneiric.monitoring.bundle.alerts import alerts
from oneiric.monitoring.bundle.loki.queries import searches
from oneiric.monitoring.bundle.loki.rules import log_rules
from oneiric.monitoring.config import BundleConfig
from oneiric.monitoring.notation.logql import LogQLError, parse, parse_all, replaced
from oneiric.monitoring.notation.logql.tokens import tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG = BundleConfig()
FENCE = re.compile(r"^ *```logql\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def in_runbooks() -> list[str]:
    """Return the queries of every alert's runbook."""
    books = [alert.runbook for alert in alerts(CONFIG)]
    steps = [step for book in books for step in (*book.diagnosis, *book.resolution)]
    return [step.code for step in steps if step.language == "logql"]


def in_documents() -> list[str]:
    """Return the queries of every document."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md")]
    fences = [fence for text in texts for fence in FENCE.findall(text)]
    return [fence[query.start : query.end] for fence in fences for query in parse_all(fence)]


def in_dashboards() -> list[str]:
    """Return the queries that dashboards ask Loki."""
    files = [text for path, text in bundle(CONFIG).items() if path.startswith("grafana/") and path.endswith(".json")]
    return [query for text in files for query in asked(json.loads(text), is_loki=False)]


def asked(part: Any, *, is_loki: bool) -> Iterator[str]:
    """Yield the expressions within *part* that are for a data source of Loki."""
    if isinstance(part, list):
        for item in part:
            yield from asked(item, is_loki=is_loki)
    elif isinstance(part, dict):
        source = part.get("datasource")
        is_loki = source.get("type") == "loki" if isinstance(source, dict) else is_loki
        if is_loki and isinstance(part.get("expr"), str):
            yield part["expr"]
        for item in part.values():
            yield from asked(item, is_loki=is_loki)


def verdict(query: str) -> bool:
    """Say whether this project reads *query*."""
    try:
        parse(query)
    except LogQLError:
        return False
    return True


def test_grafana_reads_every_query_of_the_bundle() -> None:
    """Searches, recording rules, runbooks, documents and dashboards have queries that Grafana and we can read."""
    found = [search.query for search in searches(CONFIG)]
    found += [*log_rules(CONFIG).values(), *in_runbooks(), *in_documents(), *in_dashboards()]
    assert len(in_runbooks()) > 10
    queries = [replaced(query, {}) for query in found]
    wrong = [query for query, error in zip(queries, first_errors(queries), strict=True) if error is not None]
    assert wrong == []
    assert [query for query in found if not verdict(query)] == []


@pytest.mark.parametrize(("queries", "expected"), [(ACCEPTED, True), (tuple(REFUSED), False)], ids=["read", "refused"])
def test_grafana_and_we_agree(queries: tuple[str, ...], expected: bool) -> None:
    """What is LogQL for Grafana is so for us, and what is none is none."""
    assert {query: error is None for query, error in zip(queries, first_errors(queries), strict=True)} == dict.fromkeys(
        queries, expected
    )
    assert {query: verdict(query) for query in queries} == dict.fromkeys(queries, expected)


def test_what_loki_refuses_is_refused_although_grafana_reads_it() -> None:
    """A grammar alone lets most of the mistakes pass that Loki finds; here they are found."""
    passed = [error for error in first_errors([*REFUSED_BY_LOKI]) if error is None]
    assert len(passed) > len(REFUSED_BY_LOKI) / 2
    assert not [query for query in REFUSED_BY_LOKI if verdict(query)]


def test_what_only_grafana_refuses_is_known() -> None:
    """The few things that Loki answers and Grafana's editor marks are read here."""
    assert None not in first_errors(REFUSED_BY_GRAFANA)
    assert all(map(verdict, REFUSED_BY_GRAFANA))


def test_grafana_and_we_agree_on_slips() -> None:
    """With a token left out, doubled or in the wrong place, a query is none for us wherever it is none for Grafana."""
    slips = sorted({slip for query in ACCEPTED for slip in _slips(query)})
    assert len(slips) > 1000
    read = dict(zip(slips, (error is None for error in first_errors(slips)), strict=True))
    ours = {slip: verdict(slip) for slip in slips}
    beside = re.compile(r'"\)?  \w+="|(?:s|MB)  \w+ ?[<>]|="1" b=')
    assert [slip for slip in slips if ours[slip] and not read[slip] and not beside.search(slip)] == []
    assert sum(ours[slip] == read[slip] for slip in slips) > 0.99 * len(slips)


def _slips(query: str) -> Iterator[str]:
    row = tokens(query)[:-1]
    for before, token in zip((None, *row), row, strict=False):
        yield query[: token.start] + query[token.end :]
        yield f"{query[: token.end]} {token.text}{query[token.end :]}"
        if before:
            yield f"{query[: before.start]}{token.text} {before.text}{query[token.end :]}"
