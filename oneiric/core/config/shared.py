"""The settings of what the processes of one service share."""

from __future__ import annotations

import os
from pathlib import Path  # noqa: TC003 - pydantic reads it at run time
from typing import Annotated

from pydantic import AfterValidator, Field

from oneiric.core import limits
from oneiric.core.config.section import Section


def _checked_directory(path: Path) -> Path:
    try:
        usable = not path.exists() or (path.is_dir() and os.access(path, os.R_OK | os.W_OK | os.X_OK))
    except (OSError, ValueError):
        usable = False
    if not usable:
        raise ValueError("must be a directory that can be read and written, or be missing, and is made then")
    return path


class SharedSettings(Section):
    """Counts of several processes of one service, shown by a scrape of any.

    Attributes:
        directory: Where the processes keep their counts, on a local file system; None: each shows its own.
        publish_interval: Seconds between publications of the gauges of a process to the others.
    """

    directory: Annotated[Path, AfterValidator(_checked_directory)] | None = None
    publish_interval: Annotated[float, Field(ge=0.1, le=limits.MAX_SHARED_INTERVAL)] = limits.SHARED_INTERVAL
