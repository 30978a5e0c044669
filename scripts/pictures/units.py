"""Figures as Grafana writes them: with the unit, and only as precise as can be read."""

from __future__ import annotations

from itertools import pairwise

SECONDS = ((1, "s"), (60, "min"), (3600, "h"), (86_400, "d"))
PARTS = ((1e3, "ms"), (1e6, "\N{MICRO SIGN}s"), (1e9, "ns"))
BYTES = ("B", "KiB", "MiB", "GiB", "TiB")
DAY = 86_400


def written(value: float, unit: str) -> str:
    """Return *value* with its *unit*, which is one of those that the dashboards have."""
    if unit == "percentunit":
        return f"{_short(value * 100)} %"
    if unit == "ms":
        return f"{_short(value)} ms" if abs(value) < 1000 else _time(value / 1000)  # noqa: PLR2004 - a second
    if unit == "s":
        return _time(value)
    if unit in {"bytes", "Bps"}:
        return _bytes(value) + ("/s" if unit == "Bps" else "")
    return _short(value) + (" ops/s" if unit == "ops" else "")


def _short(value: float) -> str:
    size = abs(value)
    if size >= 1e6:  # noqa: PLR2004 - a million
        return f"{value / 1e6:.3g} M"
    if size >= 1e4:  # noqa: PLR2004 - ten thousand
        return f"{value / 1e3:.3g} K"
    return f"{value:.0f}" if value == int(value) else f"{value:.3g}"


def _time(value: float) -> str:
    size = abs(value)
    if size == 0:
        return "0 s"
    if size < 1:
        factor, name = next((part for part in PARTS if size * part[0] >= 1), PARTS[-1])
        return f"{_short(value * factor)} {name}"
    for (low, name), (high, _) in pairwise((*SECONDS, (float("inf"), ""))):
        if low <= size < high:
            return f"{value / low:.3g} {name}"
    return f"{value / DAY:.3g} d"


def _bytes(value: float) -> str:
    for name in BYTES:
        if abs(value) < 1024 or name == BYTES[-1]:  # noqa: PLR2004 - the next unit
            return f"{value:.3g} {name}"
        value /= 1024
    return ""
