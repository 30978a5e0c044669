"""Grafana's variables in a query, replaced as Grafana does before it asks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)(?::\w+)?\}|\[\[(\w+)(?::\w+)?\]\]")
BUILT_IN = {"__auto": "5m", "__interval": "1m", "__range": "1h", "__rate_interval": "5m"}
"""What Grafana's own variables may become."""


def replaced(query: str, values: Mapping[str, str]) -> str:
    """Return *query* with each variable of *values*, by its name without ``$``, replaced; Grafana's own have values.

    What no variable is known for stays, a ``$`` at the end of a regular expression among it.
    """
    known = {**BUILT_IN, **values}
    return _VARIABLE.sub(lambda found: known.get(found[1] or found[2] or found[3], found[0]), query)
