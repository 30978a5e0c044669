"""A program that scrapes each address it reads from standard input, and prints what its page has and how long it took.

It runs in a process of its own, as Prometheus does, so that it does not compete with the threads that record.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from types import TracebackType

TIMEOUT_SECONDS = 60.0


class Page(NamedTuple):
    """A page that was scraped."""

    status: int
    text: str
    seconds: float


class Client:
    """The program, running; a context manager that ends it."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "benchmarks._client"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the program."""
        self._process.communicate()

    def scrape(self, url: str) -> Page:
        """Return the page at *url*."""
        reader, writer = self._process.stdout, self._process.stdin
        if reader is None or writer is None:
            raise AssertionError("the program was started without pipes")
        writer.write(f"{url}\n")
        writer.flush()
        return Page(*json.loads(reader.readline()))


def scraped(url: str) -> Page:
    """Return the page at *url*, fetched here and now."""
    started = time.perf_counter()
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310 - an address of our own
            status, body = response.status, response.read()
    except urllib.error.HTTPError as error:
        status, body = error.code, error.read()
    return Page(status, body.decode(), time.perf_counter() - started)


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(scraped(line.strip())), flush=True)
