"""A Prometheus that is asked whether alerts fire for a sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import httpx

from oneiric.monitoring.bundle.alerts import promql
from oneiric.observability import catalogue
from oneiric.rehearsal.drills.scenario import DrillError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from oneiric.monitoring.config import BundleConfig

AlertState = Literal["inactive", "pending", "firing"]
STATES: tuple[AlertState, ...] = ("inactive", "pending", "firing")


class PrometheusError(DrillError):
    """A Prometheus cannot be asked."""


class PrometheusWatch:
    """Asks the Prometheus at *url* for the alerts called *names*, of the job of *config*."""

    def __init__(self, client: httpx.AsyncClient, url: str, config: BundleConfig, names: Iterable[str]) -> None:
        self.url = url
        self._client = client
        self._config = config
        self._names = tuple(names)

    async def missing_rules(self) -> list[str]:
        """Return the names that no rule there has; PrometheusError where that cannot be asked."""
        loaded = {rule.get("name") for rule in await self._rules()}
        return [name for name in self._names if name not in loaded]

    async def instance(self, marker: str) -> str | None:
        """Return the instance of the job whose runtime has the key *marker*, or None until it is scraped."""
        query = promql(self._config).series(catalogue.RESOLUTIONS, key=marker)
        for sample in _listed(await self._get("query", query=query.text), "result"):
            match sample:
                case {"metric": {"instance": str(instance)}}:
                    return instance
        return None

    async def states(self, instance: str) -> dict[str, AlertState]:
        """Return the state of each alert for *instance*, or for its whole job where there is no instance."""
        states: dict[str, AlertState] = dict.fromkeys(self._names, "inactive")
        own = {"job": self._config.job, "instance": instance}
        for rule in await self._rules():
            name = rule.get("name", "")
            for alert in _listed(rule, "alerts") if name in states else ():
                match alert:
                    case {"labels": {**labels}, "state": "pending" | "firing" as state}:
                        if all(labels.get(label, value) == value for label, value in own.items()):
                            states[name] = max(states[name], state, key=STATES.index)
        return states

    async def _rules(self) -> list[dict[str, Any]]:
        groups = _listed(await self._get("rules", type="alert"), "groups")
        return [rule for group in groups for rule in _listed(group, "rules")]

    async def _get(self, path: str, **parameters: str) -> dict[str, Any]:
        try:
            response = await self._client.get(f"{self.url}/api/v1/{path}", params=parameters)
            data = response.raise_for_status().json()["data"]
        except httpx.HTTPStatusError as error:
            raise PrometheusError(f"{self.url} answers with status {error.response.status_code}") from None
        except httpx.HTTPError as error:
            raise PrometheusError(f"{self.url} cannot be reached: {str(error) or type(error).__name__}") from None
        except (ValueError, KeyError, TypeError):
            raise PrometheusError(f"{self.url} does not answer as Prometheus does") from None
        return data if isinstance(data, dict) else {}


def _listed(data: dict[str, Any], key: str) -> Iterator[dict[str, Any]]:
    found = data.get(key)
    return (item for item in found or () if isinstance(item, dict)) if isinstance(found, list) else iter(())
