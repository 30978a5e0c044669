"""The groups of rules, in the order in which they are evaluated and listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.bundle.alerts.activity import activity
from oneiric.monitoring.bundle.alerts.availability import availability
from oneiric.monitoring.bundle.alerts.budgets import budgets
from oneiric.monitoring.bundle.alerts.lifecycle import lifecycle, lifecycle_records
from oneiric.monitoring.bundle.alerts.remote import remote
from oneiric.monitoring.bundle.alerts.resolution import resolution, resolution_records
from oneiric.monitoring.bundle.alerts.resources import resources
from oneiric.monitoring.bundle.alerts.service import service
from oneiric.monitoring.bundle.alerts.telemetry import telemetry
from oneiric.monitoring.rules import Alert

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig
    from oneiric.monitoring.rules import Group


def alert_groups(config: BundleConfig) -> tuple[Group, ...]:
    """Return the alerts for *config*, by subject, each after what it needs recorded in the same evaluation."""
    return tuple(
        subject(config)
        for subject in (availability, service, resolution, lifecycle, activity, remote, resources, telemetry, budgets)
    )


def record_groups(config: BundleConfig) -> tuple[Group, ...]:
    """Return the recording rules for *config* that no alert needs, by subject."""
    return tuple(subject(config) for subject in (resolution_records, lifecycle_records))


def alerts(config: BundleConfig) -> tuple[Alert, ...]:
    """Return every alert for *config*."""
    return tuple(rule for group in alert_groups(config) for rule in group.rules if isinstance(rule, Alert))
