"""Events as log lines, at a bounded rate."""

from oneiric.observability.logs.limits import UNLIMITED, LogLimits, LogRate
from oneiric.observability.logs.sink import LOGGER_PREFIX, LogSink
from oneiric.observability.logs.values import COMMON_FIELDS

__all__ = [
    "COMMON_FIELDS",
    "LOGGER_PREFIX",
    "UNLIMITED",
    "LogLimits",
    "LogRate",
    "LogSink",
]
