"""Every file of the log pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.bundle.loki import alloy, promtail, rules, server

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig


def pipeline_files(config: BundleConfig) -> dict[str, str]:
    """Return the text of each file of the log pipeline for *config*, by its path below the bundle's directory."""
    return {path: text for part in (server, rules, alloy, promtail) for path, text in part.files(config).items()}
