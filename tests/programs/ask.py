"""Ask a service: ask.py SOCKET COMMAND CHANGE; prints the answer, or the error with its type, as JSON."""

from __future__ import annotations

import json
import sys

from oneiric.runtime.control.client import RefusedError, ServiceClient, ServiceError


def main(path: str, name: str, change: str) -> None:
    """Ask once."""
    client = ServiceClient(path)
    try:
        answer = client.change(name, key="cache") if change == "true" else client.read(name)
    except ServiceError as error:
        more = error.details if isinstance(error, RefusedError) else {"message": str(error), "hint": error.hint}
        answer = {"error": type(error).__name__, **more}
    print(json.dumps(answer))  # noqa: T201 - its answer


if __name__ == "__main__":
    main(*sys.argv[1:])
