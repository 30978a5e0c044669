"""A receiver of Alertmanager's notices: prints the body of each as a line. Listens on port 9095 of every address."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Taker(BaseHTTPRequestHandler):
    """Takes one notice."""

    def do_POST(self) -> None:
        """Print it."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for alert in body["alerts"]:
            sys.stdout.write(f"{alert['status']} {alert['labels']['alertname']} {body['receiver']}\n")
        sys.stdout.flush()
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Print nothing else."""


if __name__ == "__main__":
    ThreadingHTTPServer(("", 9095), Taker).serve_forever()
