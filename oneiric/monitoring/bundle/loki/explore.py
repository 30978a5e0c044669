"""Links into Grafana's Explore, with a query asked of the bundle's Loki."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig

DATASOURCE = "oneiric-loki"
"""The uid of the data source that the bundle provisions."""


def explore_url(config: BundleConfig, query: str, *, since: str = "1h") -> str:
    """Return the address at which Grafana shows what Loki answers to *query* over the time *since* until now."""
    target = {
        "refId": "A",
        "datasource": {"type": "loki", "uid": DATASOURCE},
        "expr": query,
        "queryType": "range",
        "editorMode": "code",
    }
    pane = {"datasource": DATASOURCE, "queries": [target], "range": {"from": f"now-{since}", "to": "now"}}
    panes = json.dumps({"logs": pane}, separators=(",", ":"))
    parameters = urlencode({"schemaVersion": 1, "panes": panes, "orgId": 1}, quote_via=quote)
    return f"{config.grafana_url}/explore?{parameters}"
