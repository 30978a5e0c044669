"""Fixtures for every test: a fresh seam, what it told, and a clock; and what undoes a logging configuration."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
import structlog
from support import Clock, Recorder

from oneiric.core._log_handlers import SinkHandler
from oneiric.core.observers import Observers

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Leave no handler of ours, no level and no structlog configuration to the tests that follow."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    configured, before = structlog.is_configured(), structlog.get_config()
    yield
    root.setLevel(level)
    for handler in root.handlers[:]:
        if isinstance(handler, SinkHandler) and handler not in handlers:
            root.removeHandler(handler)
            handler.finish(1.0)
    if not configured:
        structlog.reset_defaults()
    elif structlog.get_config() != before:
        structlog.configure(**before)


@pytest.fixture
def clock() -> Clock:
    """Seconds that pass only when told to."""
    return Clock()


@pytest.fixture
def observers() -> Observers:
    """A seam that nobody else reports through."""
    return Observers()


@pytest.fixture
def recorder(observers: Observers) -> Recorder:
    """What was told through :func:`observers`."""
    recorder = Recorder()
    observers.add(recorder)
    return recorder
