"""A program that attacks a server on the loopback, for a bounded time, and prints the statuses it was answered."""

from __future__ import annotations

import collections
import json
import resource
import selectors
import socket
import struct
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

REQUEST = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
RESET = struct.pack("ii", 1, 0)
DESCRIPTORS = 4096
RECONNECTS_A_SECOND = 1000
"""How fast lost connections are replaced, so that the attacker leaves some of the processor to his victims."""

MALFORMED = (
    b"GET /metrics HTTP/9.9\r\nHost: x\r\n\r\n",
    b"GET /metrics HTTP/2.0\r\nHost: x\r\n\r\n",
    b"GET /metrics HTTP/1.2\r\nHost: x\r\n\r\n",
    b"GET /metrics HTTP/1.\r\nHost: x\r\n\r\n",
    b"GET /metrics\r\n\r\n",
    b"GET /met\0rics HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nA: \0b\r\n\r\n",
    b"\0" * 64,
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1_0\r\n\r\n",
    b"GET /metrics HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n",
    b"GET /metrics HTTP/1.1\nHost: x\n\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\rA: b\r\n\r\n",
    b"GET metrics HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"\xff\xfe\xfd\r\n\r\n",
    b"\r\n\r\nGET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
)
"""What no server may take for a request."""


@dataclass
class Client:
    """One attacking connection."""

    socket: socket.socket
    turns: int = 0
    answer: bytearray = field(default_factory=bytearray)


class Attack:
    """Hold many connections to a port, and replace the ones that are lost.

    Args:
        port: Of the loopback.
        count: How many connections to hold.
        request: Sent once connected.
        turn: Called with each client every *interval* seconds; returns whether to keep it.
        interval: Seconds.
        reads: Whether to read whatever comes.
        receive_buffer: Bytes the kernel keeps for a client that does not read; 0: as many as it likes.
        most: Connections made in all; 0: any number.

    Attributes:
        statuses: How often which status was answered.
        made: Connections made so far.
    """

    def __init__(
        self,
        port: int,
        count: int,
        *,
        request: Callable[[int], bytes] = lambda _number: b"",
        turn: Callable[[Client], bool] = lambda _client: True,
        interval: float = 1.0,
        reads: bool = True,
        receive_buffer: int = 0,
        most: int = 0,
    ) -> None:
        self.statuses: collections.Counter[str] = collections.Counter()
        self.made = 0
        self._port = port
        self._count = count
        self._request = request
        self._turn = turn
        self._interval = interval
        self._reads = reads
        self._receive_buffer = receive_buffer
        self._most = most
        self._began = time.monotonic()
        self._selector = selectors.DefaultSelector()
        self._clients: dict[int, Client] = {}

    def run(self, seconds: float) -> None:
        """Attack for *seconds*, or until every connection that may be made is over."""
        end = time.monotonic() + seconds
        next_turn = 0.0
        while (now := time.monotonic()) < end:
            self._fill()
            if not self._clients and self._most and self.made >= self._most:
                return
            if now >= next_turn:
                next_turn = now + self._interval
                self._turns()
            for key, events in self._selector.select(0.05):
                self._ready(key.data, events)
        for client in list(self._clients.values()):
            self._drop(client)

    def _fill(self) -> None:
        while len(self._clients) < self._count and not (self._most and self.made >= self._most):
            if self.made >= self._count + RECONNECTS_A_SECOND * (time.monotonic() - self._began):
                return
            connection = socket.socket()
            if self._receive_buffer:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
            connection.setblocking(False)
            connection.connect_ex(("127.0.0.1", self._port))
            client = Client(connection)
            self._clients[connection.fileno()] = client
            self._selector.register(connection, selectors.EVENT_WRITE, client)
            self.made += 1

    def _turns(self) -> None:
        for client in list(self._clients.values()):
            try:
                kept = self._turn(client)
            except BlockingIOError:
                kept = True
            except OSError:
                kept = False
            client.turns += 1
            if not kept:
                self._drop(client)

    def _ready(self, client: Client, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                self._connected(client)
            else:
                self._read(client)
        except BlockingIOError:
            return
        except OSError:
            self._drop(client)

    def _connected(self, client: Client) -> None:
        request = self._request(client.socket.fileno())
        if request:
            client.socket.send(request)
        if self._reads:
            self._selector.modify(client.socket, selectors.EVENT_READ, client)
        else:
            self._selector.unregister(client.socket)

    def _read(self, client: Client) -> None:
        chunk = client.socket.recv(65_536)
        if not chunk:
            self._drop(client)
        elif len(client.answer) < 16:
            client.answer += chunk[:16]

    def _drop(self, client: Client) -> None:
        self._clients.pop(client.socket.fileno(), None)
        if client.socket.fileno() in self._selector.get_map():
            self._selector.unregister(client.socket)
        client.socket.close()
        if client.answer:
            self.statuses[client.answer.split(b" ")[1].decode("latin-1")] += 1


def reset(client: Client) -> bool:
    """Reset the connection, in the middle of what is being sent."""
    client.socket.recv(100)
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    return False


def drip(data: bytes) -> Callable[[Client], bool]:
    """Send *data* a byte at a time."""

    def turn(client: Client) -> bool:
        client.socket.send(data[client.turns % len(data) :][:1])
        return True

    return turn


def pour(data: bytes) -> Callable[[Client], bool]:
    """Send *data* again and again."""

    def turn(client: Client) -> bool:
        client.socket.send(data)
        return True

    return turn


def sip(client: Client) -> bool:
    """Read one byte."""
    client.socket.recv(1)
    return True


def odd(fields: Iterable[bytes]) -> Callable[[int], bytes]:
    """Return what makes requests of *fields*, one after another."""
    requests = list(fields)
    state = {"next": 0}

    def make(_number: int) -> bytes:
        state["next"] += 1
        return requests[state["next"] % len(requests)]

    return make


def with_header(value: bytes) -> bytes:
    """Return a request with a further header line."""
    return b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + value + b"\r\n\r\n"


ODD_HEADERS = [
    with_header(line)
    for line in (
        b"Accept: application/openmetrics-text;version=abc",
        b"Accept: text/plain;version=abc;q=\xe9",
        b"Accept: \xe9\xe8\xff",
        b"Accept: " + b"*/*;q=0.1," * 3000,
        b"Accept: ;;;q=;,,=",
        b"Accept:",
        b"Accept-Encoding: gzip;q=0",
        b"Accept-Encoding: \xff;q=1,gzip;q=abc",
        b"Accept-Encoding: " + b"gzip," * 6000,
    )
]
ODD_NAMES = [
    b"GET /metrics?" + query + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    for query in (
        b"name[]=",
        b"name[]=%00",
        b"name[]=%ff%fe",
        b"name[]=\xe9",
        b"name%5B%5D=swaps_total",
        b"name[]=" + b"x" * 20_000,
        b"&".join(b"name[]=n%d" % number for number in range(2000)),
        b"name[]=<script>&name[]=%0d%0aSet-Cookie:x",
        b"&&=&name[]&name[]=%",
    )
]
DISTINCT_NAMES = [b"GET /metrics?name[]=swaps_total&name[]=n%d HTTP/1.1\r\nHost: x\r\n\r\n" % n for n in range(1200)]
SLOW_BODY = b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"

ATTACKS: dict[str, Callable[[int], Attack]] = {
    "half_open": lambda port: Attack(port, 1500, request=lambda _: b"GET /metrics HT"),
    "byte_a_second": lambda port: Attack(port, 1500, turn=drip(REQUEST[:-2] + b"X: " + b"y" * 1000)),
    "idle": lambda port: Attack(port, 1500),
    "silent_handshake": lambda port: Attack(port, 1500, request=lambda _: b"\x16\x03\x01\x02\x00\x01"),
    "endless_headers": lambda port: Attack(
        port, 200, request=lambda _: REQUEST[:-2], turn=pour(b"X: " + b"y" * 4000 + b"\r\n"), interval=0.1
    ),
    "malformed": lambda port: Attack(port, 30, request=odd(MALFORMED), most=300),
    "slow_readers": lambda port: Attack(
        port, 1500, request=lambda _: REQUEST, turn=sip, reads=False, receive_buffer=2048
    ),
    "slow_bodies": lambda port: Attack(port, 1500, request=lambda _: SLOW_BODY, turn=drip(b"x")),
    "resets": lambda port: Attack(port, 200, request=lambda _: REQUEST, turn=reset, reads=False, interval=0.1),
    "connects": lambda port: Attack(port, 500, turn=lambda _: False, interval=0.01, most=5000),
    "odd_headers": lambda port: Attack(port, 20, request=odd(ODD_HEADERS), most=500),
    "odd_names": lambda port: Attack(port, 20, request=odd(ODD_NAMES), most=300),
    "distinct_names": lambda port: Attack(port, 400, request=odd(DISTINCT_NAMES), most=1200),
}
"""Every attack, by its name."""


def main(name: str, port: str, seconds: str) -> None:
    """Attack, wait until told to leave, and print what was answered."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    attack = ATTACKS[name](int(port))
    attack.run(float(seconds))
    sys.stdout.write(json.dumps({"made": attack.made, "statuses": attack.statuses}))


if __name__ == "__main__":
    main(*sys.argv[1:])
