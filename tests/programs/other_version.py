"""A service of another version on the control socket: ``python other_version.py SOCKET API [DIRECTORY]``.

One of the same major version answers what the files in DIRECTORY say, with a field that is new; another one knows none
of the paths.
"""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path


def main(path: str, api: str, directory: str) -> None:
    """Answer one request after another."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(60)
                answer(connection, api, Path(directory))


def answer(connection: socket.socket, api: str, directory: Path) -> None:
    """Answer the request on *connection*."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += connection.recv(65_536)
    name = request.split(b" ", 2)[1].decode().partition("?")[0].rpartition("/")[2]
    known = directory / f"{name}.json"
    if api.startswith("1.") and known.exists():
        status, body = "200 OK", json.loads(known.read_text(encoding="utf-8")) | {"new_in": api}
    else:
        status, body = "404 Not Found", {"error": {"code": "unknown-command", "message": f"no {name} here", "hint": ""}}
    content = json.dumps(body).encode()
    head = (
        f"HTTP/1.1 {status}\r\nOneiric-Api: {api}\r\nOneiric-Version: 9.0.0\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    connection.sendall(head.encode() + content)


if __name__ == "__main__":
    main(*sys.argv[1:4])
