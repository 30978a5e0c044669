"""The server of the metrics of one runtime, which one of several processes runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from oneiric.observability import MetricsServer
from oneiric.observability.events import MetricsServerJoined
from oneiric.observability.server import server_limits_of, server_security_of
from oneiric.runtime.workers import joined_hint

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.core.config import OneiricSettings
    from oneiric.core.observers import Observers
    from oneiric.observability import Telemetry
    from oneiric.runtime.workers import Leadership


class MetricsServing:
    """Serves what *telemetry* has as the settings say, or leaves that to the process that leads.

    Attributes:
        listening: The server while it listens, else None.
    """

    def __init__(
        self,
        settings: OneiricSettings,
        telemetry: Telemetry | None,
        leadership: Leadership,
        *,
        observers: Observers,
        ready: Callable[[], bool],
    ) -> None:
        self._settings = settings
        self._telemetry = telemetry
        self._leadership = leadership
        self._observers = observers
        self._ready = ready
        self._server: MetricsServer | None = None
        self._has_joined = self._has_tried = False
        self.listening: MetricsServer | None = None

    def prepare(self) -> None:
        """Make the server, if the settings want one; ValueError or OSError for files of no use."""
        options = self._settings.observability
        if self._telemetry is None or not options.metrics_server:
            return
        exposition = self._telemetry.exposition(
            ready=self._ready, timeout=options.server.render_timeout, reuse=options.server.page_reuse
        )
        self._server = MetricsServer(
            exposition,
            address=options.metrics_address,
            observers=self._observers,
            limits=server_limits_of(options.server),
            security=server_security_of(options.server),
        )

    async def serve(self, *, leads: bool) -> None:
        """Listen, once, if this process *leads* or the one that does listens elsewhere."""
        server = self._server
        if server is None or self._has_tried:
            return
        if not leads and server.port and not self._leadership.is_served_elsewhere():
            if not self._has_joined:
                self._has_joined = True
                hint = joined_hint(shares=self._settings.observability.shared.directory is not None)
                self._observers.notify(MetricsServerJoined(address=server.address, port=server.port, hint=hint))
            return
        self._has_tried = True
        if await asyncio.to_thread(server.start):  # a host name may have to be looked up
            self.listening = server

    async def stop(self) -> None:
        """Listen no more; a request under way is waited for."""
        server, self._server, self.listening = self._server, None, None
        if server is not None:
            await asyncio.to_thread(server.stop)
