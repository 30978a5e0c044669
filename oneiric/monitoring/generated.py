"""Which files of the repository are generated from the catalogue, and what they must say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.bundle import bundle
from oneiric.monitoring.config import BundleConfig
from oneiric.monitoring.reference import golden, with_table
from oneiric.observability.catalogue import CATALOGUE

if TYPE_CHECKING:
    from pathlib import Path


def generated_files(root: Path) -> dict[Path, str]:
    """Return what every generated file below the repository's *root* must say."""
    readme = root / "README.md"
    monitoring = root / "deploy" / "monitoring"
    return {
        **{monitoring / path: text for path, text in bundle(BundleConfig()).items()},
        readme: with_table(readme.read_text(encoding="utf-8"), CATALOGUE),
        root / "tests" / "observability" / "catalogue.golden.json": golden(CATALOGUE),
    }
