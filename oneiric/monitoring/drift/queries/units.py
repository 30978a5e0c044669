"""Units of Grafana's panels, and what can be shown in them."""

from __future__ import annotations

_SHOWN_IN = {
    "seconds": {"s", "dtdurations", "dthms", "clocks"},
    "milliseconds": {"ms", "dtdurationms", "clockms"},
    "bytes": {"bytes", "decbytes", "Bps", "binBps"},
}
_OTHERS = {"percentunit", "percent", "m", "h", "d", "ns", "reqps", "ops", "bits", "decbits", "kbytes"}
_MEASURED = {unit for units in _SHOWN_IN.values() for unit in units} | _OTHERS


def fits(unit: str, panel_unit: str) -> bool:
    """Whether values in *unit* read right where the panel's unit is *panel_unit*; True for units that say nothing."""
    return unit not in _SHOWN_IN or panel_unit not in _MEASURED or panel_unit in _SHOWN_IN[unit]


def is_no_share(panel_unit: str) -> bool:
    """Whether *panel_unit* is for something else than shares of a whole."""
    return panel_unit == "percent" or any(panel_unit in units for units in _SHOWN_IN.values())


def right_for(unit: str) -> str:
    """Return the panel unit for values in *unit*."""
    return {"seconds": "s", "milliseconds": "ms", "bytes": "bytes"}.get(unit, "")
