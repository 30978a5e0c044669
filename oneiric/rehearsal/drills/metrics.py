"""The metrics that an alert looks at, as they move in a sandbox."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oneiric.monitoring.promql import Expr

EVERY_SECONDS = 5.0
"""How long a series that goes on moving is not shown again."""
MOST = 6
"""Series that are shown at once."""
_SAMPLE = re.compile(r"(?P<series>[a-zA-Z_:][\w:]*(?:\{.*\})?) (?P<value>\S+)")
_NAME = re.compile(r"[a-zA-Z_:][\w:]*")
_HISTOGRAM = re.compile(r"_(?:count|sum)$")
ABSENT = "absent"


class MetricsWatch:
    """Scrapes *url* and reports changes of the metrics that *expressions* look at; a histogram's count and sum."""

    def __init__(self, client: httpx.AsyncClient, url: str, expressions: Iterable[Expr]) -> None:
        self._client = client
        self._url = url
        expressions = tuple(expressions)
        self._names = {name for expression in expressions for name in expression.metrics}
        self._names |= {name for expression in expressions for name in _NAME.findall(expression.text)}
        self._shown: dict[str, str] = {}
        self._at: dict[str, float] = {}
        self._is_up = True

    def begin(self) -> None:
        """Show every series again as soon as it moves."""
        self._at.clear()

    async def look(self, now: float, *, all_of_it: bool = False) -> list[str]:
        """Return a line for each series that moved, at the time *now*; *all_of_it*: also those shown just before."""
        samples = await self._samples()
        if (samples is not None) != self._is_up:
            self._is_up = samples is not None
            return ["/metrics answers again" if self._is_up else "/metrics does not answer"]
        moved = self._moved(self._wanted(samples or {}), now, least=0.0 if all_of_it else EVERY_SECONDS)
        more = [f"and {len(moved) - MOST} more series"] if len(moved) > MOST else []
        return [f"{series} {before} -> {after}" for series, before, after in moved[:MOST]] + more

    async def settle(self) -> None:
        """Take what is so now for known."""
        self._shown = self._wanted(await self._samples() or {})

    async def _samples(self) -> dict[str, str] | None:
        """Return the value of every series of a scrape, by its text, or None where the scrape fails."""
        try:
            text = (await self._client.get(self._url)).raise_for_status().text
        except httpx.HTTPError:
            return None
        found = (_SAMPLE.match(line) for line in text.splitlines() if not line.startswith("#"))
        return {match["series"]: f"{float(match['value']):.12g}" for match in found if match is not None}

    def _wanted(self, samples: dict[str, str]) -> dict[str, str]:
        return {series: value for series, value in samples.items() if self._is_wanted(series.partition("{")[0])}

    def _is_wanted(self, name: str) -> bool:
        return name in self._names or (_HISTOGRAM.sub("", name) in self._names and bool(_HISTOGRAM.search(name)))

    def _moved(self, samples: dict[str, str], now: float, *, least: float) -> list[tuple[str, str, str]]:
        moved = []
        for series in dict.fromkeys((*samples, *self._shown)):
            before, after = self._shown.get(series, ABSENT), samples.get(series, ABSENT)
            if before != after and now - self._at.get(series, now - least) >= least:
                self._at[series] = now
                self._shown[series] = after
                moved.append((series, before, after))
        return moved
