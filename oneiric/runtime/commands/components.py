"""Components: who is registered, who wins and who serves; and the swap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oneiric.core.errors import LifecycleError
from oneiric.core.redaction import describe
from oneiric.runtime.commands.command import (
    Command,
    domain_of,
    flag,
    require_provider,
    required,
    text,
    unknown_key,
)
from oneiric.runtime.control.errors import ControlError
from oneiric.runtime.control.protocol import FAILED

if TYPE_CHECKING:
    from oneiric.core.resolution import Candidate
    from oneiric.runtime.commands.command import Fields
    from oneiric.runtime.orchestrator import RuntimeOrchestrator


def commands(runtime: RuntimeOrchestrator) -> dict[str, Command]:
    """Return the commands about the components of *runtime*."""
    components = _Components(runtime)
    return {
        "list": Command("read", components.list),
        "explain": Command("read", components.explain),
        "swap": Command("change", components.swap, needs_service=True),
    }


class _Components:
    def __init__(self, runtime: RuntimeOrchestrator) -> None:
        self._runtime = runtime

    async def list(self, fields: Fields) -> dict[str, Any]:
        everything = flag(fields, "all")
        domains = tuple(self._runtime.bridges) if everything else (domain_of(fields),)
        shown = []
        for domain in domains:
            bridge = self._runtime.bridges[domain]
            entry: dict[str, Any] = {"domain": domain, "active": _entries(bridge.active_candidates())}
            if everything or flag(fields, "shadowed"):
                entry["shadowed"] = _entries(bridge.shadowed_candidates())
            shown.append(entry)
        return {"domains": shown}

    async def explain(self, fields: Fields) -> dict[str, Any]:
        domain, key = domain_of(fields), required(fields, "key")
        bridge = self._runtime.bridges[domain]
        explanation = bridge.explain(key)
        if not explanation["ordered"]:
            raise unknown_key(bridge, key)
        return explanation

    async def swap(self, fields: Fields) -> dict[str, Any]:
        domain, key, provider = domain_of(fields), required(fields, "key"), text(fields, "provider")
        bridge, lifecycle = self._runtime.bridges[domain], self._runtime.lifecycle
        require_provider(bridge, key, provider)
        try:
            instance = await lifecycle.swap(domain, key, provider, force=flag(fields, "force"))
        except LifecycleError as error:
            cause = f": {describe(error.__cause__)[1]}" if error.__cause__ is not None else ""
            raise ControlError(
                FAILED, f"{error}{cause}", f"oneiric explain {key} --domain {domain}; the log has more"
            ) from error
        serving = lifecycle.get_candidate(domain, key)
        if provider is not None and serving is not None and serving.provider == provider:
            configured = self._runtime.selections[domain].choose(key, provider)
        else:
            configured = None
        return {
            "domain": domain,
            "key": key,
            "provider": None if serving is None else serving.provider,
            "instance": type(instance).__name__,
            "configured": configured,
        }


def _entries(candidates: list[Candidate]) -> list[dict[str, Any]]:
    return [
        {
            "key": candidate.key,
            "provider": candidate.provider,
            "priority": candidate.priority,
            "stack_level": candidate.stack_level,
            "source": candidate.source.value,
        }
        for candidate in sorted(candidates, key=lambda candidate: (candidate.key, candidate.provider or ""))
    ]
