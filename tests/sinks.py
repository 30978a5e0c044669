"""What stands in for the services that Alertmanager sends to: it takes what comes, over HTTP and SMTP."""

from __future__ import annotations

import json
import socketserver
import threading
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class WebSink:
    """A web server that keeps every request.

    Attributes:
        url: Its address.
        requests: The path and the decoded body of each request, in the order in which they came.
        tokens: The header Authorization of each.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.tokens: list[str | None] = []
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                """Keep a request."""
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                sink.tokens.append(self.headers["Authorization"])
                sink.requests.append((self.path, body))
                self.send_response(202 if self.path == "/page" else 200)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_arguments: Any) -> None:
                """Keep silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        _serve(self._server)

    def at(self, path: str) -> list[dict[str, Any]]:
        """Return what came to *path*."""
        return [body for found, body in self.requests if found == path]

    def close(self) -> None:
        """Stop it."""
        _close(self._server)


class MailSink:
    """A mail server without TLS that keeps every mail.

    Attributes:
        host: Its address, HOST:PORT.
        mails: The recipient, the subject and the text of each.
    """

    def __init__(self) -> None:
        self.mails: list[tuple[str, str, str]] = []
        sink = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                """Speak as much SMTP as it takes to be given a mail."""
                self._say("220 sink")
                while line := self.rfile.readline().decode().strip():
                    if line == "QUIT":
                        self._say("221 bye")
                        return
                    if line == "DATA":
                        self._say("354 go on")
                        sink.mails.append(self._mail())
                    self._say("250 ok")

            def _say(self, line: str) -> None:
                self.wfile.write(f"{line}\r\n".encode())

            def _mail(self) -> tuple[str, str, str]:
                lines = list(iter(self.rfile.readline, b".\r\n"))
                mail = message_from_bytes(b"".join(lines), policy=policy.default)
                body = mail.get_body(("plain",))
                assert body is not None
                return mail["To"], mail["Subject"], body.get_content()

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        _serve(self._server)

    def close(self) -> None:
        """Stop it."""
        _close(self._server)


def _serve(server: socketserver.BaseServer) -> None:
    threading.Thread(target=server.serve_forever, daemon=True).start()


def _close(server: socketserver.BaseServer) -> None:
    server.shutdown()
    server.server_close()
