"""Read what a scraper wants: which exposition format, whether compressed, and which samples.

Quality values follow RFC 9110, section 12: the most specific range that names a format decides, ``q=0`` refuses it, and
a range whose weight is malformed says nothing.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Final
from urllib.parse import unquote_plus

_MAX_HEADER_CHARS: Final = 4096  # what is longer is no scraper's
_MAX_FIELDS: Final = 1000
_MAX_NAMES: Final = 256  # they are held while their page is waited for
_WEIGHT = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_OPENMETRICS = (("application/openmetrics-text", "1.0.0"), ("application/openmetrics-text", ""))
_TEXT = (("text/plain", "0.0.4"), ("text/plain", ""), ("text/*", ""), ("*/*", ""))
_GZIP = (("gzip", ""), ("x-gzip", ""), ("*", ""))


def prefers_openmetrics(accept: str) -> bool:
    """Whether *accept* names OpenMetrics 1.0 and does not prefer the text format 0.0.4; a wildcard does not name it."""
    qualities = _qualities(accept)
    openmetrics = _quality(qualities, _OPENMETRICS)
    return openmetrics > 0 and openmetrics >= _quality(qualities, _TEXT)


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether *accept_encoding* allows gzip."""
    return _quality(_qualities(accept_encoding), _GZIP) > 0


def wanted_names(query: str) -> frozenset[str]:
    """Return the names of samples that the fields ``name[]`` of *query* ask for; empty for all of them.

    Fields that name nothing are left out, as are those after the first thousand, and names after the first 256.
    """
    fields = (field.partition("=") for field in query.split("&", _MAX_FIELDS)[:_MAX_FIELDS])
    names = (unquote_plus(value) for name, _, value in fields if value and unquote_plus(name) == "name[]")
    return frozenset(islice(names, _MAX_NAMES))


def _quality(qualities: dict[tuple[str, str], float], ranges: tuple[tuple[str, str], ...]) -> float:
    return next((qualities[name] for name in ranges if name in qualities), 0.0)


def _qualities(header: str) -> dict[tuple[str, str], float]:
    qualities: dict[tuple[str, str], float] = {}
    for element in header[:_MAX_HEADER_CHARS].split(","):
        name, *parameters = (part.strip().lower() for part in element.split(";"))
        values = {key.rstrip(): value.strip(' "') for key, _, value in (text.partition("=") for text in parameters)}
        weight = values.get("q", "1")
        if _WEIGHT.fullmatch(weight):
            key = (name, values.get("version", ""))
            qualities[key] = max(float(weight), qualities.get(key, 0.0))
    return qualities
