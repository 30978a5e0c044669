"""Selectors of series: names, labels, values and buckets that exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.drift.findings import LIKE_AN_ALERT, did_you_mean, one_of
from oneiric.monitoring.drift.queries.values import UNKNOWN, Interval, Nature, Value
from oneiric.monitoring.drift.queries.vocabulary import INFINITE, KUBERNETES_LABELS, SUFFIXES, Series
from oneiric.monitoring.notation.promql import VARIABLE_NAME, has_variable
from oneiric.monitoring.notation.regex import alternatives, matches_any

if TYPE_CHECKING:
    from oneiric.monitoring.drift.queries.judge import Judge
    from oneiric.monitoring.notation.promql import Matcher, Selector

_FROM_THE_SCRAPE = ("up", "scrape_", "process_")
_LIKE_A_METRIC = 0.75
"""All of ours begin alike, so that any two are rather alike."""

_LIKE_A_RECORD = 0.9
_JOB = "job"
_ALERT_LABELS = ("alertname", "alertstate", "severity")
_ALERTS = {"ALERTS", "ALERTS_FOR_STATE"}


def judge_selector(judge: Judge, selector: Selector) -> Value:
    """Return the value of *selector*, and report names, labels and values that do not exist."""
    name = selector.name.text
    if name in _ALERTS:
        _judge_alerts(judge, selector)
        return UNKNOWN
    if VARIABLE_NAME in name or not name:
        _judge_pattern(judge, selector)
        return UNKNOWN
    series = judge.vocabulary.series.get(name)
    if series is not None:
        judge.context.usage.metrics.add(series.metric.name)
        judge.context.usage.places.setdefault(series.metric.name, judge.piece.place(selector.name.at))
        return _judge_series(judge, selector, series)
    if (recorded := judge.context.records.value(name)) is not None:
        judge.context.usage.records.add(name)
        _judge_labels(judge, selector, recorded)
        return recorded
    if name.startswith(_FROM_THE_SCRAPE) and not name.startswith("process_runtime"):
        labels = judge.vocabulary.target_labels if _is_our_job(judge, selector) else None
        return Value(labels=labels, exact=labels is not None, interval=Interval(0.0))
    _judge_unknown(judge, selector)
    return UNKNOWN


def _is_our_job(judge: Judge, selector: Selector) -> bool:
    """Whether *selector* asks for our targets: of others nobody here knows which labels they have."""
    return any(judge.vocabulary.prefix in matcher.value.text.lower() for matcher in selector.matchers)


def _judge_unknown(judge: Judge, selector: Selector) -> None:
    name, vocabulary = selector.name.text, judge.vocabulary
    near = did_you_mean(name, judge.context.records.names(), alike=_LIKE_A_RECORD) if ":" in name else ""
    if near or vocabulary.is_our_record(name):
        hint = near or did_you_mean(name, judge.context.records.names())
        judge.find(selector.name.at, "ON102", f"no recording rule gives {name}", hint)
    elif ":" not in name and vocabulary.is_ours(name):
        code, message, hint = misnamed(judge, name)
        judge.find(selector.name.at, code, message, hint)


def misnamed(judge: Judge, name: str) -> tuple[str, str, str]:
    """Return the code, message and hint of a finding for *name*, which claims to be a metric of ours and is none."""
    vocabulary = judge.vocabulary
    if (metric := vocabulary.metrics.get(name)) is not None:
        return "ON103", f"{name} is a histogram", f"ask for {', '.join(name + suffix for suffix in SUFFIXES)}"
    for suffix in SUFFIXES:
        base = name.removesuffix(suffix)
        metric = vocabulary.metrics.get(base) or vocabulary.metrics.get(f"{base}_total")
        if base != name and metric is not None:
            return "ON103", f"{metric.name} is a {metric.type}: it has no {suffix}", f"did you mean {metric.name}?"
    known = [*vocabulary.series, *vocabulary.metrics]
    return "ON101", f"there is no metric {name}", did_you_mean(name, known, alike=_LIKE_A_METRIC)


def _judge_series(judge: Judge, selector: Selector, series: Series) -> Value:
    vocabulary, metric = judge.vocabulary, series.metric
    labels = series.labels | vocabulary.target_labels
    _judge_job(judge, selector)
    for matcher in selector.matchers:
        label = matcher.label
        if label.text == "__name__" or VARIABLE_NAME in label.text:
            continue
        if label.text not in labels:
            _lacks(judge, matcher, f"{metric.name}{series.suffix}", labels)
        elif not has_variable(matcher.value.text):
            _judge_value(judge, matcher, series)
    nature, unit = _nature(series, selector), vocabulary.unit(metric)
    if metric.type == "histogram" and series.suffix != "_sum":
        unit = ""
    low, high = vocabulary.range_of(metric)
    return Value(
        labels=labels, exact=True, ours=True, nature=nature, metric=metric, unit=unit, interval=Interval(low, high)
    )


def _nature(series: Series, selector: Selector) -> Nature:
    if series.metric.type == "gauge":
        return "gauge"
    pinned = any(matcher.label.text == "le" and matcher.operator in {"=", "=~"} for matcher in selector.matchers)
    return "bucket" if series.suffix == "_bucket" and not pinned else "counter"


def _lacks(judge: Judge, matcher: Matcher, name: str, labels: frozenset[str]) -> None:
    label = matcher.label
    code, hint = "ON104", did_you_mean(label.text, labels)
    if not hint:
        known = sorted(labels - KUBERNETES_LABELS)
        hint = f"it has {', '.join(known)}; a label of the targets is named with --target-label"
    level = judge.vocabulary.level_of(label.text, labels)
    judge.find(label.at, code, f"{name} has no label {label.text}", hint, level=level)


def _judge_labels(judge: Judge, selector: Selector, recorded: Value) -> None:
    if recorded.ours:
        _judge_job(judge, selector)
    if recorded.labels is None:
        return
    for matcher in selector.matchers:
        if not recorded.has(matcher.label.text) and VARIABLE_NAME not in matcher.label.text:
            _lacks(judge, matcher, selector.name.text, recorded.labels)


def _judge_job(judge: Judge, selector: Selector) -> None:
    """Report a job that is nearly called as we are: jobs may have any name, and hardly that one."""
    for matcher in selector.matchers:
        for at, text in _asked(matcher) if matcher.label.text == _JOB else ():
            if judge.vocabulary.is_nearly_us(text):
                hint = f"did you mean {judge.vocabulary.prefix}?"
                message = f"{_JOB} of our targets is hardly {text}"
                judge.find(matcher.value.at + at, "ON105", message, hint, level="warning")


def _judge_value(judge: Judge, matcher: Matcher, series: Series) -> None:
    if matcher.label.text == "le":
        _judge_bound(judge, matcher, series)
        return
    allowed = judge.vocabulary.values(series.metric, matcher.label.text)
    if not allowed:
        _judge_domain(judge, matcher, series)
        return
    for at, text in _asked(matcher):
        if text or matcher.operator == "=":
            is_pattern = matcher.operator in {"=~", "!~"}
            if not (matches_any(text, allowed) if is_pattern else text in allowed):
                message = f"{matcher.label.text} of {series.metric.name} is never {text!r}"
                judge.find(matcher.value.at + at, "ON105", message, one_of(allowed, text))


def _judge_domain(judge: Judge, matcher: Matcher, series: Series) -> None:
    if not judge.vocabulary.is_domain(series.metric, matcher.label.text):
        return
    for at, text in _asked(matcher):
        if near := judge.vocabulary.near_domain(text):
            message = f"there is no domain {text} unless you register it"
            judge.find(matcher.value.at + at, "ON105", message, f"did you mean {near}?", level="warning")


def _asked(matcher: Matcher) -> list[tuple[int, str]]:
    if matcher.operator in {"=~", "!~"}:
        return alternatives(matcher.value.text)
    return [(0, matcher.value.text)]


def _judge_bound(judge: Judge, matcher: Matcher, series: Series) -> None:
    bounds = [_spellings(bound) for bound in series.metric.buckets]
    is_pattern = matcher.operator in {"=~", "!~"}
    missing = False
    for at, text in _asked(matcher):
        if not any(_is_bound(text, one, is_pattern=is_pattern) for spelt in (*bounds, (INFINITE,)) for one in spelt):
            hint = f"the bounds are {', '.join(spelt[0] for spelt in bounds)}"
            judge.find(matcher.value.at + at, "ON106", f"{series.metric.name} has no bucket {text}", hint)
            missing = True
    text = matcher.value.text
    for spelt in () if missing else bounds:
        met = [one for one in spelt if _is_bound(text, one, is_pattern=is_pattern)]
        if met and len(met) < len(spelt):
            other = next(one for one in spelt if one not in met)
            message = f"le {met[0]} is written {other} by other versions of Prometheus and its clients"
            judge.find(matcher.value.at, "ON107", message, f'match both: le=~"{spelt[0]}([.]0)?"')


def _is_bound(text: str, spelling: str, *, is_pattern: bool) -> bool:
    return matches_any(text, (spelling,)) if is_pattern else text == spelling


def _spellings(bound: float) -> tuple[str, ...]:
    """Return how a bucket's *bound* is written, by Prometheus 3 first."""
    if bound == int(bound):
        return (str(int(bound)), f"{float(bound):.1f}")
    return (repr(float(bound)),)


def _judge_alerts(judge: Judge, selector: Selector) -> None:
    names = {*judge.context.records.alert_names()}
    prefix = judge.vocabulary.prefix.capitalize()
    for matcher in selector.matchers:
        if hint := did_you_mean(matcher.label.text, {*_ALERT_LABELS} - {matcher.label.text}, alike=LIKE_AN_ALERT):
            judge.find(matcher.label.at, "ON104", f"{selector.name.text} has no label {matcher.label.text}", hint)
        if matcher.label.text == "alertname" and not has_variable(matcher.value.text):
            for at, text in _asked(matcher):
                near = did_you_mean(text, names, alike=LIKE_AN_ALERT)
                if (near or text.startswith(prefix)) and not matches_any(text, names):
                    hint = near or did_you_mean(text, names)
                    judge.find(matcher.value.at + at, "ON111", f"there is no alert {text}", hint)


def _judge_pattern(judge: Judge, selector: Selector) -> None:
    names = [*judge.vocabulary.series, *judge.context.records.names()]
    for matcher in selector.matchers:
        if matcher.label.text == "__name__" and matcher.operator == "=~" and not has_variable(matcher.value.text):
            for at, text in _asked(matcher):
                judge.context.usage.metrics.update(
                    one.metric.name for name, one in judge.vocabulary.series.items() if matches_any(text, (name,))
                )
                if text.startswith(judge.vocabulary.prefix) and not matches_any(text, names):
                    judge.find(matcher.value.at + at, "ON101", f"no metric is called {text}", did_you_mean(text, names))
