"""The queries of Loki on the dashboards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.logql import COMMON_FIELDS, PARSED, field_label, fixed_fields, lines, log_of, names, stream
from oneiric.monitoring.promql import ExpressionError

if TYPE_CHECKING:
    from oneiric.core.events import Event
    from oneiric.monitoring.config import BundleConfig
    from oneiric.observability.model import Phase


def formatted(config: BundleConfig, event: type[Event], on: Phase | None, words: str, *fields: str, chosen: str) -> str:
    """Return the query for the lines of *event*, each written as *words* and its *fields*.

    With *chosen*, a label, it is for the values of it that were chosen only.

    Raises:
        ExpressionError: The event has no such field.
    """
    _, log = log_of(event, on)
    if missing := {*fields} - COMMON_FIELDS - {*log.fields, *log.const}:
        raise ExpressionError(f"{log.name} has no field {', '.join(sorted(missing))}")
    template = " ".join([words, *(f"{field}={{{{.{field_label(field)}}}}}" for field in fields)])
    within = f' | {chosen}=~"${chosen}"' if chosen else ""
    return f'{lines(config, event, on)}{within} | line_format "{template}"'


def selected_lines(config: BundleConfig, *named: tuple[type[Event], Phase | None], label: str) -> str:
    """Return the query for the lines of the events *named*, of the values of *label* that were chosen.

    Raises:
        ExpressionError: Among several is one whose name other events have, too: it needs a query of its own.
    """
    within = f' | {label}=~"${label}"'
    if len(named) == 1:
        return lines(config, *named[0]) + within
    logs = [log_of(event, on)[1] for event, on in named]
    if shared := [log.name for log in logs if fixed_fields(log)]:
        raise ExpressionError(f"other events are called {', '.join(shared)}, too: it needs a query of its own")
    return f'{stream(config)} |~ "{names(*logs)}"{PARSED}{within}'
