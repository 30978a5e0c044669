"""The hooks of gunicorn for flask_shop.py; the same with --preload and without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.multiprocess import mark_process_dead

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter
    from gunicorn.workers.base import Worker


def post_worker_init(_worker: Worker) -> None:
    """Attach in the worker, which has loaded the application by now or was forked from a process that had."""
    from flask_shop import start_telemetry  # noqa: PLC0415 - not in the arbiter, unless that preloads it

    start_telemetry()


def child_exit(_server: Arbiter, worker: Worker) -> None:
    """Have prometheus_client forget the gauges of a worker that ended; Oneiric notices by itself."""
    mark_process_dead(worker.pid)
