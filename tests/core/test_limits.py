"""The settings and what enforces a bound agree."""

from __future__ import annotations

from dataclasses import asdict, fields
from inspect import signature
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from oneiric.core import limits
from oneiric.core.config import LifecycleConfig, LogQueueConfig, ObservabilitySettings
from oneiric.core.lifecycle import LifecycleSafetyOptions
from oneiric.core.logging.buffer import QueueLimits
from oneiric.core.observers import Observers
from oneiric.observability import LogLimits, OtlpOptions, PushOptions, ServerLimits
from oneiric.observability.catalogue import CATALOGUE
from oneiric.observability.exposition import Exposition
from oneiric.observability.logs import LogSink
from oneiric.observability.metrics import PrometheusSink
from oneiric.observability.server.settings import server_limits_of
from oneiric.observability.settings import log_limits_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

OBSERVABILITY = ObservabilitySettings()


def default(of: Callable[..., Any], parameter: str) -> Any:
    """Return the default of a parameter."""
    return signature(of).parameters[parameter].default


def shared(options: Any, settings: BaseModel) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields that *options* and *settings* both have, with the values of each."""
    names = {field.name for field in fields(options)} & type(settings).model_fields.keys()
    assert names
    return {name: getattr(options, name) for name in names}, {name: getattr(settings, name) for name in names}


def test_the_server_has_the_defaults_of_its_settings() -> None:
    """Without settings the metrics server and its page are bounded as with settings that say nothing."""
    assert ServerLimits() == server_limits_of(OBSERVABILITY.server)
    assert default(Exposition, "timeout") == OBSERVABILITY.server.render_timeout
    assert default(Exposition, "reuse") == OBSERVABILITY.server.page_reuse


def test_log_events_have_the_defaults_of_their_settings() -> None:
    """Without settings log events are limited as with settings that say nothing."""
    assert LogLimits() == log_limits_of(OBSERVABILITY.log_limits)
    assert default(LogSink, "rate_limit") == OBSERVABILITY.log_rate_limit_seconds


def test_queues_have_the_defaults_of_their_settings() -> None:
    """Without settings as much waits for a sink, and for as long, as with settings that say nothing."""
    queue = LogQueueConfig()
    assert asdict(QueueLimits()) == {"lines": queue.max_lines, "size": queue.max_bytes, "drop": queue.drop}
    assert queue.flush_seconds == limits.FLUSH_TIMEOUT


def test_metrics_have_the_defaults_of_their_settings() -> None:
    """Without settings metrics are bounded and shared as with settings that say nothing."""
    assert default(PrometheusSink, "series_budget") == OBSERVABILITY.series_budget
    assert default(PrometheusSink, "shared_interval") == OBSERVABILITY.shared.publish_interval


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        (OtlpOptions(), OBSERVABILITY.otlp),
        (PushOptions(), OBSERVABILITY.push),
        (LifecycleSafetyOptions(), LifecycleConfig()),
    ],
    ids=["otlp", "push", "lifecycle"],
)
def test_options_have_the_defaults_of_their_settings(options: Any, settings: BaseModel) -> None:
    """Exports, pushes and the limits of a swap have the same defaults wherever they are given."""
    given, configured = shared(options, settings)
    assert given == configured


def test_the_least_series_budget_is_the_same_for_both() -> None:
    """What the sink takes as its series budget at least is what the settings take."""
    least = limits.MIN_SERIES_BUDGET
    budget = ObservabilitySettings(series_budget=least).series_budget
    PrometheusSink(CATALOGUE, Observers(), version="1", series_budget=budget)
    with pytest.raises(ValidationError, match="series_budget"):
        ObservabilitySettings(series_budget=least - 1)
    with pytest.raises(ValueError, match="series_budget must be at least"):
        PrometheusSink(CATALOGUE, Observers(), version="1", series_budget=least - 1)
