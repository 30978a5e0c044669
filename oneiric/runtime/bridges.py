"""The bridges of one runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from oneiric.actions.bridge import ActionBridge
from oneiric.adapters.bridge import AdapterBridge
from oneiric.domains.events import EventBridge
from oneiric.domains.services import ServiceBridge
from oneiric.domains.tasks import TaskBridge
from oneiric.domains.workflows import WorkflowBridge

if TYPE_CHECKING:
    from oneiric.core.activity import Activities
    from oneiric.core.config import OneiricSettings
    from oneiric.core.lifecycle import LifecycleManager
    from oneiric.core.resolution import Resolver
    from oneiric.domains.base import DomainBridge
    from oneiric.domains.protocols import WorkGate


class Bridges(NamedTuple):
    """One bridge for each domain, named as the domain is."""

    adapter: AdapterBridge
    service: ServiceBridge
    task: TaskBridge
    event: EventBridge
    workflow: WorkflowBridge
    action: ActionBridge

    def by_domain(self) -> dict[str, DomainBridge]:
        """Return them by domain."""
        return self._asdict()


def bridges_of(
    settings: OneiricSettings,
    resolver: Resolver,
    lifecycle: LifecycleManager,
    store: Activities,
    supervisor: WorkGate | None = None,
) -> Bridges:
    """Return the bridges of a runtime of these parts."""
    common = (resolver, lifecycle)
    return Bridges(
        adapter=AdapterBridge(*common, settings.adapters, activity_store=store, supervisor=supervisor),
        service=ServiceBridge(*common, settings.services, store, supervisor),
        task=TaskBridge(*common, settings.tasks, store, supervisor),
        event=EventBridge(*common, settings.events, store, supervisor),
        workflow=WorkflowBridge(*common, settings.workflows, store, supervisor),
        action=ActionBridge(*common, settings.actions, activity_store=store, supervisor=supervisor),
    )
