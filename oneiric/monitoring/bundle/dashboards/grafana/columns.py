"""The columns of tables: their names, units and colours, and how the queries' answers become one table."""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oneiric.monitoring.bundle.dashboards.model import Color, Panel, Query


@dataclass(frozen=True, slots=True)
class Column:
    """A column by its name, and what of it differs from the panel's settings."""

    name: str
    properties: tuple[DynamicConfigValue, ...]


def columns(panel: Panel) -> Iterator[Column]:
    """Return the columns of *panel* that are values and have settings of their own."""
    for query in panel.queries:
        if properties := tuple(_properties(query)):
            yield Column(query.legend, properties)


def tidied(panel: Panel) -> tuple[DataTransformerConfig, ...]:
    """Return how the answers become one table: a row for each set of labels, a column for each query."""
    several = len(panel.queries) > 1
    values = {
        f"Value #{letter}" if several else "Value": query.legend
        for letter, query in zip(string.ascii_uppercase, panel.queries, strict=False)
    }
    hidden = {"Time": True} | {value: True for value, legend in values.items() if not legend}
    shown = {value: legend for value, legend in values.items() if legend}
    options = {"excludeByName": hidden, "indexByName": {}, "renameByName": shown}
    organize = DataTransformerConfig(id_val="organize", options=options)
    return (DataTransformerConfig(id_val="merge", options={}), organize)


def _properties(query: Query) -> Iterator[DynamicConfigValue]:
    if query.unit:
        yield DynamicConfigValue(id_val="unit", value=query.unit)
    if query.words:
        mapping = {
            str(value): {"color": color, "index": index, "text": text}
            for index, (value, (text, color)) in enumerate(query.words.items())
        }
        yield DynamicConfigValue(id_val="mappings", value=[{"options": mapping, "type": "value"}])
    if query.limits:
        steps: list[dict[str, float | Color | None]] = [
            {"color": limit.color, "value": limit.value} for limit in query.limits
        ]
        yield DynamicConfigValue(id_val="thresholds", value={"mode": "absolute", "steps": steps})
    if query.words or query.limits:
        yield DynamicConfigValue(id_val="custom.cellOptions", value={"mode": "basic", "type": "color-background"})
