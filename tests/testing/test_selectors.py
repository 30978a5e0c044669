"""What tests may ask for: every name of the catalogue and nothing else."""

from __future__ import annotations

import math
import re
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

import oneiric.testing
from oneiric.observability.catalogue import CATALOGUE
from oneiric.testing import UnknownSignalError, event, metric, span
from oneiric.testing.selectors import agrees

if TYPE_CHECKING:
    from collections.abc import Callable

SWAPS = "oneiric_lifecycle_swap_total"
DURATION = "oneiric_lifecycle_swap_duration_ms"


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (
            partial(metric, "oneiric_lifecycle_swaps_total"),
            r"no metric 'oneiric_lifecycle_swaps_total'; nearest: oneiric_lifecycle_swap_total, ",
        ),
        (partial(metric, "oneiric_lifecycle_swap"), "nearest: .*oneiric_lifecycle_swap_total"),
        (partial(metric, "???"), r"no metric '\?\?\?'; there are: oneiric_activity_blocked_total, "),
        (partial(metric, "process_open_fds"), "no metric 'process_open_fds'"),
        (partial(metric, SWAPS, outcom="failed"), f"no label of {SWAPS} 'outcom'; nearest: outcome"),
        (partial(metric, SWAPS, le="1"), f"no label of {SWAPS} 'le'; there are: domain, key, outcome"),
        (partial(metric, "oneiric_remote_digest_checks_total", source="x"), "'source'; there are: none"),
        (partial(metric, SWAPS, outcome="failure"), f"no value of outcome of {SWAPS} 'failure'; nearest: failed"),
        (partial(metric, SWAPS, key=7), f"a label value is text: key=7 of {SWAPS} is int"),
        (partial(metric, SWAPS, key=None), "a label value is text: key=None"),
        (partial(metric, f"{DURATION}_bucket"), f"{DURATION}_bucket needs le, .*: 5.0, 10.0, .*, 300000.0, .Inf"),
        (partial(metric, f"{DURATION}_bucket", le=7), "no value of le .* '7.0'"),
        (partial(metric, f"{DURATION}_bucket", le="wide"), r"le is a number or '\+Inf', not 'wide'"),
        (partial(metric, f"{DURATION}_bucket", le=None), "le is a number .*, not None"),
        (partial(event, "swap-fail"), "no log event 'swap-fail'; nearest: swap-failed"),
        (
            partial(event, "swap-failed", reasons="x"),
            "no field of the log event swap-failed 'reasons'; nearest: reason",
        ),
        (partial(event, "swap-failed", decision="x"), "no field of the log event swap-failed 'decision'"),
        (partial(event, "swap-failed", reason="factroy"), "no value of reason, .* 'factroy'; nearest: factory"),
        (partial(event, "swap-failed", level="warning"), "no value of level, .* 'warning'; there are: error"),
        (partial(event, "resolver-decision", decision="fail"), "'fail'; nearest: failed"),
        (partial(event, "health-check-failed", phase="probing"), "'probing'; nearest: probe"),
        (partial(span, "oneiric.lifecycle.swop"), "no span 'oneiric.lifecycle.swop'; nearest: oneiric.lifecycle.swap"),
        (partial(span, "oneiric.resolver.decision"), "is an event on the span that is current, not a span"),
        (partial(span, "oneiric.lifecycle.swap", status="error"), "no status of a span 'error'; .* ERROR"),
        (partial(span, "oneiric.lifecycle.swap", status="OK"), "no status of a span 'OK'; there are: ERROR, UNSET"),
        (partial(span, "oneiric.lifecycle.swap", keys="x"), "no attribute of the span .* 'keys'; nearest: key"),
        (partial(span, "oneiric.lifecycle.swap", duration=1), "no attribute of the span .* 'duration'"),
        (partial(span, "oneiric.lifecycle.swap", outcome="failure"), "'failure'; nearest: failed"),
        (partial(span, "oneiric.lifecycle.health_check", phase="probing"), "'probing'; nearest: probe"),
    ],
)
def test_what_the_catalogue_does_not_have_is_refused_with_the_nearest(ask: Callable[[], Any], message: str) -> None:
    """A wrong name, label, field, attribute or value is an error that names what the catalogue has."""
    with pytest.raises(UnknownSignalError, match=message):
        ask()


@pytest.mark.parametrize("name", [wanted.name for wanted in CATALOGUE.metrics])
def test_every_metric_can_be_asked_for(name: str) -> None:
    """Each metric can be named with all of its labels, an enumerated one with each of its values."""
    (wanted,) = (wanted for wanted in CATALOGUE.metrics if wanted.name == name)
    for label in wanted.labels:
        for value in label.values or ("anything",):
            assert metric(name, **{label.name: value}).wanted == {label.name: value}


@pytest.mark.parametrize("name", sorted({log.name for _, log in CATALOGUE.log_events}))
def test_every_log_event_can_be_asked_for_with_its_fields(name: str) -> None:
    """Each log event can be named with every field and constant that the catalogue gives it in any of its forms."""
    for signal, log in CATALOGUE.log_events:
        if log.name == name:
            fields = {field: lambda _: True for field in (*log.fields, "trace_id", "timestamp")}
            assert event(name, level=log.level, logger=f"oneiric.{signal.area}", **log.const, **fields).name == name


def test_a_sink_of_an_application_can_be_asked_for() -> None:
    """The catalogue lists the sinks of the runtime; in an event the name of an application's own observer may stand."""
    assert event("observability-hook-error", sink="mine").wanted == {"sink": "mine"}


@pytest.mark.parametrize("bound", [5, 5.0, "5", "5.0"])
def test_a_bucket_is_named_by_the_value_of_its_bound(bound: object) -> None:
    """The bound of a bucket may be written as any number that equals it."""
    assert metric(f"{DURATION}_bucket", le=bound) == metric(f"{DURATION}_bucket", le="5.0")


def test_the_last_bucket_can_be_named() -> None:
    """The bucket without a bound is +Inf, as a text or as a float."""
    assert metric(f"{DURATION}_bucket", le=math.inf) == metric(f"{DURATION}_bucket", le="+Inf")


def test_attributes_may_be_written_in_full() -> None:
    """An attribute with its prefix and one without are the same."""
    full = span("oneiric.lifecycle.swap", **{"oneiric.key": "cache"})
    assert full == span("oneiric.lifecycle.swap", key="cache")


def test_a_selector_reads_like_the_series_it_means() -> None:
    """The text of a selector is its name with what is wanted in braces, a function by its name."""
    asked = event("swap-failed", key="cache", error=re.compile("refused"), error_type=str.isidentifier, provider=None)
    assert (
        str(asked) == "swap-failed{key=\"cache\", error=re.compile('refused'), error_type=isidentifier, provider=None}"
    )
    assert str(metric(SWAPS)) == SWAPS


@pytest.mark.parametrize(
    ("wanted", "actual", "fits"),
    [
        ("a", "a", True),
        ("a", "b", False),
        (1, 1.0, True),
        (None, None, True),
        (None, 0, False),
        (0, None, False),
        (re.compile("fus"), "refused", True),
        (re.compile("fus"), "broken", False),
        (re.compile("7"), 7, False),
        (lambda value: value > 1, 2, True),
        (lambda value: value > 1, 1, False),
        (lambda value: value > 1, None, False),
        (pytest.approx(0.3), 0.1 + 0.2, True),
        (pytest.approx(0.3), None, False),
    ],
)
def test_a_value_fits_what_is_wanted(wanted: object, actual: object, fits: bool) -> None:
    """A plain value must equal, a pattern be found, a function say so; what is absent fits None only."""
    assert agrees(wanted, actual) is fits


@pytest.mark.parametrize("name", oneiric.testing.__all__)
def test_every_public_name_can_be_had(name: str) -> None:
    """Each name of the package exists."""
    assert getattr(oneiric.testing, name) is not None


def test_the_public_names_are_all_that_there_is() -> None:
    """The list of names is in order, `dir` shows it, and another name is refused as in any module."""
    assert dir(oneiric.testing) == sorted(oneiric.testing.__all__)
    with pytest.raises(AttributeError, match=r"module 'oneiric\.testing' has no attribute 'metrics'"):
        oneiric.testing.metrics  # noqa: B018 - the access is the test
