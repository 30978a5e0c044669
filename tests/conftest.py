"""Fixtures for every test: a fresh seam, what it told, and a clock."""

from __future__ import annotations

import pytest
from support import Clock, Recorder

from oneiric.core.observers import Observers

pytest_plugins = ["pytester"]


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
