"""What is ordered, and what is announced of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

PAID = "shop.order.paid"
"""The topic of a paid order."""


@dataclass(frozen=True)
class Order:
    """So many of one item."""

    item: str
    count: int = 1

    @classmethod
    def read(cls, path: Path) -> Order | None:
        """Return the order in the file at *path*, None while it is empty; ValueError for anything else."""
        if not (text := path.read_text(encoding="utf-8")):
            return None  # whoever puts it there has not written yet
        content = json.loads(text)
        if not isinstance(content, dict) or not isinstance(content.get("item"), str):
            raise ValueError(f'{path}: an object such as {{"item": "tea", "count": 2}} expected')  # noqa: TRY004
        return cls(content["item"], int(content.get("count", 1)))


@dataclass(frozen=True)
class Receipt:
    """What was paid for an order."""

    number: str
    item: str
    count: int
    total: int

    def as_dict(self) -> dict[str, Any]:
        """Return it fit for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Envelope:
    """An event, as its handlers are given it."""

    topic: str
    payload: dict[str, Any]
