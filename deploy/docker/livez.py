"""Ask the service in this container whether it lives: ends with 0 where ``/livez`` says so, with 1 otherwise.

It imports nothing of the package, as it runs every few seconds.
"""

import os
import socket
import sys

SECONDS = 4


def status() -> str:
    """Return the first line of the answer, or why there is none."""
    port = os.environ.get("ONEIRIC_METRICS_ADDRESS", "").rpartition(":")[2] or "9464"
    try:
        with socket.create_connection(("127.0.0.1", int(port)), SECONDS) as connection:
            connection.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
            return connection.makefile("rb").readline().decode("latin-1").strip()
    except (OSError, ValueError) as error:
        return f"no answer at port {port}: {error}"


if __name__ == "__main__":
    line = status()
    sys.stdout.write(f"{line}\n")
    sys.exit(0 if " 200 " in line else 1)
