"""What a catalogue is made of: metrics, log events, spans, and the signals that bind them to event types.

A counter with a log event is an event class and an entry, and nothing else::

    class OrderRefused(Event, frozen=True, kw_only=True, gc=False):
        shop: str
        reason: Literal["sold_out", "unpaid"]


    REFUSALS = Metric(
        "shop_orders_refused_total",
        "counter",
        "Orders refused.",
        (Label("shop", open=True), Label.of(OrderRefused, "reason")),
    )
    CATALOGUE = Catalogue(
        (
            Signal(
                OrderRefused,
                area="orders",
                metrics=(Count(REFUSALS),),
                logs=(Log("order-refused", "warning", ("shop", "reason")),),
            ),
        )
    )

Everything here is immutable, and thread-safe for that. A definition that its event cannot feed is a CatalogueError.
"""

from oneiric.observability.events import Level
from oneiric.observability.model.catalogue import Catalogue
from oneiric.observability.model.metrics import OTHER, CatalogueError, Driver, Label, Metric, MetricType, Stability
from oneiric.observability.model.signals import (
    COMMON_FIELDS,
    COMPONENT_FIELDS,
    ENDED,
    ERROR_FIELDS,
    LINE_FIELDS,
    Count,
    Gone,
    Log,
    Observe,
    Phase,
    Read,
    Signal,
)

__all__ = [
    "COMMON_FIELDS",
    "COMPONENT_FIELDS",
    "ENDED",
    "ERROR_FIELDS",
    "LINE_FIELDS",
    "OTHER",
    "Catalogue",
    "CatalogueError",
    "Count",
    "Driver",
    "Gone",
    "Label",
    "Level",
    "Log",
    "Metric",
    "MetricType",
    "Observe",
    "Phase",
    "Read",
    "Signal",
    "Stability",
]
