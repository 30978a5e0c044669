"""Ask a service as a user of this number, a member of these groups: ask.py SOCKET COMMAND CHANGE USER [GROUP...].

Prints the answer, or the error with its type, as JSON. It changes its user once it is imported: the interpreter may lie
where only root can read.
"""

from __future__ import annotations

import json
import os
import sys

from oneiric.runtime.control.client import RefusedError, ServiceClient, ServiceError


def main(path: str, name: str, change: str, user: str, *groups: str) -> None:
    """Ask once."""
    os.setgroups([int(group) for group in groups])
    os.setgid(int(user))
    os.setuid(int(user))
    client = ServiceClient(path)
    try:
        answer = client.change(name, key="cache") if change == "true" else client.read(name)
    except ServiceError as error:
        more = error.details if isinstance(error, RefusedError) else {"message": str(error), "hint": error.hint}
        answer = {"error": type(error).__name__, **more}
    print(json.dumps(answer))  # noqa: T201 - its answer


if __name__ == "__main__":
    main(*sys.argv[1:])
