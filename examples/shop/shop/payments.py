"""The service ``payments``: takes orders from a directory, prices them by way of the cache, and announces them."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from oneiric.core.errors import LifecycleError
from shop.orders import PAID, Envelope, Order, Receipt

if TYPE_CHECKING:
    from oneiric import RuntimeOrchestrator
    from shop.caches import Cache

log = logging.getLogger("shop.payments")


@dataclass(frozen=True)
class SpoolSettings:
    """The settings of the provider ``spool``.

    Attributes:
        orders: The directory that orders are put into, as files called ``NUMBER.json``.
        prices: The file with the price of each item.
        poll_seconds: From one look at the directory to the next.
    """

    orders: str = "orders"
    prices: str = "prices.json"
    poll_seconds: float = 0.2


class Payments:
    """Works on the orders until it is closed; an order that cannot be paid now is tried again.

    Args:
        runtime: Has the cache, the handlers and the task.
        settings: Where the orders are.
    """

    def __init__(self, runtime: RuntimeOrchestrator, settings: SpoolSettings) -> None:
        self._runtime = runtime
        self._settings = settings
        self._orders = Path(settings.orders)
        self._work: asyncio.Task[None] | None = None

    @classmethod
    async def opened(cls, runtime: RuntimeOrchestrator, settings: SpoolSettings) -> Payments:
        """Return one that has begun to work."""
        payments = cls(runtime, settings)
        payments._orders.mkdir(parents=True, exist_ok=True)
        payments._work = asyncio.create_task(payments._run(), name="shop-payments")
        return payments

    def health(self) -> bool:
        """Whether it works."""
        return self._work is not None and not self._work.done()

    async def aclose(self) -> None:
        """Stop after the order that is being paid."""
        if self._work is not None:
            self._work.cancel()
            with suppress(asyncio.CancelledError):
                await self._work

    async def _run(self) -> None:
        while True:
            if self._runtime.service_bridge.should_accept_work("payments"):
                await self._pay_all()
            await asyncio.sleep(self._settings.poll_seconds)

    async def _pay_all(self) -> None:
        paid = 0
        for path in sorted(self._orders.glob("*.json")):
            try:
                paid += await asyncio.shield(self._pay(path))
            except LifecycleError as error:  # the cache is paused, say
                log.warning("order %s waits: %s", path.stem, error)
                break
            except (OSError, ValueError) as error:
                log.error("order %s is refused: %s", path.stem, error)  # noqa: TRY400 - one line
                path.replace(path.with_suffix(".refused"))
        if paid:
            report = await self._runtime.task_bridge.use("report")
            await report.instance.run()

    async def _pay(self, path: Path) -> bool:
        order = await asyncio.to_thread(Order.read, path)
        if order is None:
            return False
        price = await self._price(order.item)
        if not await asyncio.to_thread(_claim, path):
            return False
        receipt = Receipt(path.stem, order.item, order.count, order.count * price)
        await self._announce(Envelope(PAID, receipt.as_dict()))
        return True

    async def _price(self, item: str) -> int:
        cache: Cache = (await self._runtime.adapter_bridge.use("cache")).instance
        if (known := cache.get(item)) is not None:
            return int(known)
        price = await asyncio.to_thread(_listed_price, Path(self._settings.prices), item)
        cache.put(item, str(price))
        return price

    async def _announce(self, envelope: Envelope) -> None:
        events = self._runtime.event_bridge
        for candidate in events.active_candidates():
            if envelope.topic in candidate.metadata.get("topics", ()):
                handler = await events.use(candidate.key)
                await handler.instance.handle(envelope)


def _claim(path: Path) -> bool:
    """Make the order at *path* a paid one; False where the instance beside this one, during a swap, was faster."""
    try:
        path.replace(path.with_suffix(".paid"))
    except FileNotFoundError:
        return False
    return True


def _listed_price(path: Path, item: str) -> int:
    prices = json.loads(path.read_text(encoding="utf-8"))
    if item not in prices:
        raise ValueError(f"{path} has no price of {item!r:.80}")
    return int(prices[item])
