"""Ask an instance whether it is healthy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from oneiric.core.errors import CallTimeoutError, LifecycleError
from oneiric.core.events import HealthCheck, HealthRecovered
from oneiric.core.lifecycle.calls import Call
from oneiric.core.lifecycle.instances import checks_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.core.lifecycle.calls import Calls
    from oneiric.core.lifecycle.instances import Served
    from oneiric.core.lifecycle.status_book import Component, StatusBook
    from oneiric.core.observers import Observers

Phase: TypeAlias = Literal["swap", "probe"]

_LABELS: dict[Phase, str] = {"swap": "health", "probe": "health probe"}


class OvertakenError(Exception):
    """The instance no longer serves: what its checks answered is about nothing."""


class HealthChecks:
    """Runs the checks of instances, one after another up to the first that fails.

    Args:
        calls: Makes the calls.
        book: Takes down how the last check of a component ended.
        observers: Notified of every check.
        timeout: Seconds for one check; 0 for no limit.
    """

    def __init__(self, calls: Calls, book: StatusBook, *, observers: Observers, timeout: float) -> None:
        self._calls = calls
        self._book = book
        self._observers = observers
        self._timeout = timeout

    async def run(
        self, component: Component, served: Served, phase: Phase, *, overtaken: Callable[[], bool] = lambda: False
    ) -> tuple[bool | None, Exception | None]:
        """Return whether the instance is healthy, None where nothing can be asked, and why it is not.

        A check that ends when *overtaken* is true ends as cancelled, whatever it says, and OvertakenError is raised.
        """
        healthy = None
        for name, function in checks_of(served):
            error = await self._run_one(component, served, phase, name, function, overtaken)
            if error is not None:
                return False, error
            healthy = True
        return healthy, None

    def record(self, component: Component, served: Served, *, healthy: bool | None) -> None:
        """Take down how the checks ended, and report if the component has recovered."""
        down = self._book.checked(component, healthy=healthy)
        if down is not None:
            domain, key = component
            self._observers.notify(HealthRecovered(domain=domain, key=key, provider=served.provider, down_seconds=down))

    async def _run_one(  # noqa: PLR0913, PLR0917 - all that a check is
        self,
        component: Component,
        served: Served,
        phase: Phase,
        name: str,
        function: Callable[[], Any],
        overtaken: Callable[[], bool],
    ) -> Exception | None:
        domain, key = component
        label = f"{_LABELS[phase]} {domain}:{key}"
        check = HealthCheck(domain=domain, key=key, provider=served.provider, phase=phase, check=name)
        with self._observers.operation(check) as running:
            reason, error = await self._ask(
                Call(
                    function=function,
                    label=label,
                    timeout=self._timeout,
                    threaded=served.threaded,
                    subject=served.instance,
                ),
                f"{domain}:{key} ({served.provider})",
                name,
            )
            if overtaken():
                running.settle("cancelled", "overtaken")
                raise OvertakenError
            if error is not None:
                running.fail(reason, error)
            return error

    async def _ask(self, call: Call, whom: str, check: str) -> tuple[str, Exception | None]:
        try:
            answer = await self._calls.run(call)
        except Exception as error:  # noqa: BLE001 - a check may raise anything
            return "timeout" if isinstance(error, CallTimeoutError) else "raised", error
        if answer is True:
            return "", None
        if answer is False:
            return "false", LifecycleError(f"Health check failed for {whom}")
        kind = type(answer).__name__
        return "not_bool", LifecycleError(f"Health check {check} of {whom} answered {kind}, not a bool")
