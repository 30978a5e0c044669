"""The example application, copied to a place of its own and run as its README says."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from documents import ROOT
from processes import eventually
from services import PATIENCE, Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXAMPLE = ROOT / "examples" / "shop"


class Shop(Service):
    """The shop in *directory*, with its manifest, on a free port for its metrics."""

    module = "shop"
    state_name = "data/state"

    def __init__(self, directory: Path) -> None:
        shutil.copytree(EXAMPLE, directory, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        super().__init__(directory, None)
        self.data = directory / "data"

    @property
    def environment(self) -> dict[str, str]:
        """The environment that ``shop.env`` gives the service."""
        text = (self.directory / "shop.env").read_text(encoding="utf-8")
        given = dict(line.split("=", 1) for line in text.splitlines())
        return super().environment | given | {"ONEIRIC_METRICS_ADDRESS": "127.0.0.1:0"}

    def sign(self) -> None:
        """Make the manifest, and what it needs."""
        subprocess.run([sys.executable, "make_manifest.py"], cwd=self.directory, check=True, timeout=PATIENCE)

    def order(self, number: str, **order: Any) -> None:
        """Put an order into the spool."""
        orders = self.directory / "orders"
        new = orders / f"{number}.new"
        new.write_text(json.dumps(order), encoding="utf-8")
        new.replace(orders / f"{number}.json")

    def receipts(self) -> dict[str, int]:
        """Return what was paid, by the number of the order."""
        path = self.data / "receipts.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return {receipt["number"]: receipt["total"] for receipt in map(json.loads, lines)}

    def paid(self, number: str) -> int:
        """Return what was paid for the order *number*, once it was."""
        return eventually(lambda: self.receipts().get(number), what=f"order {number} is paid", seconds=PATIENCE)

    def providers(self) -> set[str]:
        """Return who could serve the cache."""
        (listed,) = self.client.read("list", shadowed="true")["domains"]
        return {entry["provider"] for state in ("active", "shadowed") for entry in listed[state]}


@contextmanager
def open_shop(directory: Path) -> Iterator[Shop]:
    """Yield a shop in *directory* that is ready; it is killed at the end."""
    shop = Shop(directory)
    shop.sign()
    try:
        shop.start()
        yield shop
    finally:
        shop.kill()
