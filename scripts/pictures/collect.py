"""Ask a real Prometheus, and the log of the demonstration that it watched, everything that the dashboards ask."""

from __future__ import annotations

import json
import math
import tempfile
import time
import urllib.parse
from pathlib import Path
from typing import Any

from dashboard_lint.reading import Asked, asked, variables
from logql.lines import Line
from logql.selection import select
from processes import Demo, Prometheus, free_port, get

from oneiric.monitoring.bundle import bundle, write
from oneiric.monitoring.config import configured
from oneiric.monitoring.notation.logql import parse, replaced

SCRAPE_SECONDS = 5
STEPS_A_SECOND = 4
WARM_UP_SECONDS = 45


def collected(seconds: float) -> dict[str, Any]:
    """Return the dashboards, and what answers their queries after a demonstration ran for *seconds* and a warm-up."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        options = ("--seconds", "0", "--rate", str(STEPS_A_SECOND))
        traced = {"ONEIRIC_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
        demo = Demo.start(directory, *options, environment=traced)
        try:
            target = demo.metrics_url.removeprefix("http://").removesuffix("/metrics")
            intervals = (f"{kind}_interval_seconds={SCRAPE_SECONDS}" for kind in ("scrape", "evaluation"))
            files = bundle(configured((f"targets={target}", *intervals)))
            write(files, directory)
            flag = "--enable-feature=exemplar-storage"
            server = Prometheus.configured(directory, directory / "prometheus" / "prometheus.yml", flag)
            try:
                time.sleep(WARM_UP_SECONDS + seconds)
                boards = [json.loads(text) for path, text in files.items() if path.startswith("grafana/dashboards/")]
                return _answers(boards, server, demo.lines(), seconds)
            finally:
                server.stop()
        finally:
            demo.stop()


def _answers(boards: list[dict[str, Any]], server: Prometheus, lines: list[str], seconds: float) -> dict[str, Any]:
    now = time.time()
    entries = [Line(line.rstrip(), {"app": "oneiric"}) for line in lines]
    answers: dict[str, Any] = {}
    for board in boards:
        values = {name: str(found.get("allValue")) for name, found in variables(board).items()}
        values |= {"__rate_interval": f"{4 * SCRAPE_SECONDS}s", "__range": f"{seconds:g}s"}
        for query in asked(board):
            text = replaced(query.expr, values)
            found = _lines(text, entries) if query.kind == "loki" else _series(server, query, text, now, seconds)
            answers[query.expr] = found
    return {"boards": boards, "answers": answers, "from": now - seconds, "to": now, "step": SCRAPE_SECONDS}


def _series(server: Prometheus, query: Asked, text: str, now: float, seconds: float) -> list[dict[str, Any]]:
    if query.instant:
        found = server.query(text)
        return [{"labels": series["metric"], "values": [[now, float(series["value"][1])]]} for series in found]
    parameters = {"query": text, "start": now - seconds, "end": now, "step": SCRAPE_SECONDS}
    body = json.loads(get(f"{server.url}/api/v1/query_range?{urllib.parse.urlencode(parameters)}"))
    return [
        {
            "labels": series["metric"],
            "values": [[when, float(value)] for when, value in series["values"] if not math.isnan(float(value))],
        }
        for series in body["data"]["result"]
    ]


def _lines(text: str, entries: list[Line]) -> list[dict[str, Any]]:
    found = select(parse(text), entries)
    return [{"text": entry.text, "at": json.loads(entry.line.text)["timestamp"]} for entry in found]
