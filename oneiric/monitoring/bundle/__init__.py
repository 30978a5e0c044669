"""The files of operators, made from the catalogue: rules, alerts, dashboards, pipelines and pages."""

from oneiric.monitoring.bundle.files import bundle, write
from oneiric.monitoring.bundle.kubernetes import kubernetes
from oneiric.monitoring.bundle.merging import merge_text

__all__ = ["bundle", "kubernetes", "merge_text", "write"]
