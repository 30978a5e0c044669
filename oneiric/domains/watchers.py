"""The watchers of services, tasks, events and workflows."""

from __future__ import annotations

from oneiric.domains.watching import DomainWatcher


class ServiceConfigWatcher(DomainWatcher):
    """Watches the selections of services."""

    domain = "service"


class TaskConfigWatcher(DomainWatcher):
    """Watches the selections of tasks."""

    domain = "task"


class EventConfigWatcher(DomainWatcher):
    """Watches the selections of events; the bridge is given its settings with every look."""

    domain = "event"
    refreshes = True


class WorkflowConfigWatcher(DomainWatcher):
    """Watches the selections of workflows; the bridge is given its settings with every look."""

    domain = "workflow"
    refreshes = True
