"""The page that leads through the examples: each starts by its commands, and every number on its page is right."""

from __future__ import annotations

import collections
import json
import re
import socket
from typing import TYPE_CHECKING, Any

import pytest
from applications import COMMANDS, SECONDS, Application, Page, page, post, take_orders
from documents import APPLICATIONS, ROOT
from processes import get

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Start = Callable[[str], Application]

pytestmark = pytest.mark.slow  # each starts processes

FASTAPI, FASTAPI_WORKERS, FLASK, FLASK_PRELOADED, ASYNCIO, REGISTRY, TRACED = COMMANDS
SCRAPES = 12
"""As many as it takes to meet several of four workers, mostly."""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start an example, to be stopped when the test is over."""
    started: list[Application] = []

    def run(commands: str) -> Application:
        started.append(Application.start(commands, tmp_path))
        return started[-1]

    yield run
    for application in started:
        application.stop()


def hook_errors(shown: Page) -> float:
    """Return how many failures of telemetry are reported."""
    return shown.value("oneiric_observability_hook_errors_total")


def test_fastapi_with_one_worker(start: Start) -> None:
    """Every order, and the activation before the first, is on the page beside the application's own metric."""
    application = start(FASTAPI)
    take_orders(application)
    shown = application.page()
    assert shown.value("oneiric_resolution_total", key="prices") == 41
    assert shown.value("oneiric_lifecycle_swap_total", outcome="success") == 1
    assert shown.value("shop_orders_total", item="tea") == 40
    assert hook_errors(shown) == 0
    assert [get(f"{application.url}/metrics/{probe}") for probe in ("livez", "readyz")] == ["ok\n", "ready\n"]


@pytest.mark.slow
def test_fastapi_with_four_workers(start: Start) -> None:
    """Every scrape shows the orders of all workers, but of the application's own metric those of one."""
    application = start(FASTAPI_WORKERS)
    application.printed("Application startup complete", times=4)
    orders = collections.Counter(answer["worker"] for answer in take_orders(application))
    pages = [application.page() for _ in range(SCRAPES)]
    assert {shown.value("oneiric_resolution_total", key="prices") for shown in pages} == {40 + len(orders)}
    assert {shown.value("oneiric_lifecycle_swap_total", outcome="success") for shown in pages} == {len(orders)}
    assert {own_orders(shown) for shown in pages} <= {0.0, *orders.values()}
    assert {hook_errors(shown) for shown in pages} == {0}


def own_orders(shown: Page) -> float:
    """Return how many orders the process that made the page has taken; it may have taken none."""
    return shown.value("shop_orders_total") if "shop_orders_total{" in shown.text else 0.0


@pytest.mark.slow
@pytest.mark.parametrize("commands", [FLASK, FLASK_PRELOADED], ids=["forked first", "preloaded"])
def test_flask_under_gunicorn(start: Start, commands: str) -> None:
    """Every scrape shows the orders of all workers, also in the application's own metric; no thread was forked."""
    application = start(commands)
    application.printed("Booting worker", times=4)
    take_orders(application)
    for _ in range(SCRAPES):
        shown = application.page()
        assert shown.value("oneiric_resolution_total", key="prices") == 40
        assert shown.value("oneiric_resolution_duration_seconds_count", key="prices") == 40
        assert shown.value("shop_orders_total", item="tea") == 40
        assert hook_errors(shown) == 0
    application.stop()
    assert "multi-threaded" not in application.log.read_text(encoding="utf-8")


def test_an_asyncio_service_with_its_own_logging(start: Start) -> None:
    """The runtime's lines have the form, the context and the place of the service's, and its numbers are right."""
    application = start(ASYNCIO)
    port = int(application.printed(r'"shop-open".*"port": (\d+)[,}]')[1])
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as client:
        client.sendall(b"tea\n" * 40)
        client.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: client.recv(65_536), b""))
    metrics = int(application.printed(r'"metrics-server-started".*"port": (\d+)[,}]')[1])
    shown = page(f"http://127.0.0.1:{metrics}/metrics")
    application.stop()
    lines = [json.loads(line) for line in application.log.read_text(encoding="utf-8").splitlines()]
    by_event = {line["event"]: line for line in lines}
    assert answer == b"10\n" * 40
    assert metrics != 9464
    assert shown.value("oneiric_resolution_total", key="prices") == 41
    assert hook_errors(shown) == 0
    assert {line["shop"] for line in lines if line["logger"] != "shop.connections"} == {"north"}
    assert by_event["swap-complete"]["key"] == "prices"
    assert {"shop-open", "shop-closed", "a client left", "metrics-server-started"} <= by_event.keys()
    assert all({"at", "event", "level", "logger"} <= line.keys() for line in lines)


def test_a_registry_that_exists_already(start: Start) -> None:
    """Oneiric's metrics stand beside the application's on the page of prometheus_client, each once."""
    application = start(REGISTRY)
    take_orders(application)
    shown = application.page()
    assert shown.value("oneiric_resolution_total", key="prices") == 40
    assert shown.value("shop_orders_total", item="tea") == 40
    assert shown.value("python_info") == 1
    assert hook_errors(shown) == 0


def test_an_application_instrumented_with_opentelemetry(start: Start) -> None:
    """The swap's span is a child of the request's, and its log line and the exemplars lead to the same trace."""
    application = start(TRACED)
    assert post(f"{application.url}/prices/reload") == {"provider": "fixed"}
    text = application.page("application/openmetrics-text").text
    application.stop()
    log = application.log.read_text(encoding="utf-8")
    spans = {span["name"]: span for span in map(json.loads, re.findall(r"^\{\n.*?^\}$", log, re.MULTILINE | re.DOTALL))}
    request, swap = spans["POST /prices/reload"], spans["oneiric.lifecycle.swap"]
    (line,) = (line for line in one_line_objects(log) if line["event"] == "swap-complete")
    trace = line["trace_id"]
    assert swap["parent_id"] == request["context"]["span_id"]
    assert {span["context"]["trace_id"] for span in (request, swap)} == {f"0x{trace}"}
    assert {span["resource"]["attributes"]["service.name"] for span in (request, swap)} == {"shop"}
    assert f'trace_id="{trace}"' in text


def one_line_objects(log: str) -> list[dict[str, Any]]:
    """Return the log lines among whatever else was printed."""
    return [json.loads(line) for line in log.splitlines() if line.startswith('{"')]


def test_what_the_page_quotes_is_in_the_examples() -> None:
    """Each excerpt on the page stands in one of the examples, and each example is on the page."""
    page = (ROOT / APPLICATIONS).read_text(encoding="utf-8")
    programs = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "examples").glob("*.py")}
    excerpts = re.findall(r"^```py\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert excerpts
    assert [excerpt for excerpt in excerpts if not any(excerpt in program for program in programs.values())] == []
    assert [name for name in programs if f"(examples/{name})" not in page] == []
