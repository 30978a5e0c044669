"""Tests of a user's that fail, each in its own way; another test runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from oneiric.testing import TelemetryCapture


def test_that_catches_around_the_block(oneiric_telemetry: TelemetryCapture) -> None:
    """The block raises what is caught around it, and so passes."""
    with pytest.raises(ValueError, match="mine"), oneiric_telemetry.expect(oneiric_telemetry.event("swap-failed")):
        raise ValueError("mine")


def test_that_fails_in_the_block(oneiric_telemetry: TelemetryCapture) -> None:
    """The block raises."""
    with oneiric_telemetry.expect(oneiric_telemetry.event("swap-failed")):
        raise ValueError("mine")


def test_of_a_wrong_name(oneiric_telemetry: TelemetryCapture) -> None:
    """What is expected does not exist."""
    with oneiric_telemetry.expect(oneiric_telemetry.event("swap-fail")):
        raise ValueError("never reached")


def test_that_expects_in_vain(oneiric_telemetry: TelemetryCapture) -> None:
    """What is expected does not come."""
    with oneiric_telemetry.expect(oneiric_telemetry.event("swap-failed")):
        pass
