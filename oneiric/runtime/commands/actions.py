"""The actions: one of them, done now."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any

from oneiric.core.errors import LifecycleError
from oneiric.core.redaction import describe
from oneiric.runtime.commands.command import Command, require_provider, required, text
from oneiric.runtime.control.errors import ControlError, wrong_use
from oneiric.runtime.control.protocol import FAILED

if TYPE_CHECKING:
    from oneiric.runtime.commands.command import Fields
    from oneiric.runtime.orchestrator import RuntimeOrchestrator


def commands(runtime: RuntimeOrchestrator) -> dict[str, Command]:
    """Return the command that does an action of *runtime*."""

    async def invoke(fields: Fields) -> dict[str, Any]:
        key, provider = required(fields, "key"), text(fields, "provider")
        payload = fields.get("payload")
        if not isinstance(payload, dict | None):
            raise wrong_use("payload must be an object")
        require_provider(runtime.action_bridge, key, provider)
        try:
            handle = await runtime.action_bridge.use(key, provider=provider)
            result = await _executed(key, handle.instance, payload or {})
        except Exception as error:
            error_type, reason = describe(error)
            raise ControlError(FAILED, f"action:{key} failed: {reason or error_type}", "the log has more") from error
        return {"key": key, "provider": handle.provider, "result": json.loads(json.dumps(result, default=str))}

    return {"action-invoke": Command("change", invoke)}


async def _executed(key: str, instance: Any, payload: dict[str, Any]) -> Any:
    execute = getattr(instance, "execute", instance)
    if not callable(execute):
        raise LifecycleError(f"action:{key} has no method execute")
    result = execute(payload)
    return await result if inspect.isawaitable(result) else result
