"""Bridges: what an application uses the providers of a domain through."""

from __future__ import annotations

from oneiric.domains.base import DomainBridge, DomainHandle
from oneiric.domains.events import EventBridge
from oneiric.domains.services import ServiceBridge
from oneiric.domains.tasks import TaskBridge
from oneiric.domains.watchers import (
    EventConfigWatcher,
    ServiceConfigWatcher,
    TaskConfigWatcher,
    WorkflowConfigWatcher,
)
from oneiric.domains.workflows import WorkflowBridge

__all__ = [
    "DomainBridge",
    "DomainHandle",
    "EventBridge",
    "EventConfigWatcher",
    "ServiceBridge",
    "ServiceConfigWatcher",
    "TaskBridge",
    "TaskConfigWatcher",
    "WorkflowBridge",
    "WorkflowConfigWatcher",
]
