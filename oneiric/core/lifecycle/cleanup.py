"""Do what follows a decided swap: whatever fails is reported, undoes nothing, and stops nothing that comes after."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from oneiric.core.events import CleanupFailed
from oneiric.core.lifecycle.calls import Call
from oneiric.core.lifecycle.instances import CLEANUP_METHODS, first_callable, name_of, text_of
from oneiric.core.redaction import redact

if TYPE_CHECKING:
    from oneiric.core.lifecycle.calls import Calls
    from oneiric.core.lifecycle.instances import Served
    from oneiric.core.lifecycle.options import LifecycleHooks, LifecycleSafetyOptions
    from oneiric.core.lifecycle.status_book import Component, StatusBook
    from oneiric.core.observers import Observers


class Cleanup:
    """Closes instances.

    Args:
        calls: Makes the calls.
        book: Takes down what failed.
        observers: Notified of failures.
        hooks: Those of them that follow the closing of an instance.
        safety: Time limits.
    """

    def __init__(
        self,
        calls: Calls,
        book: StatusBook,
        *,
        observers: Observers,
        hooks: LifecycleHooks,
        safety: LifecycleSafetyOptions,
    ) -> None:
        self._calls = calls
        self._book = book
        self._observers = observers
        self._hooks = hooks
        self._safety = safety

    async def close(self, component: Component, served: Served, *, note: bool = True) -> None:
        """Close an instance that no longer serves, and call the hooks.

        Without *note* a failure does not become the last error of the component, which has a better one.
        """
        method = first_callable(served.instance, CLEANUP_METHODS)
        if method is not None:
            name, function = method
            label = f"cleanup {type(served.instance).__name__}"
            call = Call(
                function=function,
                label=label,
                timeout=self._safety.cleanup_timeout,
                threaded=served.threaded,
                shielded=True,
                bounded=False,  # an instance that is not closed leaks
            )
            await self.attempt(component, served, f"cleanup method {name}", call, note=note)
        for hook in tuple(self._hooks.on_cleanup):
            call = Call(
                function=hook,
                args=(served.instance,),
                label="cleanup hook",
                timeout=self._safety.hook_timeout,
                threaded=False,
            )
            await self.attempt(component, served, f"cleanup hook {name_of(hook)}", call, note=note)

    async def attempt(self, component: Component, served: Served, what: str, call: Call, *, note: bool = True) -> None:
        """Make *call*, of which an error text says *what* it is."""
        try:
            await self._calls.run(call)
        except asyncio.CancelledError as error:
            self._failed(component, served, what, error, note=note)
            raise
        except Exception as error:  # noqa: BLE001 - isolation is the job
            self._failed(component, served, what, error, note=note)

    def _failed(self, component: Component, served: Served, what: str, error: BaseException, *, note: bool) -> None:
        text = redact(f"{what}: {text_of(error)}")
        if note:
            self._book.noted(component, text)
        domain, key = component
        self._observers.notify(
            CleanupFailed(domain=domain, key=key, provider=served.provider, error_type=type(error).__name__, error=text)
        )
