"""Log into one rotating file from a process, or from forks of it, and print how many lines each of them lost.

Arguments: path, forks (0: this process itself logs), lines of each, max_bytes, first number.
"""

from __future__ import annotations

import os
import sys

from oneiric.core.logging import LoggingConfig, LoggingSinkConfig, configure_logging, get_logger


def main(path: str, forks: int, lines: int, max_bytes: int, first: int) -> None:
    """Log *lines* in each process, numbered from *first* times *lines* on."""
    sink = LoggingSinkConfig(target="file", path=path, max_bytes=max_bytes, backup_count=2_000)
    handle = configure_logging(LoggingConfig(sinks=[sink]))
    log = get_logger()

    def write(process: int) -> None:
        for number in range(process * lines, (process + 1) * lines):
            log.info("x", number=number)
        handle.flush(60)
        handle.close()
        os.write(1, f"{handle.dropped}\n".encode())

    if not forks:
        write(first)
        return
    log.info("parent")  # the file is open, and the queue in use, when the children are forked
    children = []
    for child in range(forks):
        pid = os.fork()
        if not pid:
            write(first + child)
            os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
