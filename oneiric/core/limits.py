"""Defaults of the bounds that both the settings and what enforces them name; each stands here only.

Times are in seconds, sizes in bytes, rates in lines a second. What is lower and upper bound of a value stands here too
where both check it; a bound that only the settings check stands in their models.
"""

from __future__ import annotations

from typing import Final

MAX_CONNECTIONS: Final = 512
MAX_HEADER_BYTES: Final = 32 * 1024
HEADER_TIMEOUT: Final = 5.0
WRITE_TIMEOUT: Final = 5.0
LINGER_TIMEOUT: Final = 1.0
RENDER_TIMEOUT: Final = 5.0
PAGE_REUSE: Final = 0.1

LOG_RATE: Final = 200.0
LOG_BURST: Final = 5_000
TOTAL_LOG_RATE: Final = 1_000.0
TOTAL_LOG_BURST: Final = 20_000
LOG_ERROR_RESERVE: Final = 2_000
LOG_REPEAT_INTERVAL: Final = 1.0
"""Least time between two lines of a rate-limited log event about one subject."""

QUEUE_LINES: Final = 20_000
QUEUE_BYTES: Final = 8 * 1024 * 1024
FLUSH_TIMEOUT: Final = 2.0
"""How long flushing and closing wait for lines to be taken."""

SERIES_BUDGET: Final = 2_000
MIN_SERIES_BUDGET: Final = 1
SHARED_INTERVAL: Final = 5.0
MAX_SHARED_INTERVAL: Final = 86_400.0

OTLP_TIMEOUT: Final = 10.0
PUSH_TIMEOUT: Final = 5.0

ACTIVATION_TIMEOUT: Final = 30.0
HEALTH_TIMEOUT: Final = 5.0
CLEANUP_TIMEOUT: Final = 10.0
HOOK_TIMEOUT: Final = 5.0
MAX_HANGING_CALLS: Final = 32
MAX_SWAP_SAMPLES: Final = 20
