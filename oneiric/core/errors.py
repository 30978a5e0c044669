"""The error types of the runtime."""

from __future__ import annotations


class LifecycleError(RuntimeError):
    """What the runtime raises when it cannot do what it was asked to do with a component."""


class CallTimeoutError(LifecycleError):
    """A factory, check, hook or cleanup did not return in time."""
