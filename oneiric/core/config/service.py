"""The settings of the service: what must run in it, and who may command it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from oneiric.core.config.logging import PathText  # noqa: TC001 - pydantic reads it at run time
from oneiric.core.config.remote import MAX_SECONDS, PositiveSeconds
from oneiric.core.config.section import Section
from oneiric.core.names import DOMAINS, MAX_NAME_CHARS, is_valid_name

MAX_REQUIRED = 100_000
"""Most components that may be required to run."""


def split_component(text: str) -> tuple[str, str]:
    """Return domain and key of ``domain/key``; ValueError says what is right."""
    domain, slash, key = text.partition("/")
    if not slash or domain not in DOMAINS or not is_valid_name(key):
        raise ValueError(
            f"must be domain/key, such as adapter/cache, with a domain of {', '.join(DOMAINS)} and a key of 1 to "
            f"{MAX_NAME_CHARS} characters"
        )
    return domain, key


def _checked_component(text: str) -> str:
    split_component(text)
    return text


ComponentName = Annotated[str, AfterValidator(_checked_component)]
"""A component as ``domain/key``."""


class RuntimeConfig(Section):
    """What a runtime must have active, and how long its start and its end may take; times in seconds.

    Attributes:
        start: The components that must run, each as ``domain/key``: activated at the start, tried again until they are
            active, and what readiness waits for.
        start_parallel: How many of them are activated at a time.
        retry_interval: From one attempt at those that are not active to the next.
        stop_timeout: For the end, from the signal on; what is not closed by then is abandoned.
    """

    start: list[ComponentName] = Field(default=[], max_length=MAX_REQUIRED)
    start_parallel: int = Field(default=16, ge=1, le=1000)
    retry_interval: PositiveSeconds = 5.0
    stop_timeout: PositiveSeconds = 25.0


class ControlConfig(Section):
    """The Unix socket that the commands talk to a running service through; times in seconds.

    Root and the user whom the service runs as may read and change everything.

    Attributes:
        enabled: Whether the service listens on it.
        socket: Its path, of at most 107 bytes; None: ``control.sock`` in ``$RUNTIME_DIRECTORY``, or else in ``run``
            in the state directory.
        group: A group whose members may connect, by name or number; None: nobody else may.
        group_rights: What these may do: ``read`` what is, or ``change`` it too.
        max_connections: Connections at once; a further one is refused.
        max_body_bytes: Largest body of a request.
        request_timeout: For a request to arrive.
    """

    enabled: bool = True
    socket: PathText | None = None
    group: str | int | None = None
    group_rights: Literal["read", "change"] = "read"
    max_connections: int = Field(default=32, ge=1, le=10_000)
    max_body_bytes: int = Field(default=1024 * 1024, ge=1024, le=64 * 1024 * 1024)
    request_timeout: Annotated[float, Field(gt=0, le=MAX_SECONDS)] = 10.0
