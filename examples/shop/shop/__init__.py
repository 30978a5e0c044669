"""A small shop: orders come in as files, are priced by way of a cache, paid, and announced to event handlers."""

from shop.plugin import candidates, connect, register

__all__ = ["candidates", "connect", "register"]
