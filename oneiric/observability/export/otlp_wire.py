"""Bring an encoded request to a collector, over HTTP or gRPC, within a deadline and with a bounded answer."""

from __future__ import annotations

import contextlib
import gzip
import os
import ssl
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from oneiric.observability.export.deadline import STEP_SECONDS
from oneiric.observability.export.http_client import MAX_REPLY_BYTES, redirected, request
from oneiric.observability.export.otlp_options import GRPC, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oneiric.observability.export.deadline import Deadline

_OK = 200
_RETRYABLE_STATUSES = frozenset({429, 502, 503, 504})
_RETRYABLE_CODES = frozenset({"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"})
_SERVICES = {"traces": "trace.v1.TraceService", "metrics": "metrics.v1.MetricsService"}


class Refused(Exception):  # noqa: N818 - it is what happened
    """The collector does not take this request, now or later."""


class Unavailable(OSError):  # noqa: N818 - likewise
    """The collector takes no requests now; ``retry_after`` is seconds it asks to be left alone, 0 if it did not."""

    def __init__(self, text: str, retry_after: float = 0.0) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Sender(Protocol):
    """A way to a collector."""

    def send(self, payload: bytes, deadline: Deadline) -> bytes:
        """Bring *payload* there and return the answer's body; Refused, or an OSError where trying again may help."""

    def close(self) -> None:
        """Let go of connections; usable again after that."""


def sender(target: Target) -> Sender:
    """Return the way to *target*; ImportError without the extra, OSError or ValueError for files of no use."""
    return _GrpcSender(target) if target.protocol == GRPC else _HttpSender(target)


class _HttpSender:
    def __init__(self, target: Target) -> None:
        self._target = target
        self._tls = _context(target) if target.url.secure else None

    def send(self, payload: bytes, deadline: Deadline) -> bytes:
        headers = {"Content-Type": "application/x-protobuf"} | self._target.current_headers()
        if self._target.compression == "gzip":
            headers["Content-Encoding"] = "gzip"
            payload = gzip.compress(payload, compresslevel=1, mtime=0)
        deadline = deadline.within(self._target.timeout)
        reply = request("POST", self._target.url, payload, headers=headers, deadline=deadline, tls=self._tls)
        if reply.status in _RETRYABLE_STATUSES:
            raise Unavailable(_answered(self._target, reply.status), reply.retry_after)
        if reply.status != _OK:
            raise Refused(_answered(self._target, reply.status) + _remedy(self._target.signal, reply.status))
        return reply.body

    def close(self) -> None:
        pass


class _GrpcSender:
    def __init__(self, target: Target) -> None:
        import grpc  # noqa: PLC0415 - only who asks for it pays for it

        self._grpc = grpc
        self._target = target
        self._method = f"/opentelemetry.proto.collector.{_SERVICES[target.signal]}/Export"
        self._credentials = _credentials(grpc, target) if target.url.secure else None
        self._channel: Any = None
        self._process = 0

    def send(self, payload: bytes, deadline: Deadline) -> bytes:
        deadline = deadline.within(self._target.timeout)
        headers = tuple(self._target.current_headers().items())
        timeout = deadline.remaining + STEP_SECONDS  # longer than ours, so that ours names the cause
        call = self._open().unary_unary(self._method).future(payload, timeout=timeout, metadata=headers)
        try:
            return self._result(call, deadline)
        finally:
            call.cancel()

    def close(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None and self._process == os.getpid():
            channel.close()

    def _result(self, call: Any, deadline: Deadline) -> bytes:
        while True:
            try:
                with suppress(self._grpc.FutureTimeoutError):
                    body: bytes = call.result(timeout=deadline.step())
                    return body
            except TimeoutError as error:
                raise TimeoutError(f"{self._target.url.origin}: {error}") from None
            except self._grpc.FutureCancelledError:
                raise Unavailable(f"the call to the collector at {self._target.url.origin} was cancelled") from None
            except self._grpc.RpcError as error:
                code = error.code().name
                if code != "DEADLINE_EXCEEDED" or deadline.remaining > 0.0:  # else the next step says so
                    raise _failure(self._target, code) from None

    def _open(self) -> Any:
        """Return the channel; a forked child never uses its parent's."""
        if self._channel is None or self._process != os.getpid():
            self._channel = self._new_channel()
            self._process = os.getpid()
        return self._channel

    def _new_channel(self) -> Any:
        options = (
            ("grpc.max_receive_message_length", MAX_REPLY_BYTES),
            ("grpc.enable_retries", 0),
            ("grpc.max_reconnect_backoff_ms", 5000),
            ("grpc.primary_user_agent", "oneiric"),
        )
        compression = getattr(self._grpc.Compression, "Gzip" if self._target.compression == "gzip" else "NoCompression")
        authority = self._target.url.authority
        if self._credentials is None:
            return self._grpc.insecure_channel(authority, options=options, compression=compression)
        return self._grpc.secure_channel(authority, self._credentials, options=options, compression=compression)


def _failure(target: Target, code: str) -> Exception:
    text = _answered(target, code)
    if code in _RETRYABLE_CODES:
        return Unavailable(text)
    return Refused(text + (_not_taken(target.signal) if code == "UNIMPLEMENTED" else ""))


def _answered(target: Target, status: int | str) -> str:
    return f"the collector at {target.url.origin} answered {status} to {target.signal}"


def _remedy(signal: str, status: int) -> str:
    """Return what to do about *status*, where there is something to say."""
    return _not_taken(signal) if status == HTTPStatus.NOT_FOUND else redirected(status)


def _not_taken(signal: str) -> str:
    return f"; if it takes no {signal}, set OTEL_{signal.upper()}_EXPORTER=none"


def _context(target: Target) -> ssl.SSLContext:
    with _named("certificate_file", target.certificate_file):
        context = ssl.create_default_context(cafile=target.certificate_file)
    if target.client_certificate_file:
        with _named("client_certificate_file", target.client_certificate_file):
            context.load_cert_chain(target.client_certificate_file, target.client_key_file)
    return context


def _credentials(grpc: Any, target: Target) -> Any:
    names = ("certificate_file", "client_key_file", "client_certificate_file")
    return grpc.ssl_channel_credentials(*(_content(name, getattr(target, name)) for name in names))


def _content(option: str, file: str | None) -> bytes | None:
    if not file:
        return None
    with _named(option, file):
        return Path(file).read_bytes()


@contextlib.contextmanager
def _named(option: str, file: str | None) -> Iterator[None]:
    """Say which *option* and *file* an error is about."""
    try:
        yield
    except OSError as error:
        raise ValueError(
            f"otlp.{option} {file!r} cannot be used ({error}): give a PEM file that can be read"
        ) from error
