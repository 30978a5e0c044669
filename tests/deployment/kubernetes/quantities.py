"""Quantities of Kubernetes, such as 250m and 64Mi."""

from __future__ import annotations

import re
from fractions import Fraction

_QUANTITY = re.compile(r"([+-]?\d+(?:\.\d*)?|[+-]?\.\d+)(n|u|m|k|M|G|T|P|E|[KMGTPE]i|[eE][+-]?\d+)?")
_FACTORS = {"": Fraction(1), "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000)}
_FACTORS |= {unit: Fraction(1000**power) for power, unit in enumerate("kMGTPE", start=1)}
_FACTORS |= {f"{unit}i": Fraction(1024**power) for power, unit in enumerate("KMGTPE", start=1)}


def quantity(text: object) -> Fraction | None:
    """Return what *text* says, or None where it is no quantity."""
    found = _QUANTITY.fullmatch(str(text))
    if found is None:
        return None
    unit = found[2] or ""
    factor = Fraction(10) ** int(unit[1:]) if unit[:1] in {"e", "E"} and unit not in _FACTORS else _FACTORS[unit]
    return Fraction(found[1]) * factor
