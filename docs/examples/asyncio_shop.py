"""A service of asyncio's with its own logging: the runtime's lines go where the service's go, in its format."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from typing import TYPE_CHECKING

import structlog

from oneiric import Candidate, OneiricSettings, RuntimeOrchestrator

if TYPE_CHECKING:
    from structlog.typing import Processor

SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
]


def set_up_logging() -> None:
    """Write every line, of structlog and of the standard library, as JSON on standard output."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(sort_keys=True),
            ],
            foreign_pre_chain=SHARED,
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.INFO)
    structlog.configure(
        processors=[*SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    structlog.contextvars.bind_contextvars(shop="north")


async def main(port: int) -> None:
    """Answer each line with a price until SIGTERM or SIGINT."""
    set_up_logging()  # before the runtime is made; oneiric.configure_logging() is not called
    log = structlog.get_logger("shop")
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    runtime = RuntimeOrchestrator(OneiricSettings(app={"name": "shop"}))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while item := (await reader.readline()).strip():
            prices = await runtime.adapter_bridge.use("prices")
            writer.write(b"%d\n" % prices.instance.get(item, 10))
            await writer.drain()
        logging.getLogger("shop.connections").info("a client left")
        writer.close()

    async with runtime, await asyncio.start_server(serve, "127.0.0.1", port) as server:
        runtime.resolver.register(Candidate(domain="adapter", key="prices", provider="fixed", factory=dict))
        log.info("shop-open", port=server.sockets[0].getsockname()[1])
        await stopping.wait()
    log.info("shop-closed")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
