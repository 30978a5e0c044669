"""The rows of the table, what each is held to, and how they are printed."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PEERS = ("prometheus-client", "opentelemetry-sdk", "structlog", "typer")
COLUMNS = ("row", "what", "reached", "min..max", "at least", "aim", "where it stands")

Standing: TypeAlias = Literal["aim reached", "reached", "not reached", ""]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One comparison; every figure is a ratio of costs, so less is better.

    Attributes:
        name: Selects it on the command line.
        what: What is divided by what.
        at_least: The ratio that has to be reached; None for a row that only informs.
        aim: The ratio that is aimed at.
    """

    name: str
    what: str
    at_least: float | None = None
    aim: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """The ratios of a row, one of each round."""

    row: Row
    ratios: Sequence[float]

    @property
    def median(self) -> float:
        """The ratio that is judged."""
        return statistics.median(self.ratios)

    @property
    def stands(self) -> Standing:
        """Where the median stands, as far as it is printed; "" for a row that only informs."""
        if self.row.at_least is None or self.row.aim is None:
            return ""
        if _is_within(self.median, self.row.aim):
            return "aim reached"
        return "reached" if _is_within(self.median, self.row.at_least) else "not reached"

    def cells(self) -> tuple[str, ...]:
        """Return the line of the table."""
        low, high = shown(min(self.ratios)), shown(max(self.ratios))
        limits = [_limit(limit) if limit is not None else "" for limit in (self.row.at_least, self.row.aim)]
        return (self.row.name, self.row.what, shown(self.median), f"{low}..{high}", *limits, self.stands)

    def as_dict(self) -> dict[str, Any]:
        """Return what JSON tells of it."""
        return {
            "name": self.row.name,
            "what": self.row.what,
            "median": self.median,
            "min": min(self.ratios),
            "max": max(self.ratios),
            "rounds": len(self.ratios),
            "at_least": self.row.at_least,
            "aim": self.row.aim,
            "stands": self.stands,
        }


def shown(ratio: float) -> str:
    """Return *ratio* as it is printed: as ``1/n`` where it is clearly below 1, as a multiple elsewhere."""
    return f"1/{1 / ratio:.1f}" if 0 < ratio < 1 / 1.25 else f"{ratio:.2f} x"


def _limit(ratio: float) -> str:
    return f"1/{1 / ratio:.3g}" if ratio < 1 else f"{ratio:.3g} x"


def surroundings() -> dict[str, str]:
    """Return the interpreter, the machine and the versions of the peers."""
    return {
        "interpreter": f"{platform.python_implementation()} {platform.python_version()}{_threading()}",
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        **{peer: importlib.metadata.version(peer) for peer in PEERS},
    }


def table(results: Iterable[Result]) -> str:
    """Return *results* as a Markdown table."""
    lines = [COLUMNS, *(result.cells() for result in results)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    rule = "|".join("-" * (width + 2) for width in widths)
    head, *body = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines]
    return "\n".join([head, f"|{rule}|", *body])


def _is_within(ratio: float, limit: float) -> bool:
    return ratio <= limit or shown(ratio) == shown(limit)


def _threading() -> str:
    return "" if getattr(sys, "_is_gil_enabled", lambda: True)() else ", without a global lock"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "an unknown processor"
