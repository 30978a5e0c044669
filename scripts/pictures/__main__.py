"""Draw the pictures of the guide to the dashboards: ``uv run python scripts/pictures``.

A demonstration runs for some minutes under a real Prometheus with the bundle's files; then each panel's own query is
asked and drawn on Grafana's grid. Needs prometheus and chromium.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests"))

from collect import collected  # noqa: E402 - it uses what the tests start processes with
from page import Page  # noqa: E402 - likewise

SECONDS = 300.0
PICTURES = {
    "overview": ("oneiric-overview", ("Health overview", "Traffic patterns")),
    "overview-operations": ("oneiric-overview", ("Lifecycle operations", "Remote sync", "Resource usage")),
    "resolution": ("oneiric-resolution", ("Health overview", "Latency")),
    "lifecycle": ("oneiric-lifecycle", ("Health overview", "Lifecycle operations")),
    "remote": ("oneiric-remote", ("Health overview", "Remote sync")),
    "remote-trust": ("oneiric-remote", ("Trust", "Artifacts")),
}
"""Each picture: its dashboard, and the rows of it."""


def draw(data: dict[str, object], directory: Path) -> None:
    """Write each picture below *directory*."""
    page = Page(data)
    boards = {board["uid"]: board for board in page.boards}
    for name, (uid, rows) in PICTURES.items():
        text, width, height = page.html(boards[uid], rows)
        with tempfile.TemporaryDirectory() as temporary:
            file = Path(temporary) / "page.html"
            file.write_text(f"<!doctype html><meta charset=utf-8>{text}", encoding="utf-8")
            subprocess.run(  # noqa: S603 - the arguments are ours
                [
                    "chromium",
                    "--headless",
                    "--no-sandbox",
                    "--disable-gpu",
                    "--hide-scrollbars",
                    f"--user-data-dir={temporary}/profile",
                    f"--window-size={width},{height}",
                    f"--screenshot={directory / f'{name}.png'}",
                    file.as_uri(),
                ],
                check=True,
                capture_output=True,
            )


if __name__ == "__main__":
    kept = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    if kept is not None and kept.exists():
        found = json.loads(kept.read_text(encoding="utf-8"))
    else:
        found = collected(SECONDS)
        if kept is not None:
            kept.write_text(json.dumps(found), encoding="utf-8")
    target = ROOT / "docs" / "monitoring" / "images"
    target.mkdir(parents=True, exist_ok=True)
    draw(found, target)
