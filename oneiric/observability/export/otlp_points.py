"""The samples of a Prometheus family as data points of OpenTelemetry."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Exemplar, HistogramDataPoint, NumberDataPoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from prometheus_client import Metric as Family
    from prometheus_client.samples import Exemplar as SampleExemplar
    from prometheus_client.samples import Sample

    from oneiric.observability.metrics import Exemplar as OwnExemplar
    from oneiric.observability.metrics import Snapshot

PAUSE_POINTS = 32
"""Points made without a pause."""

Key: TypeAlias = tuple[str, ...]
_NANOSECONDS = 1_000_000_000
_NOT_OF_THE_SERIES = frozenset({"le", "quantile"})


class Starts:
    """Since when each series is counted: not before the last time at which it was not there, or had a larger value.

    Series that are gone are forgotten. A round is ended by :meth:`commit`; one that is not changes no later start.

    Args:
        began: When counting began, nanoseconds since the epoch.
    """

    def __init__(self, began: int) -> None:
        self._before = began
        self._known: dict[Key, tuple[int, float]] = {}
        self._seen: dict[Key, tuple[int, float]] = {}

    def begin(self) -> None:
        """Begin a round."""
        self._known |= self._seen
        self._seen = {}

    def of(self, key: Key, value: float) -> int:
        """Return the start of the series *key*, which has *value* in this round."""
        start, last = self._known.get(key, (self._before, 0.0))
        if value < last:
            start = self._before
        self._seen[key] = (start, value)
        return start

    def commit(self, now: int) -> None:
        """End the round in which everything was looked at, *now*."""
        self._known, self._seen = self._seen, {}
        self._before = now


def attributes(values: Mapping[str, Any]) -> list[KeyValue]:
    """Return *values* (text, numbers, booleans and sequences of them) as attributes."""
    return [KeyValue(key=name, value=_any(value)) for name, value in values.items()]


def snapshot_points(
    snapshot: Snapshot, starts: Starts, now: int, pause: Callable[[], object]
) -> Iterator[NumberDataPoint | HistogramDataPoint]:
    """Yield a point for each series of one of our metrics."""
    metric = snapshot.metric
    for labels, value in _pausing(zip(snapshot.labels, snapshot.values, strict=True), pause):
        key, own = (metric.name, *labels), dict(zip(metric.label_names, labels, strict=True))
        if metric.type == "histogram":
            yield HistogramDataPoint(
                attributes=attributes(own),
                start_time_unix_nano=starts.of(key, count := sum(value.counts)),
                time_unix_nano=now,
                count=count,
                sum=value.sum,
                bucket_counts=value.counts,
                explicit_bounds=metric.buckets,
                exemplars=[_own_exemplar(exemplar) for exemplar in value.exemplars or () if exemplar is not None],
            )
        else:
            start = starts.of(key, value) if metric.type == "counter" else 0
            yield _number(own, float(value), start, now)


def number_points(family: Family, starts: Starts, now: int, pause: Callable[[], object]) -> Iterator[NumberDataPoint]:
    """Yield a point for each sample of a counter or gauge."""
    counts = family.type == "counter"
    samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
    for sample in _pausing(samples, pause):
        value = float(sample.value)
        start = starts.of((family.name, *sample.labels.values()), value) if counts else 0
        yield _number(sample.labels, value, start, now, _exemplars([sample], now))


def histogram_points(
    family: Family, starts: Starts, now: int, pause: Callable[[], object]
) -> Iterator[HistogramDataPoint]:
    """Yield a point for each label set of a histogram or summary."""
    groups: dict[Key, dict[str, list[Sample]]] = {}
    for sample in family.samples:
        key = tuple(value for name, value in sample.labels.items() if name not in _NOT_OF_THE_SERIES)
        groups.setdefault(key, {}).setdefault(sample.name.removeprefix(family.name), []).append(sample)
    for key, parts in _pausing(groups.items(), pause):
        point = _histogram_point(parts, now)
        point.start_time_unix_nano = starts.of((family.name, *key), point.count)
        yield point


def _number(
    labels: Mapping[str, str], value: float, start: int, now: int, exemplars: Sequence[Exemplar] = ()
) -> NumberDataPoint:
    return NumberDataPoint(
        attributes=attributes(labels),
        start_time_unix_nano=start,
        time_unix_nano=now,
        as_double=value,
        exemplars=exemplars,
    )


def _histogram_point(parts: Mapping[str, list[Sample]], now: int) -> HistogramDataPoint:
    buckets = sorted(parts.get("_bucket", ()), key=_bound)
    total, sums = _only(parts, "_count", "_gcount"), _only(parts, "_sum", "_gsum")
    uppers = [int(bucket.value) for bucket in buckets]
    if not buckets or not math.isinf(_bound(buckets[-1])):
        uppers.append(0 if total is None else int(total.value))
    labels = next(iter(parts.values()))[0].labels
    return HistogramDataPoint(
        attributes=attributes({name: text for name, text in labels.items() if name not in _NOT_OF_THE_SERIES}),
        time_unix_nano=now,
        count=uppers[-1],
        sum=None if sums is None else float(sums.value),
        bucket_counts=[upper - lower for lower, upper in zip([0, *uppers], uppers, strict=False)],
        explicit_bounds=[bound for bucket in buckets if not math.isinf(bound := _bound(bucket))],
        exemplars=_exemplars(buckets, now),
    )


def _bound(bucket: Sample) -> float:
    return float(bucket.labels["le"])


def _only(parts: Mapping[str, list[Sample]], *names: str) -> Sample | None:
    return next((parts[name][0] for name in names if name in parts), None)


def _exemplars(samples: Iterable[Sample], now: int) -> list[Exemplar]:
    return [_exemplar(sample.exemplar, now) for sample in samples if sample.exemplar]


def _exemplar(exemplar: SampleExemplar, now: int) -> Exemplar:
    labels = dict(exemplar.labels)
    trace_id, span_id = (_identifier(labels, name, size) for name, size in (("trace_id", 16), ("span_id", 8)))
    return Exemplar(
        filtered_attributes=attributes(labels),
        time_unix_nano=now if exemplar.timestamp is None else int(float(exemplar.timestamp) * _NANOSECONDS),
        as_double=float(exemplar.value),
        trace_id=trace_id,
        span_id=span_id,
    )


def _own_exemplar(exemplar: OwnExemplar) -> Exemplar:
    return Exemplar(
        time_unix_nano=int(exemplar.timestamp * _NANOSECONDS),
        as_double=exemplar.value,
        trace_id=bytes.fromhex(exemplar.trace_id),
        span_id=bytes.fromhex(exemplar.span_id),
    )


def _identifier(labels: dict[str, str], name: str, size: int) -> bytes:
    """Take the identifier of *size* bytes called *name* from *labels*; b"" where there is none of that size."""
    try:
        found = bytes.fromhex(labels.get(name, ""))
    except ValueError:
        return b""
    if len(found) != size:
        return b""
    del labels[name]
    return found


def _pausing(items: Any, pause: Callable[[], object]) -> Iterator[Any]:
    for number, item in enumerate(items, start=1):
        yield item
        if number % PAUSE_POINTS == 0:
            pause()


def _any(value: Any) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, list | tuple):
        return AnyValue(array_value=ArrayValue(values=[_any(item) for item in value]))
    return AnyValue(string_value=str(value))
