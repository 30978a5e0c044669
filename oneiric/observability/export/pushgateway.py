"""Leave the metrics where somebody fetches them later: for processes that end before they are scraped."""

from __future__ import annotations

import errno
import math
import os
import re
import tempfile
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from oneiric.core.limits import PUSH_TIMEOUT
from oneiric.observability.export.deadline import Deadline
from oneiric.observability.export.http_client import Url, parse_url, redirected, request
from oneiric.observability.export.worker import Worker
from oneiric.observability.exposition import text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prometheus_client.registry import Collector

    from oneiric.core.observers import Observers

NAME = "push"
"""Stands for it in reports and names its thread."""
TEXT_HEADERS = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
_FILE_MODE = 0o644  # the exporter that reads it is somebody else
_LABEL_NAME = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
_SUCCESSES = range(200, 300)


class Collecting(Protocol):
    """Whatever has a collector: a :class:`~oneiric.observability.Telemetry`."""

    @property
    def collector(self) -> Collector:
        """What collects the metrics."""


@dataclass(frozen=True, kw_only=True)
class PushOptions:
    """Where metrics are left, at the end and, with an interval, now and then before.

    Attributes:
        pushgateway: URL of a Prometheus Pushgateway, with user name and password where it wants them.
        job: The group's ``job`` label there.
        grouping: The group's further labels.
        textfile: File to write for the textfile collector of the node exporter; its name has to end in ``.prom`` there.
        interval: Seconds between pushes; None: at the end only.
        timeout: Seconds that a push may take.
    """

    pushgateway: str | None = field(default=None, repr=False)  # may carry a credential
    job: str = "oneiric"
    grouping: Mapping[str, str] = field(default_factory=dict)
    textfile: str | os.PathLike[str] | None = None
    interval: float | None = None
    timeout: float = PUSH_TIMEOUT


def push(
    source: Collecting,
    pushgateway: str,
    *,
    job: str = "oneiric",
    grouping: Mapping[str, str] | None = None,
    timeout: float = PUSH_TIMEOUT,
) -> None:
    """Replace the metrics of the group (*job* and *grouping*) on a Pushgateway by those of *source*.

    What a group had before is gone: commands whose counts shall all stay need a grouping each, an ``instance`` say.

    Args:
        source: The telemetry; the metrics of the catalogue are pushed, not those of the process that is about to end.
        pushgateway: Its URL; user name and password in it are sent as basic authentication and shown to nobody.
        job: The label ``job``.
        grouping: Further labels.
        timeout: Seconds that it may take in all, but for the look-up of the host's name.

    Raises:
        ValueError: The URL is none, or a label name is not allowed.
        OSError: The metrics could not be collected, or the Pushgateway could not be reached in time or did not take
            them; the group keeps what it had.
    """
    _put(source.collector, _group_url(pushgateway, job, grouping or {}), Deadline(timeout))


def write_textfile(source: Collecting, path: str | os.PathLike[str]) -> None:
    """Replace the file *path* by the metrics of *source*; a reader, anybody, finds the old ones or the new ones whole.

    The textfile collector of the node exporter reads files whose names end in ``.prom``. The metrics of the process are
    left out, which would be taken for the exporter's own. OSError if they cannot be collected or written; the old ones
    stay. ValueError if *path* is empty.
    """
    _write(source.collector, path)


class Pusher(Worker):
    """Pushes the metrics of *collector* as *options* say, in a daemon thread; failures become failed hooks.

    Args:
        options: Where to, and when.
        collector: What collects the metrics.
        observers: Notified of failures.

    Raises:
        ValueError: The URL is none, or a label name is not allowed.
    """

    def __init__(self, options: PushOptions, collector: Collector, observers: Observers) -> None:
        super().__init__(NAME, self, observers)
        self._options = options
        self._pushes: list[Callable[[Deadline], None]] = []
        if (path := options.textfile) is not None:
            self._pushes.append(lambda _: _write(collector, path))
        if options.pushgateway is not None:
            url = _group_url(options.pushgateway, options.job, options.grouping)
            self._pushes.append(lambda deadline: _put(collector, url, deadline.within(options.timeout)))
        self._due = math.inf
        self._schedule()

    def start(self) -> None:
        """Start; idempotent, and to be called again in a forked child."""
        if self._pushes:
            super().start()

    def due_in(self) -> float:
        """Return in how many seconds to push."""
        return self._due - time.monotonic()

    def do(self, *, everything: bool, deadline: Deadline) -> bool:
        """Push, if it is time to or *everything* is asked for, and return whether that succeeded."""
        if not everything and self.due_in() > 0:
            return True
        self._schedule()
        succeeded = [self._contained(one, deadline) for one in self._pushes]
        return all(succeeded)

    def _schedule(self) -> None:
        self._due = math.inf if self._options.interval is None else time.monotonic() + self._options.interval

    def _contained(self, one: Callable[[Deadline], None], deadline: Deadline) -> bool:
        try:
            one(deadline)
        except Exception as error:  # noqa: BLE001 - isolation is the job
            self._observers.hook_failed(NAME, error)
            return False
        return True


def _write(collector: Collector, path: str | os.PathLike[str]) -> None:
    target = _file(path)
    body = _exposed(collector)
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    except OSError as error:
        error.filename = str(target)  # instead of the temporary one
        raise
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
            os.fchmod(file.fileno(), _FILE_MODE)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _file(path: str | os.PathLike[str]) -> Path:
    """Return *path*; ValueError where it is empty, IsADirectoryError where it is a directory."""
    if not os.fspath(path):
        raise ValueError("the path of a file for the metrics is empty; name one such as /var/lib/oneiric/metrics.prom")
    target = Path(path)
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a directory; name a file in it, such as oneiric.prom", str(path))
    return target


def _put(collector: Collector, url: Url, deadline: Deadline) -> None:
    reply = request("PUT", url, _exposed(collector), headers=TEXT_HEADERS, deadline=deadline)
    if reply.status not in _SUCCESSES:
        raise ConnectionError(f"the Pushgateway at {url.authority} answered {reply.status}{redirected(reply.status)}")


def _exposed(collector: Collector) -> bytes:
    """Return what *collector* collects, made without a thread, as none can be started when the interpreter ends.

    OSError where nothing comes, so that nothing replaces what was left before: a sink that failed yields no family.
    """
    try:
        body = text_of(collector.collect(), openmetrics=False)
    except Exception as error:
        raise OSError(f"the metrics could not be collected: {type(error).__name__}") from error
    if not body:
        raise OSError("the metrics could not be collected: there are none")
    return body


def _group_url(pushgateway: str, job: str, grouping: Mapping[str, str]) -> Url:
    if set("?#") & set(pushgateway):
        raise ValueError("pushgateway: a URL without query expected")
    if wrong := [name for name in grouping if not _LABEL_NAME.fullmatch(name) or name == "job"]:
        raise ValueError(f"grouping: not the name of a further label: {wrong[0]!r:.80}")
    labels = [("job", job), *sorted(grouping.items())]
    path = "".join(f"/{_segments(name, value)}" for name, value in labels)
    return parse_url(f"{pushgateway.rstrip('/')}/metrics{path}", what="pushgateway")


def _segments(name: str, value: str) -> str:
    """Return the two path segments for a label, in the Pushgateway's base64 where a segment cannot hold the value."""
    if value and "/" not in value:
        return f"{name}/{quote(value, safe='')}"
    encoded = urlsafe_b64encode(value.encode()).decode().rstrip("=")
    return f"{name}@base64/{encoded or '='}"
