"""LogQL made of the catalogue's log events: a field that an event does not have is an error where it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.promql import ExpressionError
from oneiric.observability.catalogue import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.core.events import Event
    from oneiric.monitoring.config import BundleConfig
    from oneiric.observability.model import Log, Phase, Signal

COMMON_FIELDS = CATALOGUE.common_fields
"""Fields that any log event may have."""
STREAM_LABELS = ("app", "env", "host")
"""The labels of the runtime's streams, and no others: each value of one makes a stream of its own."""
PARSED = " | json"
COUNTABLE = f'{PARSED} | __error__=""'
"""How a metric query reads fields: one line that is no JSON would make an error of the whole answer."""
TROUBLE = ("warning", "error", "critical")
"""The levels of lines that need somebody. The runtime writes none of level critical, applications do."""


def log_of(event: type[Event], on: Phase | None = None) -> tuple[Signal, Log]:
    """Return the log event of *event*, of an operation's phase *on*, with its signal.

    Raises:
        ExpressionError: There is none, or there are several and *on* does not say which.
    """
    found = [
        (signal, log) for signal, log in CATALOGUE.log_events if signal.event is event and (on is None or on in log.on)
    ]
    if len(found) != 1:
        names = ", ".join(log.name for _, log in found) or "none"
        raise ExpressionError(f"{event.__name__}, phase {on}: must be one log event, and there are: {names}")
    return found[0]


def stream(config: BundleConfig) -> str:
    """Return the selector of the runtime's streams."""
    return f'{{app="{config.app}"}}'


def lines(
    config: BundleConfig,
    event: type[Event],
    on: Phase | None = None,
    *,
    where: Mapping[str, str] | None = None,
    read: str = PARSED,
) -> str:
    """Return the query for the lines of *event*, of its phase *on*, with the fields *where*.

    The name is looked for in the whole line, which is quick. Fields follow where *where* asks for them or where another
    event has the same name and other fixed fields. *read* is how they are read: COUNTABLE in a metric query, "" where
    nothing but the name matters.

    Raises:
        ExpressionError: No such log event, or a field or value that it never has.
    """
    signal, log = log_of(event, on)
    wanted = {**fixed_fields(log), **(where or {})}
    for field, value in wanted.items():
        _check(signal, log, field, value)
    query = f'{stream(config)} |= "{log.name}"'
    if not read:
        return query
    fields = "".join(f' | {field_label(field)}="{value}"' for field, value in wanted.items())
    return query + read + fields


def troubles(config: BundleConfig) -> str:
    """Return the query for lines of every kind that need somebody."""
    return f'{stream(config)}{PARSED} | level=~"{"|".join(TROUBLE)}"'


def counted(query: str, window: str, *, by: tuple[str, ...] = (), function: str = "count_over_time") -> str:
    """Return how many lines of *query* there were over *window*, by the fields *by*."""
    over = f"{function}({query} [{window}])"
    return f"sum by ({', '.join(field_label(field) for field in by)}) ({over})" if by else f"sum({over})"


def containing(config: BundleConfig, text: str) -> str:
    """Return the query for the lines with *text* in them."""
    return f'{stream(config)} |= "{text}"'


def names(*logs: Log) -> str:
    """Return a regular expression for the lines of *logs*, by their names."""
    return "|".join(dict.fromkeys(log.name for log in logs))


def field_label(field: str) -> str:
    """Return the label that ``| json`` makes of *field*; one that the stream has already gets a suffix."""
    label = field.replace(".", "_")
    return f"{label}_extracted" if label in STREAM_LABELS else label


def fixed_fields(log: Log) -> dict[str, str]:
    """Return the fields that lines of *log* have and that others of its name do not, or have otherwise."""
    shared = [other for _, other in CATALOGUE.log_events if other.name == log.name and other.const != log.const]
    return dict(log.const) if shared else {}


def _check(signal: Signal, log: Log, field: str, value: str) -> None:
    known = COMMON_FIELDS | {*log.fields, *log.const}
    if field not in known:
        raise ExpressionError(f"{log.name} has no field {field}; it has {', '.join(sorted({*log.fields, *log.const}))}")
    allowed = field_values(signal, field)
    if field not in log.const and allowed and value not in allowed:
        raise ExpressionError(f"{log.name}: {field} is never {value!r}; it is one of {', '.join(allowed)}")


def field_values(signal: Signal, field: str) -> tuple[str, ...]:
    """Return all values that *field* of the log events of *signal* can have, () where they are not known."""
    for binding in signal.metrics:
        for label in binding.metric.labels:
            if label.name == field and field not in binding.const:
                return label.values
    return signal.literals(field)
