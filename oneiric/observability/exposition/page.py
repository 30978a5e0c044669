"""Answer /metrics, /livez, /readyz and /: what the metrics server, the WSGI app and the ASGI app have in common."""

from __future__ import annotations

import functools
import gzip
from concurrent.futures import Future
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol

from oneiric.core.concurrency import Background
from oneiric.core.limits import PAGE_REUSE, RENDER_TIMEOUT
from oneiric.core.observers import Observers
from oneiric.core.redaction import describe
from oneiric.observability.events import ScrapeFailed
from oneiric.observability.exposition.isolation import isolated
from oneiric.observability.exposition.negotiation import accepts_gzip, prefers_openmetrics, wanted_names
from oneiric.observability.exposition.single_flight import Flights
from oneiric.observability.exposition.text import text_of
from oneiric.observability.metrics import SnapshotFamily, interrupts_counting, request_yields, restricted, sample_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client.metrics_core import Metric

METRICS_PATH = "/metrics"
METRICS_PATHS: Final = frozenset({METRICS_PATH, f"{METRICS_PATH}/"})
LIVEZ_PATH = "/livez"
READYZ_PATH = "/readyz"
LANDING_PATH = "/"
TEXT_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
MIN_GZIP_BYTES = 1024
"""A shorter exposition fits a packet anyway and is sent as it is."""

MAX_RESTRICTED: Final = 4
"""Different restricted pages that are rendered at once, each up to as large as the whole one; others wait."""

_GZIP_LEVEL = 1  # 2,000 series of a histogram: 8 ms to a 22nd, where level 9 takes 98 ms to a 26th
_PLAIN_CONTENT_TYPE = "text/plain; charset=utf-8"

_PATHS: Final = METRICS_PATHS | {LIVEZ_PATH, READYZ_PATH, LANDING_PATH}
_METHODS: Final = frozenset({"GET", "HEAD"})
_LANDING: Final = b"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Oneiric metrics</title>
</head>
<body>
<h1>Oneiric metrics</h1>
<ul>
<li><a href="metrics">Metrics</a>, for Prometheus to scrape</li>
<li><a href="livez">Liveness</a>: whether the process answers</li>
<li><a href="readyz">Readiness</a>: whether it can serve</li>
</ul>
</body>
</html>
"""


class OwnMetricsMissingError(Exception):
    """The runtime's own metrics are not among those that were collected."""

    def __init__(self) -> None:
        super().__init__("the runtime's own metrics could not be collected")


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


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response; the headers include Content-Type and Content-Length, no hop-by-hop one."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def reason(self) -> str:
        """The phrase that goes with the status."""
        return HTTPStatus(self.status).phrase


class Exposition:
    """What is answered to a scraper and to a probe; thread-safe.

    Scrapes at the same time share a rendering, see :class:`Flights`; whole pages, restricted ones and the readiness
    check are computed in threads of their own, never in the caller's, so that none waits for another kind.

    Args:
        registry: What /metrics exposes; of a CollectorRegistry, each collector is isolated from the others.
        ready: Whether the host can serve; asked on every /readyz, without it always ready. One that raises is reported
            as a failed hook, and that, or one that does not answer in time, means not ready.
        observers: Told :class:`ScrapeFailed` when *registry* could not be rendered.
        fallback: Collects the runtime's own metrics. They are exposed alone when *registry* raises, and a page without
            any of them is answered 503. None: the runtime has none there.
        timeout: Seconds after which nobody waits for a rendering or the readiness check any more.
        reuse: Seconds for which a rendering that many waited for is given to those who come later.
    """

    def __init__(  # noqa: PLR0913 - published
        self,
        registry: Source,
        *,
        ready: Callable[[], bool] | None = None,
        observers: Observers | None = None,
        fallback: Source | None = None,
        timeout: float = RENDER_TIMEOUT,
        reuse: float = PAGE_REUSE,
    ) -> None:
        self.registry = registry
        self.observers = Observers() if observers is None else observers
        self.timeout = timeout
        self._ready = ready
        sources = [isolated(registry, self.observers)]
        self._sources = sources if fallback is None else [_WithOwn(source) for source in (*sources, fallback)]
        self._telling = Background("oneiric-exposition-telling")
        self._pages = Flights(self._compute, name="oneiric-exposition", timeout=timeout, reuse=reuse)
        self._restricted = Flights(self._compute_some, name="oneiric-restricted", timeout=timeout, reuse=reuse)
        self._readiness = Flights(self._check_readiness, name="oneiric-readiness", timeout=timeout)

    def respond(
        self, *, method: str, path: str, query: str = "", accept: str = "", accept_encoding: str = ""
    ) -> Response:
        """Answer a request, within the timeout; never raises an Exception.

        Only GET and HEAD of ``/metrics`` (also with a slash at its end), ``/livez``, ``/readyz`` and ``/``, a page of
        links to them, are answered. The exposition is in the
        text format 0.0.4, or in OpenMetrics 1.0 for who asks for that and does not prefer the former; names outside the
        classic character set are escaped with underscores in both. What cannot be rendered, or not in time, is reported
        and answered 503 with a line that says why, so that the scrape fails and ``up`` becomes 0.

        Args:
            method: As in the request.
            path: Without query.
            query: Without its question mark; each ``name[]`` in it is the name of samples that are wanted, no others.
            accept: The Accept header.
            accept_encoding: The Accept-Encoding header.
        """
        future = self.submit(method=method, path=path, query=query, accept=accept, accept_encoding=accept_encoding)
        try:
            response = future.result(self.timeout)
        except Exception as error:  # noqa: BLE001 - isolation is the job: foreign code was called
            response = self.failed(error, path=path)
        return response if method != "HEAD" else replace(response, body=b"")

    def submit(
        self, *, method: str, path: str, query: str = "", accept: str = "", accept_encoding: str = ""
    ) -> Future[Response]:
        """Return what will have the response of :meth:`respond`, with a body even for HEAD; never waits.

        What it raises, and a timeout, are for :meth:`failed`.
        """
        if path == READYZ_PATH and method in _METHODS and self._ready is not None:
            return self._readiness.ask(None)
        if path in METRICS_PATHS and method in _METHODS:
            request_yields()
            page = Page(
                openmetrics=prefers_openmetrics(accept),
                compressed=accepts_gzip(accept_encoding),
                names=wanted_names(query),
            )
            if interrupts_counting():  # another thread would wait for this one
                return _done(self._render(_render_some if page.names else _render_all, [page])[page])
            return (self._restricted if page.names else self._pages).ask(page)
        return _done(_immediate(method, path))

    def failed(self, error: BaseException, *, path: str) -> Response:
        """Return the answer to a request that came to nothing because of *error*, which is reported; never waits."""
        if path == READYZ_PATH:
            self._telling.call(lambda: self.observers.hook_failed("readiness", error))
            return _NOT_READY
        self._telling.call(lambda: self._tell(error))
        return _no_page(error)

    def _check_readiness(self, keys: Iterable[None]) -> dict[None, Response]:
        try:
            ready = self._ready is None or self._ready()
        except Exception as error:  # noqa: BLE001 - isolation is the job: the host's callable
            self.observers.hook_failed("readiness", error)
            ready = False
        return dict.fromkeys(keys, _READY if ready else _NOT_READY)

    def _compute(self, pages: Iterable[Page]) -> dict[Page, Response]:
        return self._render(_render_all, pages)

    def _compute_some(self, pages: Iterable[Page]) -> dict[Page, Response]:
        return self._render(_render_some, pages)

    def _render(
        self, render: Callable[[Source, Iterable[Page]], dict[Page, Response]], pages: Iterable[Page]
    ) -> dict[Page, Response]:
        failure: Exception | None = None
        for source in self._sources:
            try:
                return render(source, pages)
            except OwnMetricsMissingError as error:  # reported where they are collected; the other metrics are no page
                failure = error
                break
            except Exception as error:  # noqa: BLE001 - isolation is the job: anybody's collectors
                self._tell(error)
                failure = error
        return dict.fromkeys(pages, _no_page(failure))

    def _tell(self, error: BaseException) -> None:
        error_type, text = describe(error)
        self.observers.notify(ScrapeFailed(collector="registry", error_type=error_type, error=text))


class _WithOwn:
    """A source that raises OwnMetricsMissingError after its last family, unless one was the runtime's own."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def collect(self) -> Iterable[Metric]:
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


def _render_all(source: Source, pages: Iterable[Page]) -> dict[Page, Response]:
    """Return every page in *pages*, none of them restricted; each format is rendered once."""
    bodies: dict[bool, bytes] = {}
    for page in pages:
        if page.openmetrics not in bodies:
            bodies[page.openmetrics] = render(source, openmetrics=page.openmetrics)
    return {page: _page(page, bodies[page.openmetrics]) for page in pages}


def _render_some(source: Source, pages: Iterable[Page]) -> dict[Page, Response]:
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
            made[same] = _page(same, text_of(wanted, openmetrics=same.openmetrics))
        if same in made:
            answers[page] = made[same]
    return answers


def _immediate(method: str, path: str) -> Response:
    if path not in _PATHS:
        return error_response(HTTPStatus.NOT_FOUND)
    if method not in _METHODS:
        return error_response(HTTPStatus.METHOD_NOT_ALLOWED, ("Allow", "GET, HEAD"))
    return _IMMEDIATE[path]


def _done(response: Response) -> Future[Response]:
    future: Future[Response] = Future()
    future.set_result(response)
    return future


def _no_page(error: BaseException | None) -> Response:
    """Return what a scraper takes for a failed scrape, with a line that says why but nothing of foreign texts."""
    if isinstance(error, OwnMetricsMissingError):
        why = f"{error}; the log says why"
    elif isinstance(error, TimeoutError):
        why = "the metrics could not be collected in time"
    else:
        why = f"the metrics could not be collected: {type(error).__name__}"
    return _response(HTTPStatus.SERVICE_UNAVAILABLE, f"{why}\n".encode())


def _page(page: Page, body: bytes) -> Response:
    content_type = OPENMETRICS_CONTENT_TYPE if page.openmetrics else TEXT_CONTENT_TYPE
    vary = ("Vary", "Accept, Accept-Encoding")
    if not page.compressed or len(body) < MIN_GZIP_BYTES:
        return _response(HTTPStatus.OK, body, vary, content_type=content_type)
    body = gzip.compress(body, compresslevel=_GZIP_LEVEL, mtime=0)
    return _response(HTTPStatus.OK, body, vary, ("Content-Encoding", "gzip"), content_type=content_type)


@functools.cache
def error_response(status: HTTPStatus, *headers: tuple[str, str]) -> Response:
    """Return a refusal whose body is the phrase of *status*, so that nothing of the request is reflected."""
    return _response(status, f"{status.phrase.lower()}\n".encode(), *headers)


def _response(
    status: HTTPStatus, body: bytes, *headers: tuple[str, str], content_type: str = _PLAIN_CONTENT_TYPE
) -> Response:
    common = (("Content-Type", content_type), ("Content-Length", str(len(body))), ("Cache-Control", "no-store"))
    return Response(status.value, common + headers, body)


_ALIVE: Final = _response(HTTPStatus.OK, b"ok\n")
_READY: Final = _response(HTTPStatus.OK, b"ready\n")
_NOT_READY: Final = _response(HTTPStatus.SERVICE_UNAVAILABLE, b"not ready\n")
_IMMEDIATE: Final = {
    LIVEZ_PATH: _ALIVE,
    READYZ_PATH: _READY,
    LANDING_PATH: _response(HTTPStatus.OK, _LANDING, content_type="text/html; charset=utf-8"),
}
