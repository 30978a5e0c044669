"""What a service says to its service manager: the protocol of sd_notify(3), over a datagram socket."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_STATUS = 200
_MICROSECONDS = 1_000_000


class ServiceManager:
    """The service manager that started this process, if one did; a message that it does not take is dropped.

    Args:
        environ: Where ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` are looked up.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        name = environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{name[1:]}" if name.startswith("@") else name
        self.watchdog_seconds = _watchdog_seconds(environ)
        """Seconds within which it wants a sign of life, None for never."""

    @property
    def is_there(self) -> bool:
        """Whether there is one that wants messages."""
        return bool(self._address)

    def ready(self, status: str) -> None:
        """Say that the start, or a reload, is done."""
        self._send("READY=1", f"STATUS={status:.{_MAX_STATUS}}")

    def reloading(self) -> None:
        """Say that the settings are read again, and since when, in one datagram as Type=notify-reload wants it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._send("STOPPING=1", "STATUS=stopping")

    def status(self, status: str) -> None:
        """Say what goes on, in one line."""
        self._send(f"STATUS={status:.{_MAX_STATUS}}")

    def alive(self) -> None:
        """Give a sign of life."""
        self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        message = "\n".join(line.replace("\n", " ") for line in lines).encode()
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(0)
            sender.sendto(message, self._address)


def _watchdog_seconds(environ: Mapping[str, str]) -> float | None:
    text = environ.get("WATCHDOG_USEC", "")
    meant = environ.get("WATCHDOG_PID", "")
    if not text.isdecimal() or not int(text) or (meant and meant != str(os.getpid())):
        return None
    return int(text) / _MICROSECONDS
