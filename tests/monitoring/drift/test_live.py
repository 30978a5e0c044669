"""The check against a live endpoint: what it exposes otherwise, and what files ask for that it does not have."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar

import pytest
from drift_seeds import write_bundle
from processes import Demo, Prometheus, eventually, free_port

from oneiric.monitoring.drift import Options, check

if TYPE_CHECKING:
    from pathlib import Path

EXPOSITION = """# HELP oneiric_lifecycle_instances Instances alive.
# TYPE oneiric_lifecycle_instances gauge
oneiric_lifecycle_instances{domain="adapter"} 1
# TYPE oneiric_lifecycle_swap_total counter
oneiric_lifecycle_swap_total{domain="adapter",key="a \\"} b",outcome="success"} 2
"""
"""Two families as they should be."""

Serve = Callable[[str], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve a text on a free port, and return its URL; the servers stop with the test."""
    servers: list[ThreadingHTTPServer] = []

    def start(text: str) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200 if self.path == "/metrics" else 404)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        return f"http://127.0.0.1:{server.server_port}/metrics"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


class Odd(BaseHTTPRequestHandler):
    """Answers as servers should not, and some do; below /prometheus/ as a Prometheus with a password does."""

    seen: ClassVar[list[tuple[str, str | None]]] = []

    def do_GET(self) -> None:
        """Answer as the first part of the path says."""
        self.seen.append((self.path, self.headers["Authorization"]))
        getattr(self, self.path.strip("/").partition("/")[0])()

    def answer(self, body: bytes, **headers: str) -> None:
        """Answer with *body*."""
        self.send_response(302 if "Location" in headers else 200)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def prometheus(self) -> None:
        """Answer as Prometheus' API does."""
        if self.headers["Authorization"] != f"Basic {b64encode(b'me:s3cret@/').decode()}":
            self.send_error(401)
            return
        data = {"__name__": ["oneiric_old_total"], "metadata": {"oneiric_old_total": [{"type": "counter"}]}}
        found = next((value for name, value in data.items() if name in self.path), [])
        self.answer(json.dumps({"status": "success", "data": found}).encode())

    def packed(self) -> None:
        """Answer in gzip, unasked."""
        self.answer(gzip.compress(EXPOSITION.encode()), Content_Encoding="gzip")

    def bomb(self) -> None:
        """Answer with little that becomes much."""
        self.answer(gzip.compress(b"#" * 60_000_000), Content_Encoding="gzip")

    def circle(self) -> None:
        """Lead in a circle."""
        self.answer(b"", Location="/circle/metrics")

    def elsewhere(self) -> None:
        """Lead elsewhere."""
        self.answer(b"", Location="/packed/metrics")

    def noise(self) -> None:
        """Answer with no HTTP."""
        self.wfile.write(b"\0\1\2\r\n\r\n")

    def slow(self) -> None:
        """Answer without an end."""
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(200):
                self.wfile.write(b"# more\n")
                time.sleep(0.01)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def odd() -> Iterator[str]:
    """Serve :class:`Odd` on a free port, and return its address."""
    Odd.seen.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Odd)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_password_is_used_and_not_shown(odd: str, tmp_path: Path) -> None:
    """A Prometheus below a path, with user and password in its URL, answers; findings have neither in them."""
    (tmp_path / "a.md").write_text("```promql\nsum(oneiric_cache_size_bytes)\n```\n", encoding="utf-8")
    url = f"http://me:s3cret%40%2F@{odd}/prometheus/"
    findings = check([tmp_path], Options(against=url)).findings
    assert [one.code for one in findings] == ["ON902", "ON904"]
    assert "s3cret" not in str(findings)
    assert f"http://{odd}/prometheus/" in findings[0].message


@pytest.mark.parametrize("secret", ["wrong", "wr/ong", "wr@ong"])
def test_a_wrong_password_is_one_finding(odd: str, secret: str) -> None:
    """A password that is refused, or that breaks the URL, is told without being shown."""
    (finding,) = check([], Options(against=f"http://me:{secret}@{odd}/prometheus")).findings
    assert (finding.code, finding.message) == ("ON901", "cannot be used: it answers 401")
    assert "ong" not in finding.path


def test_a_password_stays_with_its_host(odd: str) -> None:
    """Where an endpoint leads elsewhere, the password is not sent along."""
    assert told(f"http://me:x@{odd}/elsewhere/metrics") == []
    assert [bool(authorization) for _, authorization in Odd.seen] == [True, False]


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("bomb", "more than 50000000 bytes"),
        ("circle", "302"),
        ("noise", "BadStatusLine"),
        ("slow", "in full after 0.3 s"),
    ],
)
def test_an_odd_answer_is_one_finding(odd: str, path: str, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that is endless, leads in a circle, or is no HTTP, is told in one line."""
    monkeypatch.setattr("oneiric.monitoring.drift.documents.responses.TIMEOUT_SECONDS", 0.3 if path == "slow" else 60.0)
    ((code, message),) = told(f"http://{odd}/{path}/metrics")
    assert code == "ON901"
    assert re.search(part, message)
    assert "\n" not in message


def test_a_packed_answer_is_read(odd: str) -> None:
    """An answer in gzip is what is packed in it."""
    assert told(f"http://{odd}/packed/metrics") == []


def told(url: str, *paths: Path) -> list[tuple[str, str]]:
    """Return code and message of what is found of *url*."""
    return [(one.code, one.message) for one in check(paths, Options(against=url)).findings]


def test_an_endpoint_as_it_should_be_has_no_finding(serve: Serve) -> None:
    """Families with the catalogue's types, labels and values are no findings, nor are those of others."""
    assert told(serve(EXPOSITION + "# TYPE up gauge\nup 1\n")) == []


@pytest.mark.parametrize(
    ("line", "code", "part"),
    [
        ("# TYPE oneiric_lifecycle_instances counter", "ON903", "should be a gauge"),
        ('oneiric_lifecycle_instances{domain="task",node="x"} 1', "ON903", "with a label node"),
        ('oneiric_lifecycle_swap_total{domain="a",key="b",outcome="fail"} 1', "ON903", "with outcome fail"),
        ("# TYPE oneiric_old_total counter", "ON904", "oneiric_old_total"),
        ('oneiric_lifecycle_swap_duration_ms_bucket{domain="a",key="b",le="7"} 1', "ON903", "other buckets: 5, 7"),
        ("oneiric_lifecycle_rollbacks_total 1", "ON903", "without its label domain"),
    ],
)
def test_what_is_exposed_otherwise_is_found(serve: Serve, line: str, code: str, part: str) -> None:
    """A type, label, value, bucket or name that differs from the catalogue's is a finding."""
    types = "# TYPE oneiric_lifecycle_swap_duration_ms histogram\n# TYPE oneiric_lifecycle_rollbacks_total counter\n"
    findings = told(serve(f"{EXPOSITION}{types}{line}\n"))
    assert findings
    assert any(found == code and part in message for found, message in findings), findings


def test_a_pushgateway_exposes_job_and_instance(serve: Serve) -> None:
    """The labels job and instance, which a Pushgateway gives to what was pushed, are no findings."""
    assert told(serve(EXPOSITION.replace("{domain", '{instance="",job="nightly",domain'))) == []


def test_what_is_asked_for_and_not_exposed_is_found_where_it_is(serve: Serve, tmp_path: Path) -> None:
    """A metric of the catalogue that a file asks for, and the endpoint does not have, is told at the query."""
    (tmp_path / "a.md").write_text("```promql\nsum(oneiric_cache_size_bytes)\n```\n", encoding="utf-8")
    (finding,) = check([tmp_path], Options(against=serve(EXPOSITION))).findings
    assert (finding.path, finding.line, finding.column, finding.code) == (f"{tmp_path.as_posix()}/a.md", 2, 5, "ON902")


def test_a_counter_may_be_named_as_openmetrics_does(serve: Serve) -> None:
    """In OpenMetrics the family of a counter lacks the ending that its samples have."""
    text = (
        '# TYPE oneiric_lifecycle_rollbacks counter\noneiric_lifecycle_rollbacks_total{domain="a",key="b"} 1\n# EOF\n'
    )
    assert told(serve(text)) == []


@pytest.mark.parametrize("text", ["", "<html>", '{"status": "success"}'])
def test_an_answer_without_metrics_is_one_finding(serve: Serve, text: str) -> None:
    """What answers with something else is told as that."""
    assert [code for code, _ in told(serve(text))] == ["ON901"]


def test_an_unusable_url_is_one_finding(tmp_path: Path) -> None:
    """A URL that nothing answers, or that is none, is a finding, and the files are checked all the same."""
    (tmp_path / "a.md").write_text("```promql\noneiric_nothing\n```\n", encoding="utf-8")
    for url in (f"http://127.0.0.1:{free_port()}/metrics", "ftp://127.0.0.1/", "nonsense", "http://[::1"):
        assert sorted(code for code, _ in told(url, tmp_path)) == ["ON101", "ON901"]


@pytest.mark.slow
def test_a_real_runtime_exposes_all_that_the_bundle_asks_for(tmp_path: Path) -> None:
    """The bundle against the demonstration's own /metrics has no finding."""
    write_bundle(tmp_path)
    demo = Demo.start(tmp_path)
    try:
        assert told(demo.metrics_url, tmp_path) == []
    finally:
        demo.stop()


@pytest.mark.slow
@pytest.mark.prometheus
def test_a_real_prometheus_has_all_that_the_bundle_asks_for(tmp_path: Path) -> None:
    """The bundle against a Prometheus that scrapes the demonstration has no finding."""
    write_bundle(tmp_path / "bundle")
    demo = Demo.start(tmp_path)
    try:
        prometheus = Prometheus.start(tmp_path, demo.metrics_url.removeprefix("http://").removesuffix("/metrics"))
        try:
            eventually(lambda: prometheus.query("oneiric_build_info"), what="it has scraped")
            assert told(prometheus.url, tmp_path / "bundle") == []
        finally:
            prometheus.stop()
    finally:
        demo.stop()
