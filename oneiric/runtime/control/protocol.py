"""What both ends of the control socket agree on: HTTP/1.1 over a Unix socket, one JSON object each way.

``GET /v1/NAME?field=value`` reads, ``POST /v1/NAME`` with an object changes something. While a request is being worked
on, an interim response (102) is sent at least every :data:`HEARTBEAT_SECONDS`, so that a client can tell a service that
works from one that hangs. An error is an object ``{"error": {"code", "message", "hint"}}``.

This module is imported by every command and imports nothing.
"""

API_MAJOR = 1
"""Part of every path; another one means that the two ends cannot work together."""
API_MINOR = 0
"""Raised with every command or field that is added; the two ends work together whatever it is."""
API_VERSION = f"{API_MAJOR}.{API_MINOR}"

API_HEADER = "Oneiric-Api"
"""The API version of who sends the message."""
RELEASE_HEADER = "Oneiric-Version"
"""The installed version of who sends the message."""

HEARTBEAT_SECONDS = 1.0
"""Longest silence of a service that works on a request."""
MAX_HEAD_BYTES = 16 * 1024
"""Longest head of a request, and of a response."""

USAGE, DENIED, UNKNOWN, NO, FAILED, BUSY = "usage", "denied", "unknown-command", "no", "failed", "busy"
"""Codes of errors: wrong use, not allowed, not known to this service, the answer is no, the work failed, too many."""

STATUSES = {USAGE: 400, DENIED: 403, UNKNOWN: 404, NO: 409, FAILED: 500, BUSY: 503}
"""The HTTP status of each code."""


def path_of(name: str) -> str:
    """Return the path of the command *name*."""
    return f"/v{API_MAJOR}/{name}"
