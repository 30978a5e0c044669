"""Answer /metrics, /livez, /readyz and /: what the metrics server, the WSGI app and the ASGI app have in common."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING

from oneiric.core.concurrency import Background
from oneiric.core.limits import PAGE_REUSE, RENDER_TIMEOUT
from oneiric.core.observers import Observers
from oneiric.core.redaction import describe
from oneiric.observability.events import ScrapeFailed
from oneiric.observability.exposition.isolation import isolated
from oneiric.observability.exposition.negotiation import accepts_gzip, prefers_openmetrics, wanted_names
from oneiric.observability.exposition.rendering import Page, WithOwn, render_all, render_some
from oneiric.observability.exposition.responses import (
    METHODS,
    METRICS_PATHS,
    NOT_READY,
    READY,
    READYZ_PATH,
    OwnMetricsMissingError,
    Response,
    immediate,
    no_page,
)
from oneiric.observability.exposition.single_flight import SingleFlight
from oneiric.observability.metrics import interrupts_counting, request_yields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from oneiric.observability.exposition.rendering import Source


class Exposition:
    """What is answered to a scraper and to a probe; thread-safe.

    Scrapes at the same time share a rendering, see :class:`SingleFlight`. Whole pages, restricted ones and the
    readiness check are computed in threads of their own, never in the caller's, so that none waits for another kind.

    Args:
        registry: What /metrics exposes; of a CollectorRegistry, each collector is isolated from the others.
        ready: Whether the host can serve; asked on every /readyz, without it always ready. One that raises is reported
            as a failed hook, and that, or one that does not answer in time, means not ready.
        observers: Notified of :class:`ScrapeFailed` when *registry* could not be rendered.
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
        self._sources = sources if fallback is None else [WithOwn(source) for source in (*sources, fallback)]
        self._reporting = Background("oneiric-exposition-reports")
        self._pages = SingleFlight(self._compute, name="oneiric-exposition", timeout=timeout, reuse=reuse)
        self._restricted = SingleFlight(self._compute_some, name="oneiric-restricted", timeout=timeout, reuse=reuse)
        self._readiness = SingleFlight(self._check_readiness, name="oneiric-readiness", timeout=timeout)

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
        if path == READYZ_PATH and method in METHODS and self._ready is not None:
            return self._readiness.ask(None)
        if path in METRICS_PATHS and method in METHODS:
            request_yields()
            page = Page(
                openmetrics=prefers_openmetrics(accept),
                compressed=accepts_gzip(accept_encoding),
                names=wanted_names(query),
            )
            if interrupts_counting():  # another thread would wait for this one
                return _done(self._render(render_some if page.names else render_all, [page])[page])
            return (self._restricted if page.names else self._pages).ask(page)
        return _done(immediate(method, path))

    def failed(self, error: BaseException, *, path: str) -> Response:
        """Return the answer to a request that came to nothing because of *error*, which is reported; never waits."""
        if path == READYZ_PATH:
            self._reporting.call(lambda: self.observers.hook_failed("readiness", error))
            return NOT_READY
        self._reporting.call(lambda: self._report(error))
        return no_page(error)

    def _check_readiness(self, keys: Iterable[None]) -> dict[None, Response]:
        try:
            ready = self._ready is None or self._ready()
        except Exception as error:  # noqa: BLE001 - isolation is the job: the host's callable
            self.observers.hook_failed("readiness", error)
            ready = False
        return dict.fromkeys(keys, READY if ready else NOT_READY)

    def _compute(self, pages: Iterable[Page]) -> dict[Page, Response]:
        return self._render(render_all, pages)

    def _compute_some(self, pages: Iterable[Page]) -> dict[Page, Response]:
        return self._render(render_some, pages)

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
                self._report(error)
                failure = error
        return dict.fromkeys(pages, no_page(failure))

    def _report(self, error: BaseException) -> None:
        error_type, text = describe(error)
        self.observers.notify(ScrapeFailed(collector="registry", error_type=error_type, error=text))


def _done(response: Response) -> Future[Response]:
    future: Future[Response] = Future()
    future.set_result(response)
    return future
