"""The event handlers ``receipt`` and ``stock``, and the task ``report``."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shop.orders import Envelope


@dataclass(frozen=True)
class JournalSettings:
    """The settings of the provider ``journal``.

    Attributes:
        path: The file that receipts are appended to, a line of JSON each.
    """

    path: str = "data/receipts.jsonl"


class Journal:
    """Writes a receipt for every paid order."""

    def __init__(self, settings: JournalSettings) -> None:
        self._path = Path(settings.path)
        self._path.parent.mkdir(parents=True, exist_ok=True)

    async def handle(self, envelope: Envelope) -> None:
        """Append the receipt that *envelope* brings."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(envelope.payload) + "\n")


class Stock:
    """Counts what left the shop."""

    def __init__(self) -> None:
        self.sold: Counter[str] = Counter()

    async def handle(self, envelope: Envelope) -> None:
        """Count the item of the order that *envelope* brings."""
        self.sold[envelope.payload["item"]] += envelope.payload["count"]


@dataclass(frozen=True)
class TotalsSettings:
    """The settings of the provider ``totals``.

    Attributes:
        receipts: The file with the receipts.
        path: The file that the report is written to.
    """

    receipts: str = "data/receipts.jsonl"
    path: str = "data/report.json"


class Totals:
    """Adds up the receipts."""

    def __init__(self, settings: TotalsSettings) -> None:
        self._receipts, self._path = Path(settings.receipts), Path(settings.path)

    async def run(self, payload: Any = None) -> dict[str, int]:  # noqa: ARG002 - the interface of a task
        """Write what was paid for each item, and return it."""
        totals: Counter[str] = Counter()
        for line in self._receipts.read_text(encoding="utf-8").splitlines():
            receipt = json.loads(line)
            totals[receipt["item"]] += receipt["total"]
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(totals, sort_keys=True) + "\n", encoding="utf-8")
        new.replace(self._path)
        return dict(totals)
