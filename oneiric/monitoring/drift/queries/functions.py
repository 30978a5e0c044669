"""Functions of PromQL: whether they are asked of what they are for, and what is known of what they give."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from oneiric.monitoring.drift.queries.values import UNKNOWN, Interval, Nature, Value
from oneiric.monitoring.notation.promql import Call, Range, Selector, String

if TYPE_CHECKING:
    from oneiric.monitoring.drift.queries.judge import Judge

QUANTILE = "histogram_quantile"
RATES = {"rate", "irate", "increase"}
_OF_GAUGES = {"delta", "idelta", "deriv", "predict_linear", "holt_winters", "double_exponential_smoothing"}
_KEEPING = {"avg_over_time", "min_over_time", "max_over_time", "last_over_time", "quantile_over_time", "mad_over_time"}
_ORDERING = {"sort", "sort_desc", "sort_by_label", "sort_by_label_desc", "ceil", "floor", "round", "abs"}
_COUNTING = {"changes", "resets", "count_over_time", "present_over_time"}
_NATIVE = {"histogram_count", "histogram_sum", "histogram_avg", "histogram_fraction", "histogram_stddev"}
MINIMUM_SCRAPES = 2


def judge_call(judge: Judge, call: Call, given: list[Value]) -> Value:
    """Return the value of *call* with the arguments *given*, and report arguments that it is not for."""
    function = call.function.lower()
    if function in RATES:
        return _growth(judge, call, given[0])
    if function in _OF_GAUGES:
        return _of_gauge(judge, call, _first_vector(given))
    if function == QUANTILE:
        return _quantile(judge, call, given)
    if function in _NATIVE:
        _native(judge, call, _first_vector(given))
    if function in {"absent", "absent_over_time"}:
        return _absent(call)
    if function in {"label_replace", "label_join"}:
        return _relabelled(call, given)
    return _other(function, given)


def _first_vector(given: list[Value]) -> Value:
    return next((value for value in given if value.kind == "vector"), UNKNOWN)


def _other(function: str, given: list[Value]) -> Value:
    value = _first_vector(given)
    if function in _ORDERING or function in _KEEPING:
        return replace(
            value, interval=Interval(0.0) if function == "abs" and value.interval.low < 0 else value.interval
        )
    if function in {"clamp_min", "clamp_max"} and given[-1].kind == "number":
        return replace(value, interval=_clamped(function, value.interval, given[-1].interval))
    interval = (
        Interval(0.0) if function in {"changes", "resets", "count_over_time", "present_over_time"} else Interval()
    )
    plain = replace(
        value, nature="other", metric=None, unit="", interval=interval, quantile=False, once=False, step=None
    )
    return _instant(function, given, plain)


def _instant(function: str, given: list[Value], plain: Value) -> Value:
    if function == "time":
        return Value("number", frozenset(), exact=True, unit="timestamp", interval=Interval(0.0))
    if function == "vector" and given:
        return replace(given[0], kind="vector", labels=frozenset(), exact=True)
    if function in {"scalar", "pi"}:
        return Value("number", frozenset(), exact=True, ours=plain.ours)
    if function == "timestamp":
        return replace(plain, nature="gauge", unit="timestamp", interval=Interval(0.0))
    return plain


def _clamped(function: str, interval: Interval, bound: Interval) -> Interval:
    if function == "clamp_min":
        return Interval(max(interval.low, bound.low), max(interval.high, bound.high))
    return Interval(min(interval.low, bound.low), min(interval.high, bound.high))


def _growth(judge: Judge, call: Call, value: Value) -> Value:
    inner = call.arguments[0]
    if not value.ours:
        return replace(value, nature="other")
    if isinstance(inner, Range):
        _judge_growth(judge, call, inner, value)
    nature: Nature = "bucket rate" if value.nature == "bucket" else "rate"
    interval, paced = Interval(0.0), False
    if value.metric is not None and value.metric.moved_by == "sync" and value.window:
        most = value.window / judge.context.pace.sync + 1
        if call.function.lower() == "increase" and not value.unit:
            interval, paced = Interval(0.0, most), True
    return replace(value, nature=nature, interval=interval, paced=paced, step=_step(judge, call, value))


def _step(judge: Judge, call: Call, value: Value) -> float | None:
    """Return how much one event adds to the result of *call*: a rate is by the second."""
    function = call.function.lower()
    if function == "increase":
        return 1.0
    seconds = judge.context.pace.scrape if function == "irate" else value.window
    return 1 / seconds if seconds else None


def _judge_growth(judge: Judge, call: Call, inner: Range, value: Value) -> None:
    name = value.metric.name if value.metric is not None else "this"
    if value.nature in {"gauge", "age"}:
        message = f"{call.function}() of {name}, which is a gauge: it can fall"
        judge.find(call.at, "ON201", message, "use delta() or deriv(), or a counter")
    elif inner.is_subquery and not isinstance(inner.inner, Selector) and value.nature in {"counter", "bucket"}:
        judge.find(
            call.at, "ON207", f"{call.function}() of an aggregate: a restart of one target counts for all of them"
        )
    elif value.nature in {"rate", "bucket rate"}:
        judge.find(call.at, "ON201", f"{call.function}() of what is a rate already")


def judge_range(judge: Judge, over: Range, value: Value) -> Value:
    """Return the value of the series *value* in a window, and report a window in which too little happens."""
    if not value.ours or over.window is None:
        return replace(value, window=None if over.window is None else over.window)
    pace = judge.context.pace
    if over.window < MINIMUM_SCRAPES * pace.scrape:
        message = f"a window of {over.window:g} s holds less than two scrapes, {pace.scrape:g} s apart"
        judge.find(over.window_at, "ON302", message, f"take {4 * pace.scrape:g}s or more")
    elif value.metric is not None and value.nature in {"counter", "bucket"}:
        _judge_pace(judge, over, over.window, value.metric.moved_by)
    return replace(value, window=over.window)


def _judge_pace(judge: Judge, over: Range, window: float, driver: str | None) -> None:
    if driver and window < judge.context.pace.of(driver):
        every = judge.context.pace.of(driver)
        message = f"a {driver} comes every {every:g} s: a window of {window:g} s mostly holds none"
        judge.find(over.window_at, "ON303", message, f"take {2 * every:g}s or more")


def _of_gauge(judge: Judge, call: Call, value: Value) -> Value:
    if value.ours and value.nature in {"counter", "bucket"}:
        name = value.metric.name if value.metric is not None else "this"
        message = f"{call.function}() of {name}, which is a counter: a restart looks like a fall"
        judge.find(call.at, "ON206", message, "use increase() or rate()")
    return replace(value, nature="other", interval=Interval(), quantile=False)


def _quantile(judge: Judge, call: Call, given: list[Value]) -> Value:
    share, buckets = (given[0], _first_vector(given[1:])) if len(given) > 1 else (UNKNOWN, UNKNOWN)
    if share.kind == "number" and share.interval.low == share.interval.high and not 0 <= share.interval.low <= 1:
        judge.find(call.arguments[0].at, "ON210", f"{share.interval.low:g} is no quantile: it lies between 0 and 1")
    if not buckets.ours:
        return replace(UNKNOWN, labels=None if buckets.labels is None else buckets.labels - {"le"})
    argument = call.arguments[1].at
    metric = buckets.metric
    name = metric.name if metric is not None else "this"
    if buckets.nature not in {"bucket", "bucket rate"}:
        hint = f"ask for {metric.name}_bucket" if metric is not None and metric.type == "histogram" else ""
        judge.find(argument, "ON204", f"histogram_quantile() over {name}, which has no buckets here", hint)
    elif not buckets.has("le"):
        judge.find(
            argument, "ON203", "histogram_quantile() needs the label le, which is aggregated away", "add le to by"
        )
    elif buckets.nature == "bucket":
        message = f"histogram_quantile() over all that {name} ever counted"
        judge.find(argument, "ON205", message, "take the rate() of the buckets")
    labels = None if buckets.labels is None else buckets.labels - {"le"}
    if metric is None or metric.type != "histogram":
        return Value(labels=labels, exact=buckets.exact, ours=True)
    return Value(
        labels=labels,
        exact=buckets.exact,
        ours=True,
        nature="gauge",
        metric=metric,
        unit=judge.vocabulary.unit(metric),
        interval=Interval(0.0, metric.buckets[-1]),
        window=buckets.window,
        quantile=True,
    )


def _native(judge: Judge, call: Call, value: Value) -> None:
    if value.ours and value.metric is not None:
        message = f"{call.function}() is for native histograms; {value.metric.name} has classic ones or none"
        judge.find(call.at, "ON204", message)


def _absent(call: Call) -> Value:
    labels: set[str] = set()
    inner = call.arguments[0]
    selector = inner.inner if isinstance(inner, Range) else inner
    if isinstance(selector, Selector):
        labels = {matcher.label.text for matcher in selector.matchers if matcher.operator == "="}
    return Value(labels=frozenset(labels), exact=True, interval=Interval(1.0, 1.0))


def _relabelled(call: Call, given: list[Value]) -> Value:
    value = _first_vector(given)
    target = call.arguments[1] if len(call.arguments) > 1 else None
    if value.labels is None or not isinstance(target, String):
        return value.with_labels(None)
    return value.with_labels(value.labels | {target.value}, exact=False)
