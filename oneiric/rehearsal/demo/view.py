"""What the demonstration shows: the runtime's own metrics, as a live table or, without a terminal, as lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from oneiric.observability import catalogue

if TYPE_CHECKING:
    from oneiric.observability import Telemetry
    from oneiric.observability.model import Metric

Cell = tuple[str, "Metric", dict[str, str]]
ROWS: dict[str, tuple[Cell, ...]] = {
    "resolutions": (
        ("attempted", catalogue.RESOLUTIONS, {}),
        ("failed", catalogue.RESOLUTION_FAILURES, {}),
    ),
    "swaps": (
        ("succeeded", catalogue.SWAPS, {"outcome": "success"}),
        ("failed", catalogue.SWAPS, {"outcome": "failed"}),
        ("rolled back", catalogue.ROLLBACKS, {}),
    ),
    "health checks": (
        ("made", catalogue.HEALTH_CHECKS, {}),
        ("failed", catalogue.HEALTH_CHECK_FAILURES, {}),
    ),
    "pauses": (
        ("paused", catalogue.PAUSES, {"state": "paused"}),
        ("resumed", catalogue.PAUSES, {"state": "resumed"}),
        ("blocked", catalogue.BLOCKED, {"reason": "paused"}),
    ),
    "drains": (
        ("began", catalogue.DRAINS, {"state": "draining"}),
        ("cleared", catalogue.DRAINS, {"state": "cleared"}),
        ("blocked", catalogue.BLOCKED, {"reason": "draining"}),
    ),
    "remote syncs": (
        ("succeeded", catalogue.SYNCS, {"outcome": "success"}),
        ("failed", catalogue.SYNCS, {"outcome": "failed"}),
        ("skipped", catalogue.SYNCS, {"outcome": "skipped"}),
    ),
    "digests": (
        ("checked", catalogue.DIGEST_CHECKS, {}),
        ("mismatched", catalogue.DIGEST_MISMATCHES, {}),
    ),
    "telemetry": (
        ("log lines", catalogue.LOG_EVENTS, {}),
        ("sink errors", catalogue.HOOK_ERRORS, {}),
    ),
}
"""What is shown of each subject: a word, the counter, and the labels it must have."""


def measured(telemetry: Telemetry) -> dict[str, dict[str, float]]:
    """Return the figures of *telemetry* now, by subject and word; one scrape."""
    samples = telemetry.samples()
    return {
        subject: {
            word: sum(value for labels, value in samples.get(metric.name, ()) if wanted.items() <= labels.items())
            for word, metric, wanted in cells
        }
        for subject, cells in ROWS.items()
    }


def table(figures: dict[str, dict[str, float]], *, title: str) -> Table:
    """Return *figures* as a table."""
    shown = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2))
    for subject, cells in figures.items():
        shown.add_row(f"[bold]{subject}", *(f"{word} [cyan]{value:,.0f}" for word, value in cells.items()))
    return shown


def line(figures: dict[str, dict[str, float]]) -> str:
    """Return *figures* as one line."""
    return "; ".join(
        f"{subject}: " + ", ".join(f"{word} {value:.0f}" for word, value in cells.items())
        for subject, cells in figures.items()
    )
