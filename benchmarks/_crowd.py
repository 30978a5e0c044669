"""Many clients that scrape at once, each with a fresh connection for each page."""

from __future__ import annotations

import selectors
import socket
import sys
import time
from dataclasses import dataclass

REQUEST = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"


@dataclass
class Scrape:
    """One scrape under way."""

    socket: socket.socket
    began: float
    received: int = 0
    head: bytes = b""

    def is_whole(self) -> bool:
        """Whether what was received is a page, and all of it."""
        head, end, _ = self.head.partition(b"\r\n\r\n")
        _, _, length = head.partition(b"Content-Length: ")
        expected = len(head) + len(end) + int(length.split(b"\r\n")[0] or 0)
        return head.startswith(b"HTTP/1.1 200 ") and self.received == expected


class Scrapers:
    """Many who scrape the same port without a pause, in one thread."""

    def __init__(self, port: int, count: int) -> None:
        self.seconds: list[float] = []
        self.broken = 0
        self.smallest = sys.maxsize
        self._port = port
        self._buffer = bytearray(1024 * 1024)
        self._selector = selectors.DefaultSelector()
        for _ in range(count):
            self._connect()

    def run(self, seconds: float, *, pages: int = 0) -> None:
        """Scrape for *seconds*, and on until there were *pages*; then close all connections, for good."""
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end or len(self.seconds) < pages:
                for key, events in self._selector.select(0.1):
                    if events & selectors.EVENT_WRITE:
                        key.data.socket.send(REQUEST)
                        self._selector.modify(key.data.socket, selectors.EVENT_READ, key.data)
                    else:
                        self._read(key.data)
        finally:
            for key in list(self._selector.get_map().values()):
                key.data.socket.close()
            self._selector.close()

    def _connect(self) -> None:
        connection = socket.socket()
        connection.settimeout(0)
        scrape = Scrape(connection, time.monotonic())
        connection.connect_ex(("127.0.0.1", self._port))
        self._selector.register(connection, selectors.EVENT_WRITE, scrape)

    def _read(self, scrape: Scrape) -> None:
        try:
            count = scrape.socket.recv_into(self._buffer)
        except BlockingIOError:
            return
        except OSError:
            count = 0
        if count:
            scrape.head = scrape.head or bytes(self._buffer[: min(count, 1000)])
            scrape.received += count
            return
        self.seconds.append(time.monotonic() - scrape.began)
        self.broken += not scrape.is_whole()
        self.smallest = min(self.smallest, scrape.received)
        self._selector.unregister(scrape.socket)
        scrape.socket.close()
        self._connect()
