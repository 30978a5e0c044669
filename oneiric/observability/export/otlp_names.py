"""What a metric of Prometheus is called in OpenTelemetry, and its unit."""

from __future__ import annotations

import re

_UNITS = {
    "seconds": "s",
    "milliseconds": "ms",
    "ms": "ms",
    "bytes": "By",
    "celsius": "Cel",
    "meters": "m",
    "volts": "V",
    "amperes": "A",
    "joules": "J",
    "grams": "g",
    "ratio": "1",
    "percent": "%",
}
"""Units as UCUM writes them, by the last word of a name."""

_NAMESPACE = "oneiric"


def otel_name(name: str) -> tuple[str, str]:
    """Return OpenTelemetry's name and unit ("" if none) for the family *name*, given with or without ``_total``.

    The unit and ``_total`` leave the name. A name of ours gets its namespaces back: ``oneiric_lifecycle_swap_total`` is
    ``oneiric.lifecycle.swap``, as the span is called, and its duration ``oneiric.lifecycle.swap.duration``.

    Whoever translates back as Prometheus does, with dots to underscores and unit and type appended, has the names that
    are scraped, but for a unit of milliseconds.
    """
    stem = name.removesuffix("_total")
    head, _, last = stem.rpartition("_")
    unit = _UNITS.get(last, "") if head else ""
    if unit:
        stem = head
    namespace, _, rest = stem.partition("_")
    if namespace == _NAMESPACE and rest:
        area, _, thing = rest.partition("_")
        stem = ".".join(filter(None, (namespace, area, re.sub(r"_(?=duration$)", ".", thing))))
    return stem, unit
