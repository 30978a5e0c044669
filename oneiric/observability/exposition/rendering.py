"""Pages rendered from what a registry collects."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol

from oneiric.observability.exposition.responses import OwnMetricsMissingError, response
from oneiric.observability.exposition.text import text_of
from oneiric.observability.metrics import SnapshotFamily, restricted, sample_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.metrics_core import Metric

    from oneiric.observability.exposition.responses import Response

TEXT_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
MIN_GZIP_BYTES = 1024
"""A shorter exposition fits a packet anyway and is sent as it is."""

MAX_RESTRICTED: Final = 4
"""Different restricted pages that are rendered at once, each up to as large as the whole one; others wait."""

_GZIP_LEVEL = 1  # 2,000 series of a histogram: 8 ms to a 22nd, where level 9 takes 98 ms to a 26th


class Source(Protocol):
    """What an exposition is made of: a registry, or a collector."""

    def collect(self) -> Iterable[Metric]:
        """Return every metric family."""


@dataclass(frozen=True, slots=True)
class Page:
    """Which exposition somebody wants; *names* are those of its samples, empty for all."""

    openmetrics: bool = False
    compressed: bool = False
    names: frozenset[str] = frozenset()


class WithOwn:
    """A source that raises OwnMetricsMissingError after its last family, unless one was the runtime's own."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def collect(self) -> Iterable[Metric]:
        """Yield every family."""
        has_own = False
        for family in self._source.collect():
            has_own = has_own or isinstance(family, SnapshotFamily)
            yield family
        if not has_own:
            raise OwnMetricsMissingError


def render(source: Source, *, openmetrics: bool, names: frozenset[str] = frozenset()) -> bytes:
    """Return what *source* collects in one of the two formats, of each family only the samples in *names* if any."""
    return text_of(_restricted(source.collect(), names) if names else source.collect(), openmetrics=openmetrics)


def _restricted(families: Iterable[Metric], names: frozenset[str]) -> Iterable[Metric]:
    return (restricted(family, names) for family in families if not names.isdisjoint(sample_names(family)))


def render_all(source: Source, pages: Iterable[Page]) -> dict[Page, Response]:
    """Return every page in *pages*, none of them restricted; each format is rendered once."""
    bodies: dict[bool, bytes] = {}
    for page in pages:
        if page.openmetrics not in bodies:
            bodies[page.openmetrics] = render(source, openmetrics=page.openmetrics)
    return {page: page_response(page, bodies[page.openmetrics]) for page in pages}


def render_some(source: Source, pages: Iterable[Page]) -> dict[Page, Response]:
    """Return those of the restricted *pages* that have the samples of the first few; they are collected once.

    Names without a sample make no difference, so that there are no more pages to be made than somebody can tell apart.
    """
    families = [(family, sample_names(family)) for family in source.collect()]
    known = frozenset[str]().union(*(names for _, names in families))
    made: dict[Page, Response] = {}
    answers: dict[Page, Response] = {}
    for page in pages:
        same = replace(page, names=page.names & known)
        if same not in made and (len(made) < MAX_RESTRICTED or not same.names):
            wanted = [restricted(family, same.names) for family, names in families if names & same.names]
            made[same] = page_response(same, text_of(wanted, openmetrics=same.openmetrics))
        if same in made:
            answers[page] = made[same]
    return answers


def page_response(page: Page, body: bytes) -> Response:
    """Return *body* as the response to who wants *page*, compressed if that is wanted and worth it."""
    content_type = OPENMETRICS_CONTENT_TYPE if page.openmetrics else TEXT_CONTENT_TYPE
    vary = ("Vary", "Accept, Accept-Encoding")
    if not page.compressed or len(body) < MIN_GZIP_BYTES:
        return response(HTTPStatus.OK, body, vary, content_type=content_type)
    body = gzip.compress(body, compresslevel=_GZIP_LEVEL, mtime=0)
    return response(HTTPStatus.OK, body, vary, ("Content-Encoding", "gzip"), content_type=content_type)
