"""Metrics of processes that end: on a real Pushgateway, in a file, and what goes wrong."""

from __future__ import annotations

import stat
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from collectors import Answer, black_hole, http_collector, raw_server
from processes import Pushgateway, eventually
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from oneiric.core import events
from oneiric.observability import PushOptions, attach, push, write_textfile
from oneiric.observability.export.deadline import Deadline
from oneiric.observability.export.http_client import parse_url, request
from oneiric.observability.exposition import IsolatedCollector

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from prometheus_client import Metric
    from support import Recorder

    from oneiric.core.observers import Observers
    from oneiric.observability import Telemetry

PAUSED = events.Paused(domain="adapter", key="cache")
PAUSES = "oneiric_activity_pause_events_total"
UNAUTHORIZED: Answer = (401, {}, b"")


@pytest.fixture(scope="module")
def gateway() -> Iterator[Pushgateway]:
    """A Pushgateway."""
    gateway = Pushgateway.start()
    try:
        yield gateway
    finally:
        gateway.stop()


@pytest.fixture
def telemetry(observers: Observers) -> Iterator[Telemetry]:
    """Telemetry that has counted one pause."""
    with attach(observers) as telemetry:
        observers.notify(PAUSED)
        yield telemetry


def pauses(text: str, **labels: str) -> list[float]:
    """Return the pauses counted in an exposition, in series that have *labels*."""
    wanted = {"state": "paused", **labels}
    return [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == PAUSES and wanted.items() <= sample.labels.items()
    ]


def test_metrics_are_on_the_pushgateway(gateway: Pushgateway, telemetry: Telemetry) -> None:
    """What was counted can be scraped from the Pushgateway, in the group it was pushed to."""
    push(telemetry, gateway.url, job="nightly", grouping={"instance": "a"})
    assert pauses(gateway.metrics(), job="nightly", instance="a") == [1.0]


def test_any_group_can_be_named(gateway: Pushgateway, telemetry: Telemetry) -> None:
    """Job and labels may hold slashes, spaces and other text, and be empty but for the job."""
    push(telemetry, gateway.url, job="a/b c?d", grouping={"path": "/var/ä", "empty": ""})
    assert pauses(gateway.metrics(), job="a/b c?d", path="/var/ä") == [1.0]


def test_a_push_replaces_the_group(gateway: Pushgateway, telemetry: Telemetry, observers: Observers) -> None:
    """A push replaces all that the group had before, whatever it was."""
    other = parse_url(f"{gateway.url}/metrics/job/again", what="url")
    request("PUT", other, b"other 1\n", headers={}, deadline=Deadline(5.0))
    assert 'other{instance="",job="again"} 1' in gateway.metrics()
    push(telemetry, gateway.url, job="again")
    observers.notify(PAUSED)
    push(telemetry, gateway.url, job="again")
    assert pauses(gateway.metrics(), job="again") == [2.0]
    assert "other{" not in gateway.metrics()


def test_the_process_is_left_out(gateway: Pushgateway, telemetry: Telemetry, tmp_path: Path) -> None:
    """Metrics of the process that is about to end go neither to the Pushgateway nor into the file."""
    push(telemetry, gateway.url, job="alone")
    assert 'python_info{instance="",job="alone"' not in gateway.metrics()
    write_textfile(telemetry, tmp_path / "metrics.prom")
    names = {family.name for family in text_string_to_metric_families((tmp_path / "metrics.prom").read_text())}
    assert {name for name in names if not name.startswith("oneiric_")} == set()


def test_a_refused_push_raises_without_credentials(telemetry: Telemetry) -> None:
    """Who pushes is told of a refusal, sends the credentials of the URL, and does not find them in the error."""
    with http_collector(UNAUTHORIZED) as received:
        url = received.url.replace("http://", "http://user:hunter2@")
        with pytest.raises(OSError, match=r"the Pushgateway at 127\.0\.0\.1:\d+ answered 401") as raised:
            push(telemetry, url)
    assert "hunter2" not in str(raised.value)
    assert received.headers[0]["authorization"] == "Basic dXNlcjpodW50ZXIy"


def test_a_silent_pushgateway_raises_at_the_deadline(telemetry: Telemetry) -> None:
    """A Pushgateway that says nothing is left after the time given."""
    with raw_server(black_hole) as url, pytest.raises(TimeoutError):
        push(telemetry, url, timeout=0.2)


@pytest.mark.parametrize("url", ["localhost:9091", "http://c/?job=x", "http://user:hunter2@"])
def test_a_wrong_url_is_refused(telemetry: Telemetry, url: str) -> None:
    """A URL that is none is refused before anything is sent, without being quoted."""
    with pytest.raises(ValueError, match="pushgateway: ") as raised:
        push(telemetry, url)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("label", ["job", "__name__", "a-b", ""])
def test_a_wrong_label_is_refused(telemetry: Telemetry, label: str) -> None:
    """A grouping label that Prometheus does not allow is refused."""
    with pytest.raises(ValueError, match="grouping: "):
        push(telemetry, "http://127.0.0.1:1", grouping={label: "x"})


def test_a_textfile_is_complete_and_readable_by_anybody(telemetry: Telemetry, tmp_path: Path) -> None:
    """The file has every metric, mode 0644, and nothing else is left in its directory."""
    path = tmp_path / "metrics.prom"
    path.write_text("old", encoding="utf-8")
    write_textfile(telemetry, path)
    assert pauses(path.read_text(encoding="utf-8")) == [1.0]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_a_textfile_that_cannot_be_written_raises_and_leaves_the_old_one(telemetry: Telemetry, tmp_path: Path) -> None:
    """A directory in its place raises, and no temporary file stays."""
    (tmp_path / "metrics.prom").mkdir()
    with pytest.raises(OSError, match="metrics"):
        write_textfile(telemetry, tmp_path / "metrics.prom")
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.prom"]


class Failing(Collector):
    """A collector that fails."""

    def collect(self) -> Iterable[Metric]:
        """Raise."""
        raise RuntimeError("nothing today")


@dataclass
class Source:
    """Whose metrics are pushed."""

    collector: Collector


@pytest.fixture(params=["raises", "is isolated", "has none"])
def without_metrics(request: pytest.FixtureRequest, observers: Observers) -> Source:
    """A source that cannot collect its metrics, or has none."""
    collectors: dict[str, Collector] = {
        "raises": Failing(),
        "is isolated": IsolatedCollector(Failing(), name="failing", observers=observers),
        "has none": CollectorRegistry(),
    }
    return Source(collectors[request.param])


def test_what_cannot_be_collected_replaces_nothing(
    gateway: Pushgateway, telemetry: Telemetry, without_metrics: Source, tmp_path: Path
) -> None:
    """Without metrics a push and a write raise, and the Pushgateway and the file keep those that they had."""
    path = tmp_path / "metrics.prom"
    push(telemetry, gateway.url, job="kept")
    write_textfile(telemetry, path)
    with pytest.raises(OSError, match="could not be collected"):
        push(without_metrics, gateway.url, job="kept")
    with pytest.raises(OSError, match="could not be collected"):
        write_textfile(without_metrics, path)
    assert pauses(gateway.metrics(), job="kept") == [1.0]
    assert pauses(path.read_text(encoding="utf-8")) == [1.0]
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_named(telemetry: Telemetry, tmp_path: Path) -> None:
    """An empty path, a directory and a file in a directory that is not there are errors that say so."""
    with pytest.raises(ValueError, match="the path of a file for the metrics is empty; name one such as"):
        write_textfile(telemetry, "")
    with pytest.raises(IsADirectoryError, match=rf"name a file in it, such as oneiric\.prom: '{tmp_path}'"):
        write_textfile(telemetry, tmp_path)
    path = tmp_path / "missing" / "oneiric.prom"
    with pytest.raises(FileNotFoundError, match=f"No such file or directory: '{path}'"):
        write_textfile(telemetry, path)
    assert list(tmp_path.iterdir()) == []


def test_a_redirect_of_the_pushgateway_is_explained(telemetry: Telemetry) -> None:
    """The error says who redirects, that nobody follows, and what to do."""
    text = r"the Pushgateway at 127\.0\.0\.1:\d+ answered 307; redirects are not followed, set the address"
    with http_collector((307, {"Location": "/elsewhere"}, b"")) as received, pytest.raises(OSError, match=text):
        push(telemetry, received.url)


ENDING = """
import atexit, sys, threading
from oneiric.core import events
from oneiric.core.observers import Observers
from oneiric.observability import PushOptions, attach, write_textfile

url, own, by_hand, threads = sys.argv[1:]

def refuse(thread):
    raise RuntimeError("can't create new thread at interpreter shutdown")

observers = Observers()
telemetry = attach(observers, push=PushOptions(pushgateway=url, job=threads, textfile=own))
atexit.register(lambda: write_textfile(telemetry, by_hand))
if threads == "none at exit":  # as CPython 3.12 has it
    atexit.register(lambda: setattr(threading.Thread, "start", refuse))
observers.notify(events.Paused(domain="adapter", key="cache"))
"""


@pytest.mark.slow
@pytest.mark.parametrize("threads", ["as usual", "none at exit"])
def test_a_process_that_just_ends_has_pushed(gateway: Pushgateway, threads: str, tmp_path: Path) -> None:
    """Without detaching, all that was counted is pushed at exit, where some interpreters start no thread any more."""
    own, by_hand = tmp_path / "own.prom", tmp_path / "by_hand.prom"
    command = [sys.executable, "-W", "error", "-c", ENDING, gateway.url, str(own), str(by_hand), threads]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True)
    assert ended.stderr == ""
    assert pauses(gateway.metrics(), job=threads) == [1.0]
    assert pauses(own.read_text(encoding="utf-8")) == [1.0]
    assert pauses(by_hand.read_text(encoding="utf-8")) == [1.0]


def test_detaching_pushes(gateway: Pushgateway, observers: Observers, tmp_path: Path) -> None:
    """With options, what was counted up to the end is on the Pushgateway and in the file after detaching."""
    path = tmp_path / "metrics.prom"
    options = PushOptions(pushgateway=gateway.url, job="detached", textfile=path)
    with attach(observers, push=options):
        observers.notify(PAUSED)
        assert not path.exists()
    assert pauses(gateway.metrics(), job="detached") == [1.0]
    assert pauses(path.read_text(encoding="utf-8")) == [1.0]


def test_with_an_interval_it_pushes_before_the_end(observers: Observers, tmp_path: Path) -> None:
    """Now and then the file is replaced while the process runs."""
    path = tmp_path / "metrics.prom"
    with attach(observers, push=PushOptions(textfile=path, interval=0.02)):
        eventually(path.exists, what="the file is written")
        observers.notify(PAUSED)
        eventually(lambda: pauses(path.read_text(encoding="utf-8")) == [1.0], what="the pause is in the file")


def test_a_failure_is_counted_and_not_raised(observers: Observers, recorder: Recorder, tmp_path: Path) -> None:
    """A Pushgateway that is silent and a directory that is missing are given up and reported, without credentials."""
    with raw_server(black_hole) as url:
        gone = tmp_path / "missing" / "metrics.prom"
        options = PushOptions(pushgateway=url.replace("http://", "http://user:hunter2@"), textfile=gone)
        telemetry = attach(observers, push=options)
        telemetry.detach()
    failures = recorder.of(events.HookFailed)
    assert [(failure.sink, failure.error_type) for failure in failures] == [
        ("push", "FileNotFoundError"),
        ("push", "TimeoutError"),
    ]
    assert "hunter2" not in str(failures) + repr(options)
