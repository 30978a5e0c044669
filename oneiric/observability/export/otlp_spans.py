"""Spans that have ended and wait to be exported: as many as fit, the newest."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import SpanProcessor

from oneiric.core.concurrency import renew_after_fork

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from oneiric.observability.events import SpanLoss
    from oneiric.observability.export.worker import Worker

SLICE = 32
"""Spans that are encoded without a pause."""


class SpanQueue(SpanProcessor):
    """A span processor that only keeps what ended; thread-safe, also in a signal handler, and empty in a forked child.

    Args:
        limit: Spans it holds; beyond, the oldest are lost.
        batch: When so many wait, the exporter's thread is woken.
        worker: The exporter's thread, started where there is none (in a forked child).
        lost: Called with why (queue_full or stopped) and how many were lost, in the thread that ended the span.
    """

    def __init__(self, *, limit: int, batch: int, worker: Worker, lost: Callable[[SpanLoss, int], object]) -> None:
        self._limit = limit
        self._batch = batch
        self._worker = worker
        self._tell_lost = lost
        self._lock = threading.RLock()
        self._spans: deque[ReadableSpan] = deque()
        renew_after_fork(self._renew)

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._spans)

    def on_end(self, span: ReadableSpan) -> None:
        """Keep *span*, if it was sampled."""
        context = span.get_span_context()
        if context is None or not context.trace_flags.sampled:
            return
        if not self._worker.running:
            self._worker.start()
        with self._lock:
            self._spans.append(span)
            lost = self._trim()
            waiting = len(self._spans)
        if lost:
            self._tell_lost("queue_full" if self._limit else "stopped", lost)
        if waiting == self._batch:  # once, on the way up: while nobody fetches them nobody is woken
            self._worker.wake()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Export what waits, and return whether that was done in time."""
        return self._worker.flush(timeout_millis / 1000)

    def take(self, most: int) -> list[ReadableSpan]:
        """Remove and return the oldest, *most* at most."""
        with self._lock:
            return [self._spans.popleft() for _ in range(min(most, len(self._spans)))]

    def put_back(self, spans: Sequence[ReadableSpan]) -> None:
        """Let *spans*, which were taken, be the oldest again, as far as there is room."""
        with self._lock:
            self._spans.extendleft(reversed(spans))
            lost = self._trim()
        if lost and self._limit:  # what was taken when it was closed was counted then
            self._tell_lost("queue_full", lost)

    def close(self) -> int:
        """Hold nothing from now on, and return how many waited."""
        with self._lock:
            waiting, self._limit = len(self._spans), 0
            self._spans.clear()
            return waiting

    def _trim(self) -> int:
        lost = 0
        with suppress(IndexError):  # a signal handler may have ended spans since the length was read
            while len(self._spans) > self._limit:
                self._spans.popleft()
                lost += 1
        return lost

    def _renew(self) -> None:
        self._lock = threading.RLock()
        self._spans = deque()


def encode(spans: Sequence[ReadableSpan], *, pause: Callable[[], object]) -> tuple[bytes, int]:
    """Return the export request for *spans*, and how many of them cannot be encoded and are left out.

    *pause* is called now and then, so that other threads can run.
    """
    payload = bytearray()
    wrong = 0
    waiting = iter(spans)
    while part := list(islice(waiting, SLICE)):
        wrong += _encode_into(payload, part)
        pause()
    return bytes(payload), wrong


def _encode_into(payload: bytearray, spans: Sequence[ReadableSpan]) -> int:
    """Add *spans* to *payload* and return how many cannot be encoded; requests joined are, encoded, one request."""
    try:
        payload += encode_spans(spans).SerializeToString()
    except Exception:  # noqa: BLE001 - a name with a lone surrogate for instance; it costs no other span
        return sum(_encode_into(payload, [span]) for span in spans) if len(spans) > 1 else 1
    return 0
