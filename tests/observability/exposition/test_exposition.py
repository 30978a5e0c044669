"""What is answered to a scraper and to a probe."""

from __future__ import annotations

import gzip
import threading
import time
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import parse_qs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.registry import Collector

from oneiric.core.events import HookFailed
from oneiric.observability import attach
from oneiric.observability.events import ScrapeFailed
from oneiric.observability.exposition import (
    MAX_RESTRICTED,
    MIN_GZIP_BYTES,
    OPENMETRICS_CONTENT_TYPE,
    TEXT_CONTENT_TYPE,
    Exposition,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future

    from prometheus_client import Metric
    from support import Recorder

    from oneiric.core.observers import Observers
    from oneiric.observability.exposition import Response

PROMETHEUS_2_42 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_2_42_NATIVE_HISTOGRAMS = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,"
    "application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_3_TEXT_FIRST = (
    "text/plain;version=0.0.4;q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,*/*;q=0.4"
)


@pytest.fixture
def registry() -> CollectorRegistry:
    """A registry with one small counter."""
    registry = CollectorRegistry()
    Counter("swaps", "Swaps.", ["key"], registry=registry).labels("cache").inc(3)
    return registry


@pytest.fixture
def exposition(registry: CollectorRegistry, observers: Observers) -> Exposition:
    """An exposition of :func:`registry`."""
    return Exposition(registry, observers=observers)


class Broken(Collector):
    """A collector that cannot collect."""

    def collect(self) -> NoReturn:
        """Raise."""
        raise RuntimeError("token=abc")


def headers_of(response: Response) -> dict[str, str]:
    """Return the headers, of which none may be there twice."""
    headers = dict(response.headers)
    assert len(headers) == len(response.headers)
    return headers


def widen(registry: CollectorRegistry) -> None:
    """Add enough to *registry* for its exposition to be worth compressing."""
    Counter("wide", "x" * MIN_GZIP_BYTES, registry=registry)


def test_metrics_are_exposed_in_the_text_format_by_default(exposition: Exposition) -> None:
    """Who says nothing of formats gets the text format 0.0.4, readable by its parser."""
    response = exposition.respond(method="GET", path="/metrics")
    samples = {(s.name, s.value) for family in parse_text(response.body.decode()) for s in family.samples}
    assert (response.status, headers_of(response)["Content-Type"]) == (200, TEXT_CONTENT_TYPE)
    assert ("swaps_total", 3.0) in samples


def test_metrics_are_exposed_in_openmetrics_when_asked(exposition: Exposition) -> None:
    """Who asks for OpenMetrics gets version 1.0, readable by its parser, which insists on the end marker."""
    response = exposition.respond(method="GET", path="/metrics", accept="application/openmetrics-text")
    samples = {(s.name, s.value) for family in parse_openmetrics(response.body.decode()) for s in family.samples}
    assert (response.status, headers_of(response)["Content-Type"]) == (200, OPENMETRICS_CONTENT_TYPE)
    assert ("swaps_total", 3.0) in samples


def test_headers_of_an_exposition_are_complete(exposition: Exposition) -> None:
    """An exposition states its type and length, is not stored, and varies with what was negotiated."""
    response = exposition.respond(method="GET", path="/metrics")
    assert headers_of(response) == {
        "Content-Type": TEXT_CONTENT_TYPE,
        "Content-Length": str(len(response.body)),
        "Cache-Control": "no-store",
        "Vary": "Accept, Accept-Encoding",
    }


@pytest.mark.parametrize(
    "accept",
    [
        PROMETHEUS_2_42,
        PROMETHEUS_2_42_NATIVE_HISTOGRAMS,
        PROMETHEUS_3,
        "application/openmetrics-text;version=1.0.0",
        'application/openmetrics-text; version="1.0.0"; charset=utf-8',
        "APPLICATION/OpenMetrics-Text; Version=1.0.0",
        "text/plain,application/openmetrics-text",
        "text/plain;q=0.5,application/openmetrics-text;q=0.5",
        "application/openmetrics-text;q=0.001,text/plain;q=0",
        "application/openmetrics-text;version=0.0.1,application/openmetrics-text;version=1.0.0;q=0.1",
        "application/openmetrics-text;q=0.3,*/*;q=0.2",
    ],
)
def test_openmetrics_is_chosen_where_asked_for_and_not_less_wanted(exposition: Exposition, accept: str) -> None:
    """OpenMetrics is what scrapers get that name it, unless they want the text format more."""
    response = exposition.respond(method="GET", path="/metrics", accept=accept)
    assert headers_of(response)["Content-Type"] == OPENMETRICS_CONTENT_TYPE


@pytest.mark.parametrize(
    "accept",
    [
        PROMETHEUS_3_TEXT_FIRST,
        "",
        "*/*",
        "application/*",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "text/plain;version=1.0.0;escaping=allow-utf-8",
        "application/openmetrics-text;version=0.0.1",
        "application/openmetrics-text;version=2.0.0",
        "application/openmetrics-text;version=x",
        "application/openmetrics-text;q=0",
        "application/openmetrics-text;q=0,text/plain;q=0",
        "application/openmetrics-text;q=0.4,*/*;q=0.5",
        "application/openmetrics-text;q=high",
        "application/openmetrics-text;q=nan",
        "application/openmetrics-text;q=2",
        ";;q=,,;=,",
    ],
)
def test_the_text_format_is_chosen_otherwise(exposition: Exposition, accept: str) -> None:
    """A wildcard, another version, a refusal or a malformed weight does not ask for OpenMetrics 1.0."""
    response = exposition.respond(method="GET", path="/metrics", accept=accept)
    assert (response.status, headers_of(response)["Content-Type"]) == (200, TEXT_CONTENT_TYPE)


@pytest.mark.parametrize("accept_encoding", ["gzip", "GZIP", "x-gzip", "*", "deflate, gzip;q=0.1", "gzip;q=1.000"])
def test_an_exposition_is_compressed_where_accepted(
    registry: CollectorRegistry, exposition: Exposition, accept_encoding: str
) -> None:
    """Compressed, the exposition is the same, and the length is that of what is sent."""
    widen(registry)
    plain = exposition.respond(method="GET", path="/metrics")
    response = exposition.respond(method="GET", path="/metrics", accept_encoding=accept_encoding)
    headers = headers_of(response)
    assert gzip.decompress(response.body) == plain.body
    assert (headers["Content-Encoding"], headers["Content-Length"]) == ("gzip", str(len(response.body)))


@pytest.mark.parametrize("accept_encoding", ["", "identity", "gzip;q=0", "gzip;q=0.000, *", "gzip;q=x", "br, zstd"])
def test_an_exposition_is_not_compressed_otherwise(
    registry: CollectorRegistry, exposition: Exposition, accept_encoding: str
) -> None:
    """``gzip;q=0`` refuses compression even beside a wildcard."""
    widen(registry)
    response = exposition.respond(method="GET", path="/metrics", accept_encoding=accept_encoding)
    assert "Content-Encoding" not in headers_of(response)


@pytest.mark.parametrize(("size", "encoding"), [(MIN_GZIP_BYTES - 1, None), (MIN_GZIP_BYTES, "gzip")])
def test_compression_begins_at_its_bound(size: int, encoding: str | None) -> None:
    """An exposition one byte below the bound is sent as it is."""
    registry = CollectorRegistry()
    Gauge("a", "x" * (size - len("# HELP a \n# TYPE a gauge\na 0.0\n")), registry=registry)
    response = Exposition(registry).respond(method="GET", path="/metrics", accept_encoding="gzip")
    assert headers_of(response).get("Content-Encoding") == encoding


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz", "/nothing"])
def test_head_is_answered_like_get_without_the_body(exposition: Exposition, path: str) -> None:
    """HEAD has the status and headers of GET, the length included."""
    get = exposition.respond(method="GET", path=path)
    head = exposition.respond(method="HEAD", path=path)
    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "get", ""])
def test_another_method_is_refused(exposition: Exposition, method: str) -> None:
    """Whatever is neither GET nor HEAD is answered 405, with what is allowed."""
    response = exposition.respond(method=method, path="/metrics")
    assert (response.status, response.body, headers_of(response)["Allow"]) == (
        405,
        b"method not allowed\n",
        "GET, HEAD",
    )


@pytest.mark.parametrize(
    "path", ["", "//", "/metrics//", "//metrics", "/Metrics", "/metrics?x", "/metric", "/%6detrics", "*", "/<script>"]
)
def test_another_path_is_not_found_and_not_reflected(exposition: Exposition, path: str) -> None:
    """Only the known paths exist, exactly, and an answer repeats nothing of the request."""
    response = exposition.respond(method="GET", path=path)
    assert (response.status, response.body) == (404, b"not found\n")


def test_liveness_is_answered_without_looking_at_anything(observers: Observers, recorder: Recorder) -> None:
    """/livez answers even when nothing can be collected and nothing is ready."""
    registry = CollectorRegistry()
    registry.register(Broken())
    response = Exposition(registry, ready=lambda: False, observers=observers).respond(method="GET", path="/livez")
    assert (response.status, response.body, recorder.told) == (200, b"ok\n", [])


def test_a_host_without_a_readiness_check_is_ready(exposition: Exposition) -> None:
    """Nothing to ask means ready."""
    response = exposition.respond(method="GET", path="/readyz")
    assert (response.status, response.body) == (200, b"ready\n")


@pytest.mark.parametrize(("ready", "expected"), [(True, (200, b"ready\n")), (False, (503, b"not ready\n"))])
def test_readiness_is_what_the_host_says(registry: CollectorRegistry, ready: bool, expected: tuple[int, bytes]) -> None:
    """/readyz asks the host each time."""
    response = Exposition(registry, ready=lambda: ready).respond(method="GET", path="/readyz")
    assert (response.status, response.body) == expected


def test_a_readiness_check_that_raises_means_not_ready(
    registry: CollectorRegistry, observers: Observers, recorder: Recorder
) -> None:
    """The error is reported as that of a hook, and the probe is answered 503."""

    def ready() -> bool:
        raise OSError("disk gone")

    response = Exposition(registry, ready=ready, observers=observers).respond(method="GET", path="/readyz")
    assert (response.status, response.body) == (503, b"not ready\n")
    assert recorder.told == [HookFailed(sink="readiness", error_type="OSError", error="disk gone")]


def test_a_scrape_that_fails_altogether_is_contained(observers: Observers, recorder: Recorder) -> None:
    """It is answered 503, with a line that has not a word of the error's text, which is reported, redacted."""
    response = Exposition(Broken(), observers=observers).respond(method="GET", path="/metrics")
    assert (response.status, response.body) == (503, b"the metrics could not be collected: RuntimeError\n")
    assert headers_of(response)["Content-Type"] == "text/plain; charset=utf-8"
    assert recorder.told == [ScrapeFailed(collector="registry", error_type="RuntimeError", error="token=***")]


def sample_names(response: Response) -> list[str]:
    """Return the name of every sample, in order."""
    return [sample.name for family in parse_text(response.body.decode()) for sample in family.samples]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("name[]=swaps_total", {"swaps_total"}),
        ("name%5B%5D=swaps_total&x=y&name[]=size_bucket", {"swaps_total", "size_bucket"}),
        ("name[]=swaps_total&name[]=&name[]", {"swaps_total"}),
        ("name[]=swaps", set()),
        ("name[]=%73waps%5Ftotal", {"swaps_total"}),
        ("name[]=nothing&name[]=%00&name[]=%ff&name[]=<script>", set()),
        ("name[]=" + "x" * 30_000, set()),
        ("name=swaps_total", {"swaps_total", "swaps_created", "size_bucket", "size_count", "size_sum", "size_created"}),
        ("name[]=", {"swaps_total", "swaps_created", "size_bucket", "size_count", "size_sum", "size_created"}),
        ("&".join(f"name[]=n{number}" for number in range(3000)), set()),
    ],
)
def test_names_restrict_the_samples(
    registry: CollectorRegistry, exposition: Exposition, query: str, names: set[str]
) -> None:
    """The page has what prometheus_client's own endpoint shows for the same names; odd ones name nothing."""
    Histogram("size", "Size.", registry=registry).observe(1)
    response = exposition.respond(method="GET", path="/metrics", query=query)
    assert (response.status, set(sample_names(response))) == (200, names)
    asked = parse_qs(query).get("name[]")
    theirs = registry.restricted_registry(asked) if asked else registry
    assert sorted(response.body.splitlines()) == sorted(generate_latest(theirs).splitlines())


def test_restricted_pages_share_a_collection(registry: CollectorRegistry) -> None:
    """However many different restrictions are asked for at once, the collectors are asked once."""
    collected = 0
    gate, entered = threading.Event(), threading.Event()

    class Counting(Collector):
        def collect(self) -> Iterable[Metric]:
            nonlocal collected
            collected += 1
            entered.set()
            assert gate.wait(120)
            return []

    registry.register(Counting())
    collected = 0
    exposition = Exposition(registry)
    queries = [f"name[]=n{number}" for number in range(100)]
    first = exposition.submit(method="GET", path="/metrics", query="name[]=swaps_total")
    assert entered.wait(120)
    answers = [exposition.submit(method="GET", path="/metrics", query=query) for query in queries]
    gate.set()
    assert {answer.result(10).status for answer in (first, *answers)} == {200}
    assert collected == 2


class Sizes(Collector):
    """A collector of many families that notes who is answered when it is asked, and waits to be told to go on."""

    def __init__(self, exposition: Callable[[], list[Future[Response]]]) -> None:
        self.answered: list[int] = []
        self.entered = threading.Event()
        self.gate = threading.Event()
        self._answers = exposition

    def collect(self) -> Iterable[Metric]:
        """Return the families."""
        self.answered.append(sum(answer.done() for answer in self._answers()))
        self.entered.set()
        assert self.gate.wait(120)
        return [GaugeMetricFamily(f"size_{number}", "Size.", value=number) for number in range(20)]


def test_restricted_pages_are_rendered_a_few_at_a_time() -> None:
    """Of many different ones a few are ready after each collection, in turn; names without a sample tell none apart."""
    answers: list[Future[Response]] = []
    sizes = Sizes(lambda: answers)
    exposition = Exposition(sizes)
    queries = [f"name[]=size_{number}&name[]={odd}" for number in range(10) for odd in "ab"]
    answers.append(exposition.submit(method="GET", path="/metrics", query="name[]=first"))
    assert sizes.entered.wait(120)
    answers.extend(exposition.submit(method="GET", path="/metrics", query=query) for query in queries)
    sizes.gate.set()
    pages = [answer.result(10) for answer in answers]
    assert sizes.answered == [0, 1, 1 + 2 * MAX_RESTRICTED, 1 + 4 * MAX_RESTRICTED]
    assert [sample_names(page) for page in pages[1::2]] == [[f"size_{number}"] for number in range(10)]
    assert [page.body for page in pages[1::2]] == [page.body for page in pages[2::2]]


def test_a_whole_page_does_not_wait_for_restricted_ones() -> None:
    """While restricted pages are collected, a whole one is answered."""
    sizes = Sizes(list)
    exposition = Exposition(sizes)
    held = exposition.submit(method="GET", path="/metrics", query="name[]=size_1")
    assert sizes.entered.wait(120)
    sizes.entered.clear()
    whole = exposition.submit(method="GET", path="/metrics")
    assert sizes.entered.wait(120)
    sizes.gate.set()
    assert (len(sample_names(whole.result(10))), sample_names(held.result(10))) == (20, ["size_1"])


def test_names_beyond_hundreds_are_left_out(exposition: Exposition) -> None:
    """So many names are looked at and no more, as they are held while others are served."""
    names = [f"name[]=n{number}" for number in range(255)]
    bodies = [
        exposition.respond(method="GET", path="/metrics", query="&".join([*odd, "name[]=swaps_total"])).body
        for odd in (names, [*names, "name[]=n255"])
    ]
    assert [b"swaps_total" in body for body in bodies] == [True, False]


def test_a_fallback_is_exposed_where_the_source_fails(observers: Observers) -> None:
    """One's own metrics are exposed even where what they are a part of raises."""
    with attach(observers) as telemetry:
        exposition = Exposition(Broken(), observers=observers, fallback=telemetry.collector)
        response = exposition.respond(method="GET", path="/metrics")
    assert (response.status, {name.partition("_")[0] for name in sample_names(response)}) == (200, {"oneiric"})


@pytest.mark.parametrize("query", ["", "name[]=swaps_total", "name[]=nothing"])
def test_a_page_without_the_runtimes_own_metrics_is_no_page(
    registry: CollectorRegistry, observers: Observers, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    """Where the runtime's metrics cannot be collected the answer is 503, whatever else there is; then 200 again."""
    with attach(observers, registry=registry) as telemetry:
        exposition = telemetry.exposition()
        with monkeypatch.context() as patch:
            patch.setattr(telemetry._sink._scrape, "_copies", lambda _: 1 / 0)
            response = exposition.respond(method="GET", path="/metrics", query=query)
        assert (response.status, response.body) == (
            503,
            b"the runtime's own metrics could not be collected; the log says why\n",
        )
        assert exposition.respond(method="GET", path="/metrics", query=query).status == 200


def test_a_foreign_collectors_failure_costs_its_own_families_only(
    registry: CollectorRegistry, observers: Observers
) -> None:
    """The page is a page where somebody else's collector fails, and an empty one where nothing has the names wanted."""
    with attach(observers, registry=registry) as telemetry:
        registry.register(Broken())
        exposition = telemetry.exposition()
        page = exposition.respond(method="GET", path="/metrics")
        nothing = exposition.respond(method="GET", path="/metrics", query="name[]=nothing")
    assert (page.status, {"swaps_total", "oneiric_build_info"} <= {*sample_names(page)}) == (200, True)
    assert (nothing.status, nothing.body) == (200, b"")


def test_what_is_detached_has_no_page(registry: CollectorRegistry, observers: Observers) -> None:
    """An exposition that outlives its telemetry answers 503: a scrape must not find everything well."""
    telemetry = attach(observers, registry=registry)
    exposition = telemetry.exposition()
    telemetry.detach()
    assert exposition.respond(method="GET", path="/metrics").status == 503


class Ending(Collector):
    """A collector that ends the interpreter, or tries to."""

    def collect(self) -> NoReturn:
        """Raise."""
        raise SystemExit(3)


@pytest.mark.parametrize("broken", [Broken(), Ending()], ids=["an error", "an exit"])
def test_the_collectors_of_anybodys_registry_are_isolated(
    registry: CollectorRegistry, exposition: Exposition, recorder: Recorder, broken: Collector
) -> None:
    """In a registry of somebody else's, too, a collector that raises costs its own families only, and is named."""
    registry.register(broken)
    response = exposition.respond(method="GET", path="/metrics")
    assert (response.status, sample_names(response)[0]) == (200, "swaps_total")
    assert [failed.collector for failed in recorder.of(ScrapeFailed)] == [type(broken).__name__]


@pytest.mark.slow
def test_collectors_that_hang_are_waited_for_together(registry: CollectorRegistry, exposition: Exposition) -> None:
    """Four collectors that hang cost a scrape 2 s, not 8, and the next one nothing; the others are exposed in both."""
    gate = threading.Event()

    class Hanging(Collector):
        def describe(self) -> Iterable[Metric]:
            return []

        def collect(self) -> Iterable[Metric]:
            gate.wait(60)
            return []

    for _ in range(4):
        registry.register(Hanging())
    registry.register(Gauges())
    for _ in range(2):
        names = sample_names(exposition.respond(method="GET", path="/metrics"))
        assert {"swaps_total", "level"} <= set(names)
    gate.set()


class Gauges(Collector):
    """A collector of one gauge."""

    def collect(self) -> Iterable[Metric]:
        """Return it."""
        return [GaugeMetricFamily("level", "Level.", value=1)]


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text"])
def test_a_rendering_that_hangs_is_given_up(observers: Observers, recorder: Recorder, accept: str) -> None:
    """Who waited is answered 503, who comes later too and at once; the failures are counted."""
    gate = threading.Event()

    class Hanging(CollectorRegistry):
        def collect(self) -> Iterable[Metric]:
            assert gate.wait(120)
            return []

    exposition = Exposition(Hanging(), observers=observers, timeout=0.05)
    answers = [exposition.respond(method="GET", path="/metrics", accept=accept) for _ in range(2)]
    alive = exposition.respond(method="GET", path="/livez")
    gate.set()
    late = (503, b"the metrics could not be collected in time\n")
    assert [(answer.status, answer.body) for answer in answers] == [late] * 2
    assert alive.status == 200
    assert eventually(lambda: len(recorder.of(ScrapeFailed)) == 2)
    assert {failed.error_type for failed in recorder.of(ScrapeFailed)} == {"TimeoutError"}


def test_a_readiness_check_that_hangs_means_not_ready(observers: Observers, recorder: Recorder) -> None:
    """The probe is answered 503 in time, and scrapes are not held up."""
    gate = threading.Event()
    exposition = Exposition(CollectorRegistry(), ready=lambda: gate.wait(10), observers=observers, timeout=0.05)
    answer, page = (exposition.respond(method="GET", path=path) for path in ("/readyz", "/metrics"))
    gate.set()
    assert (answer.status, page.status) == (503, 200)
    assert eventually(lambda: [failed.sink for failed in recorder.of(HookFailed)] == ["readiness"])


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether *condition* comes true within seconds."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)  # for what is told in the background
    return False


@settings(deadline=None)
@given(
    method=st.sampled_from(["GET", "HEAD", "POST"]),
    path=st.text(),
    query=st.text(),
    accept=st.text(),
    accept_encoding=st.text(),
)
def test_every_request_is_answered(method: str, path: str, query: str, accept: str, accept_encoding: str) -> None:
    """No request, whatever its headers, makes an exposition raise, and every length stated is right."""
    exposition = Exposition(CollectorRegistry())
    for asked in (path, "/metrics"):
        response = exposition.respond(
            method=method, path=asked, query=f"name[]={query}", accept=accept, accept_encoding=accept_encoding
        )
        assert response.status < 500
        assert method == "HEAD" or headers_of(response)["Content-Length"] == str(len(response.body))
