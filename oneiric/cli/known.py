"""What is known of components without the settings' models: what the service says, or else what it last wrote down."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oneiric.cli.places import plain_control_socket, plain_state_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

SILENCE_SECONDS = 0.2
"""A service that does not answer within that offers nothing."""
MAX_STATUS_BYTES = 16 * 1024 * 1024


def components(config: str | Path | None, domain: str) -> list[tuple[str, str | None]]:
    """Return key and provider of what is known in *domain*; nothing, whatever goes wrong."""
    try:
        return list(_known(None if config is None else Path(config), domain.lower()))
    except Exception:  # noqa: BLE001 - a completion must not print errors into somebody's line
        return []


def _known(config: Path | None, domain: str) -> Iterator[tuple[str, str | None]]:
    path = plain_control_socket(config, os.environ)
    if not os.path.lexists(path):  # what speaks with a service takes long to import
        yield from _written_down(config, domain)
        return
    from oneiric.runtime.control.client import NotRunningError, ServiceClient  # noqa: PLC0415 - only with a service

    try:
        answer = ServiceClient(path, silence=SILENCE_SECONDS).read("list", domain=domain, shadowed="true")
    except NotRunningError:
        yield from _written_down(config, domain)
        return
    for entry in answer["domains"]:
        for one in (*entry["active"], *entry.get("shadowed", ())):
            yield one["key"], one["provider"]


def _written_down(config: Path | None, domain: str) -> Iterator[tuple[str, str | None]]:
    path = plain_state_directory(config, os.environ) / "lifecycle_status.json"
    with path.open("rb") as file:
        statuses: list[dict[str, Any]] = json.loads(file.read(MAX_STATUS_BYTES))
    for status in statuses:
        if status["domain"] == domain:
            yield status["key"], status.get("current_provider")
