"""Metrics and spans sent elsewhere: OTLP, a Pushgateway, a text file."""

from oneiric.observability.export.exporters import Exporters
from oneiric.observability.export.otlp_options import OtlpOptions
from oneiric.observability.export.pushgateway import PushOptions, push, write_textfile
from oneiric.observability.export.worker import STOP_SECONDS

__all__ = [
    "STOP_SECONDS",
    "Exporters",
    "OtlpOptions",
    "PushOptions",
    "push",
    "write_textfile",
]
