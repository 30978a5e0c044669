"""Which files of the repository are generated, from the catalogue or from the settings, and what they must say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.core.config import example_file, settings_page
from oneiric.monitoring.bundle.dashboards import panels_page
from oneiric.monitoring.bundle.files import bundle
from oneiric.monitoring.bundle.golden import golden
from oneiric.monitoring.bundle.guides import with_tables
from oneiric.monitoring.bundle.incidents import incident_page
from oneiric.monitoring.bundle.kubernetes import kubernetes
from oneiric.monitoring.bundle.loki import with_queries
from oneiric.monitoring.bundle.reference import reference_page
from oneiric.monitoring.bundle.runbooks import runbook_page
from oneiric.monitoring.config import BundleConfig
from oneiric.monitoring.drift.findings import with_codes
from oneiric.observability.catalogue import CATALOGUE

if TYPE_CHECKING:
    from pathlib import Path


def generated_files(root: Path) -> dict[Path, str]:
    """Return the text of every generated file below the repository's *root*."""
    config, monitoring = BundleConfig(), root / "deploy" / "monitoring"
    loki = root / "docs" / "monitoring" / "LOKI_SETUP.md"
    guides = [root / "docs" / "monitoring" / f"{name}_SETUP.md" for name in ("ALERTING", "PROMETHEUS")]
    guide = root / "docs" / "monitoring" / "DRIFT_CHECK.md"
    objects = (("kubernetes", "components", "monitoring"), ("helm", "oneiric", "files"))
    deployed = [root.joinpath("deploy", *path) for path in objects]
    return {
        guide: with_codes(guide.read_text(encoding="utf-8")),
        **{guide: with_tables(guide.read_text(encoding="utf-8"), config) for guide in guides},
        **{monitoring / path: text for path, text in bundle(config).items()},
        **{directory / path: text for directory in deployed for path, text in kubernetes(config).items()},
        root / "docs" / "runbooks" / "ALERTS.md": runbook_page(config),
        root / "docs" / "runbooks" / "INCIDENT_RESPONSE.md": incident_page(config),
        root / "docs" / "monitoring" / "PANELS.md": panels_page(config),
        root / "docs" / "settings.md": settings_page(),
        root / "docs" / "oneiric.example.yaml": example_file(),
        root / "docs" / "monitoring" / "METRICS.md": reference_page(CATALOGUE, config),
        loki: with_queries(loki.read_text(encoding="utf-8"), config),
        root / "tests" / "observability" / "catalogue.golden.json": golden(CATALOGUE),
    }
