"""The whole bundle: every file of every part, by its path below the bundle's directory."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from oneiric.monitoring.bundle import alertmanager, dashboards, openslo, prometheus, scraping
from oneiric.monitoring.bundle.loki import pipeline_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.monitoring.config import BundleConfig

PARTS = (
    scraping.files,
    prometheus.files,
    alertmanager.files,
    openslo.files,
    pipeline_files,
    dashboards.files,
)
"""What makes the files of one part, in the order of the reference."""


def bundle(config: BundleConfig) -> dict[str, str]:
    """Return the text of every file of the bundle for *config*, by its path below the bundle's directory."""
    return {path: text for part in PARTS for path, text in part(config).items()}


def write(files: Mapping[str, str], directory: Path) -> None:
    """Write *files* below *directory*, made if need be; each is replaced in one step, others are left alone.

    Raises:
        OSError: One cannot be written; its path is the error's file name.
    """
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, text)


def _replace(path: Path, text: str) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(text)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink()
        raise
