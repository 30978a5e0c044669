"""Events as log lines, at a bounded rate."""

from oneiric.observability.logs.limits import UNLIMITED, LogLimits, LogRate
from oneiric.observability.logs.sink import LOGGER_PREFIX, LogSink

__all__ = [
    "LOGGER_PREFIX",
    "UNLIMITED",
    "LogLimits",
    "LogRate",
    "LogSink",
]
