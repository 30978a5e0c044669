"""A demonstration that a Prometheus with the bundle's own files watches, and what Grafana would ask of it."""

from __future__ import annotations

import json
import math
import re
import time
import urllib.parse
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from processes import Demo, Prometheus, eventually, free_port, get

from oneiric.monitoring.bundle import bundle, write
from oneiric.monitoring.config import configured

if TYPE_CHECKING:
    from pathlib import Path

SHOWN_SECONDS = 120
STEP_SECONDS = 5


@dataclass
class Watched:
    """A demonstration and the Prometheus that watches it."""

    demo: Demo
    prometheus: Prometheus
    lines: list[str]

    @classmethod
    def start(cls, directory: Path, *settings: str, until: tuple[str, ...] = ()) -> Watched:
        """Start both below *directory*, and return once each query of *until* has an answer."""
        # While spans record, there are exemplars; nobody listens there, so that spans are lost too.
        traced = {"ONEIRIC_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
        options = ("--seconds", "0", "--rate", "60", "--log-level", "debug")
        demo = Demo.start(directory, *options, environment=traced)
        try:
            target = demo.metrics_url.removeprefix("http://").removesuffix("/metrics")
            quick = ("scrape_interval_seconds=1", "evaluation_interval_seconds=1")
            write(bundle(configured((f"targets={target}", *quick, *settings))), directory)
            file, exemplars = directory / "prometheus" / "prometheus.yml", "--enable-feature=exemplar-storage"
            prometheus = Prometheus.configured(directory, file, exemplars)
        except BaseException:
            demo.stop()
            raise
        watched = cls(demo, prometheus, [])
        try:
            for expression in until:
                eventually(partial(prometheus.query, expression), what=expression)
            watched.lines = demo.lines()
        except BaseException:
            watched.stop()
            raise
        return watched

    def stop(self) -> None:
        """Stop both."""
        self.prometheus.stop()
        self.demo.stop()

    def figures(self, query: str, *, instant: bool = False) -> list[dict[str, Any]]:
        """Return the series that answer *query* with a figure, now or over the time shown."""
        found = self.prometheus.query(query) if instant else self.graph(query)
        return [series for series in found if any(map(_is_figure, series.get("values") or [series["value"]]))]

    def graph(self, query: str) -> list[dict[str, Any]]:
        """Return the series that answer *query* over the time shown."""
        now = time.time()
        span = {"start": now - SHOWN_SECONDS, "end": now, "step": STEP_SECONDS}
        found: list[dict[str, Any]] = self._asked("query_range", query=query, **span)["result"]
        return found

    def values(self, query: str) -> list[str]:
        """Return the values that ``label_values(SELECTOR, LABEL)`` lists, in order."""
        selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)", query).groups()  # type: ignore[union-attr]
        return sorted(self._asked(f"label/{label}/values", **{"match[]": selector}))

    def exemplars(self, query: str) -> list[dict[str, Any]]:
        """Return the exemplars of the series of *query* in the time shown."""
        now = time.time()
        found = self._asked("query_exemplars", query=query, start=now - SHOWN_SECONDS, end=now)
        return [exemplar for series in found for exemplar in series["exemplars"]]

    def _asked(self, path: str, **parameters: object) -> Any:
        answer = json.loads(get(f"{self.prometheus.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"))
        assert answer["status"] == "success", answer
        return answer["data"]


def _is_figure(value: tuple[float, str]) -> bool:
    return not math.isnan(float(value[1]))
